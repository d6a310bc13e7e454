/** Claims that the store does not answer, or that others win: who gets the job, and who is told to come again. */
import { afterEach, expect, test } from 'vitest';
import { claimJob } from '../../shared/core/claim.ts';
import type { Gated } from '../../shared/core/gate.ts';
import type { Job } from '../../shared/core/job.ts';
import { type CoreWorld, coreWorld, LEASE_MS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

test.each([0, 1, 2, 3])('a claim that was applied unanswered after %i that were not is recognised', async (before) => {
  world = coreWorld();
  const job = await world.submit();
  if (before > 0) world.store.fail('update', 'before', { times: before });
  world.store.fail('update', 'after');
  expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
  expect(world.store.fired()).toBe(before + 1);
  expect(world.calls()).toBe(1);
  expect(await world.read(job)).toMatchObject({ attempt: 1, attempts: [{ n: 1, calls: 1, outcome: 'completed' }] });
});

test('a claim that the store never answers asks for another delivery', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.store.fail('update', 'before', { times: 100 });
  await expect(world.clock.until(world.run(job))).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(world.store.fired()).toBeGreaterThan(0);
  expect(world.calls()).toBe(0);
});

test('a claim whose last try was applied unanswered is run, or delivered again, but not forgotten', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.store.fail('update', 'before', { times: 4 });
  world.store.fail('update', 'after');
  const outcome = await world.clock.until(world.run(job)).catch((error: { code?: string }) => error.code);
  expect(world.store.fired()).toBe(5);
  // Either it is run under the lease it has, or the queue is asked to come again; never acknowledged and forgotten.
  expect([{ finished: 'completed' }, 'store_unavailable']).toContainEqual(outcome);
});

test('a claim that loses every race gives up without a call, and leaves the job as the others wrote it', async () => {
  world = coreWorld();
  const job = await world.submit();
  let races = 0;
  const rival = async () => {
    races += 1;
    const found = await world.store.get(job);
    await world.store.update(job, found?.revision ?? '', { rings: races });
    world.store.before('update', rival);
  };
  world.store.before('update', rival);
  expect(await world.clock.until(world.run(job))).toEqual({ refused: 'contended' });
  expect(races).toBe(5);
  expect(world.calls()).toBe(0);
  expect(await world.read(job)).toEqual({ ...job, rings: 5 });
});

test.each([
  [19, { finished: 'completed' }],
  [25, { refused: 'contended' }],
])('an account that changes under a claim %i times: it looks again, and gives up at last', async (changes, outcome) => {
  world = coreWorld(undefined, undefined, { hasCredits: true });
  const key = { tenant: 'default', user: 'ada' };
  await world.accounts.put(key, { subscription: 'active' });
  await world.accounts.grant(key, { id: crypto.randomUUID(), tokens: 5_000 });
  const job = await world.submit();
  let races = 0;
  const rival = async () => {
    if (races >= changes) return;
    races += 1;
    await world.accounts.put(key, { subscription: 'active' });
    world.store.before('update', rival);
  };
  world.store.before('update', rival);
  expect(await world.clock.until(world.run(job))).toEqual(outcome);
  const isRun = 'finished' in outcome;
  expect(races).toBe(isRun ? changes : 20);
  expect(world.calls()).toBe(isRun ? 1 : 0);
  // Nothing is kept of it, and the sweeper rings it again.
  expect((await world.accounts.get(key))?.account.reserved.tokens).toBe(0);
  if (!isRun) expect(await world.read(job)).toEqual(job);
});

test('a dead holder is followed by the next delivery after its lease, with its attempt recorded as lost', async () => {
  world = coreWorld();
  const job = await world.submit();
  const found = await world.store.get(job);
  const startedAt = world.clock.nowMs();
  await world.store.update(job, found?.revision ?? '', {
    state: 'processing',
    attempt: 1,
    token: 'of the dead',
    attempts: [{ n: 1, startedAt, provider: 'simulated', model: 'simulated', calls: 1 }],
    leaseExpiresAt: startedAt + LEASE_MS,
  });
  expect(await world.run(job)).toEqual({ refused: 'leased' });
  expect(world.calls()).toBe(0);
  await world.clock.advance(LEASE_MS);
  expect(await world.run(job)).toEqual({ finished: 'completed' });
  expect(await world.read(job)).toMatchObject({
    attempt: 2,
    attempts: [
      { n: 1, outcome: 'lost', errorCode: 'lease_lost', calls: 1 },
      { n: 2, outcome: 'completed', calls: 1 },
    ],
  });
});

const said: [string, (nowMs: number, end: (outcome: unknown) => void) => Gated][] = [
  ['to put it off', (nowMs) => ({ instead: { type: 'defer', nextAttemptAt: nowMs + 60_000 } })],
  ['to park it', () => ({ instead: { type: 'park', parkedFor: 'answer:other' } })],
  ['to call another route', (_, end) => ({ pass: { route: 1, end }, leads: 'key' })],
];
const faster: [string, boolean][] = [
  ['somebody was faster', false],
  ['a holder whose lease had ended came back', true],
];
test.each(said.flatMap(([word, say]) => faster.map(([who, isOld]) => [word, who, say, isOld] as const)))(
  'a gate says %s, and %s, whose provider works on it: its attempt goes on',
  async (_, __, say, isOld) => {
    world = coreWorld();
    const job = await world.submit();
    const ends: unknown[] = [];
    const startedAt = world.clock.nowMs();
    const change = async (changes: Partial<Job>) => {
      const found = await world.store.get(job);
      await world.store.update(job, found?.revision ?? '', changes);
    };
    const attempts = [{ n: 1, startedAt, provider: 'simulated', model: 'simulated', calls: 1 }];
    const theirs: Partial<Job> = { state: 'processing', attempt: 1, token: 'of another', attempts };
    if (isOld) await change({ ...theirs, leaseExpiresAt: startedAt });
    const gate = async () => {
      const upstream = { id: 'upstream-1', looks: 1 };
      await change({ ...theirs, leaseExpiresAt: null, nextAttemptAt: startedAt, upstream });
      return say(startedAt, (outcome) => ends.push(outcome));
    };
    const claim = await world.clock.until(claimJob({ ...world, gate }, job));
    if ('refused' in claim) throw new Error(claim.refused);
    expect(claim.held.job).toMatchObject({ upstream: { id: 'upstream-1' }, attempts: [{ n: 1, calls: 1 }] });
    expect(claim.held.job).not.toHaveProperty('leads');
    expect(claim.pass).toBeUndefined();
    expect(ends).toEqual(_.includes('route') ? ['unused'] : []);
  },
);
