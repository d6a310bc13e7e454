/** Q04: what the end of a leader means to those who wait for its answer, and what it costs. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { gateOf } from '../../shared/core/gate.ts';
import type { Job } from '../../shared/core/job.ts';
import { ADA, type Generate } from '../support/core-world.ts';
import { EQUAL, heldOnce, type SharingWorld, sharingWorld } from '../support/sharing-world.ts';

let world: SharingWorld;
afterEach(() => world.close());

const open = (generate?: Generate, options?: { hasCredits: boolean }) => {
  world = sharingWorld(generate, options);
  return world;
};
const until = <T>(promise: Promise<T>) => world.clock.until(promise);
const submitted = async (): Promise<Job> => (await world.service.submit(ADA, EQUAL)).job;

/** Delivers what is rung from here on, all at once, until nothing more is. */
async function deliverRung(from: number): Promise<void> {
  for (let next = from; next < world.published.length; ) {
    const rung = world.published.slice(next);
    next += rung.length;
    await until(Promise.all(rung.map((key) => world.run(key))));
  }
}

/** A leader in its call, and so many who are parked for its end. */
async function parkedBehind(followers: number, failure?: ServiceError, hasCredits = false) {
  const { generate, release } = heldOnce(() => world.clock, failure);
  open(generate, { hasCredits });
  await world.accounts.put(ADA, { subscription: 'active' });
  await world.accounts.grant(ADA, { id: crypto.randomUUID(), tokens: 1_000_000 });
  const leader = await submitted();
  const running = world.run(leader);
  await world.clock.advance(10);
  const crowd: Job[] = [];
  for (let n = 0; n < followers; n++) crowd.push(await submitted());
  const waiting = Promise.all(crowd.map((job) => world.run(job)));
  await world.clock.advance(60_000);
  expect(await waiting).toEqual(crowd.map(() => ({ refused: 'parked' })));
  return { leader, running, crowd, release };
}

describe('the end of a leader', () => {
  test('that failed costs what those who come next need, not what all who wait do', async () => {
    const { running, crowd, release } = await parkedBehind(40, new ServiceError('auth', 'The key was refused.'));
    const [before, rung] = [world.store.calls('update'), world.published.length];
    release();
    expect(await until(running)).toEqual({ finished: 'failed' });
    await deliverRung(rung);
    const states = await Promise.all(crowd.map(async (job) => (await world.read(job)).state));
    expect(states).toEqual(crowd.map(() => 'failed'));
    expect(world.calls()).toBe(41);
    // A claim, its stages and an end for each, not a new place in the queue with each that fails.
    expect(world.store.calls('update') - before).toBeLessThan(5 * 41);
    expect(world.published.length - rung).toBeLessThan(5 * 41);
    const { job } = await world.service.redrive(ADA, crowd[0]?.id ?? '');
    expect(job.cacheMs).toBe(EQUAL.cacheMs);
  });

  test('that failed, and whose successors are denied, is the end of all at once', async () => {
    const { running, crowd, release } = await parkedBehind(10, new ServiceError('auth', 'The key was refused.'), true);
    const rung = world.published.length;
    await world.accounts.put(ADA, { subscription: 'inactive' });
    release();
    expect(await until(running)).toEqual({ finished: 'failed' });
    await deliverRung(rung);
    const denied = { state: 'failed', error: { code: 'subscription_inactive' } };
    for (const job of crowd) expect(await world.read(job)).toMatchObject(denied);
    expect(world.calls()).toBe(1);
  });

  test('that failed leaves its place to one; the answer of that one is for all', async () => {
    const { leader, running, crowd, release } = await parkedBehind(20);
    const rung = world.published.length;
    await world.service.cancel(ADA, leader.id);
    release();
    expect(await until(running)).toEqual({ finished: 'cancelled' });
    expect(world.published.length - rung).toBeLessThan(5);
    await deliverRung(rung);
    for (const job of crowd) expect(await world.read(job)).toMatchObject({ state: 'completed' });
    expect(world.calls()).toBe(2);
  });

  test('that is deleted while it is held is known to the others at once', async () => {
    const { leader, running, crowd, release } = await parkedBehind(5);
    const rung = world.published.length;
    await world.service.remove(ADA, leader.id);
    expect(world.published.length).toBeGreaterThan(rung);
    await deliverRung(rung);
    for (const job of crowd) expect(await world.read(job)).toMatchObject({ state: 'completed' });
    release();
    expect(await until(running)).toEqual({ finished: 'cancelled' });
    expect(world.calls()).toBe(2);
  });
});

test('a leader that is put off says under which key it leads, and rings those who come next when it ends', async () => {
  open();
  const nextAttemptAt = world.clock.nowMs() + 3_600_000;
  const routing = async () => ({ instead: { type: 'defer', nextAttemptAt } }) as const;
  const [leader, follower] = [await submitted(), await submitted()];
  const putOff = world.anotherWorker({ gate: gateOf({ sharing: world.sharing.gate, routing }) });
  expect(await until(putOff.run(leader))).toEqual({ refused: 'deferred' });
  expect(await until(world.run(follower))).toEqual({ refused: 'parked' });
  const { leads } = await world.read(leader);
  expect(leads).toMatch(/^[0-9a-f]{64}$/);
  expect(await world.read(follower)).toMatchObject({ parkedFor: `answer:${leads}` });
  const rung = world.published.length;
  await world.service.cancel(ADA, leader.id);
  await deliverRung(rung);
  expect(await world.read(follower)).toMatchObject({ state: 'completed', leads });
});
