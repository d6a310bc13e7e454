/** Q04: who waits for the answer to an equal job, how long, whose answer that is, and what the end of a leader costs. */
import { afterEach, describe, expect, test } from 'vitest';
import { answerSharing, followersMost } from '../../shared/core/answer-sharing.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { gateOf } from '../../shared/core/gate.ts';
import type { Job } from '../../shared/core/job.ts';
import type { JobType } from '../../shared/core/job-type.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { ADA, FINISH, type Generate } from '../support/core-world.ts';
import { EQUAL, FOLLOWERS, type SharingWorld, sharingWorld } from '../support/sharing-world.ts';

const CALL_MS = 1_000;

let world: SharingWorld;
afterEach(() => world.close());

const open = (generate?: Generate) => {
  world = sharingWorld(generate);
  return world;
};
const until = <T>(promise: Promise<T>) => world.clock.until(promise);
const submitted = async (over: Partial<Submission> = {}): Promise<Job> =>
  (await world.service.submit(ADA, { ...EQUAL, ...over })).job;

/** Its first call ends when the test lets it, as all others do soon: by an answer, or a failure. */
function heldOnce(failure?: ServiceError) {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const generate: Generate = async function* (_, signal, call): AsyncIterable<LlmPart> {
    yield { type: 'accepted' };
    if (call === 1) {
      await Promise.race([released, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
      signal.throwIfAborted();
    }
    if (call > 1) await sleep(world.clock, CALL_MS);
    if (failure) throw failure;
    yield { type: 'text-delta', text: `answer ${call}` };
    yield FINISH;
  };
  return { generate, release: () => release() };
}

/** A worker of another process, which may find its providers elsewhere. */
function otherWorker(address?: string) {
  const sharing = answerSharing({ ...world, addressOf: () => address, followersMost: FOLLOWERS });
  return world.anotherWorker({ gate: gateOf({ sharing: sharing.gate, routing: world.gate }) });
}

/** Delivers what is rung from here on, all at once, until nothing more is. */
async function deliverRung(from: number): Promise<void> {
  for (let next = from; next < world.published.length; ) {
    const rung = world.published.slice(next);
    next += rung.length;
    await until(Promise.all(rung.map((key) => world.run(key))));
  }
}

/** A leader in its call, and so many who are parked for its end. */
async function parkedBehind(followers: number, failure?: ServiceError) {
  const { generate, release } = heldOnce(failure);
  open(generate);
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

describe('an answer that was made elsewhere', () => {
  test('is none for a job whose provider is here, though that leader was chosen here', async () => {
    open();
    const [first, second] = [await submitted(), await submitted()];
    world.leaders.fail('lead', 'after');
    await expect(until(world.run(first))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await until(otherWorker('http://elsewhere').run(first))).toEqual({ finished: 'completed' });
    expect(await until(world.run(second))).toEqual({ finished: 'completed' });
    expect(world.calls()).toBe(2);
  });

  test('nor is one that was begun here, and made elsewhere by the next attempt', async () => {
    const { generate } = heldOnce();
    open(generate);
    const [first, second] = [await submitted(), await submitted()];
    const running = world.run(first);
    await world.clock.advance(10);
    await until(world.worker.drain(0));
    expect(await until(running)).toMatchObject({ handedBack: 'drained' });
    expect(await until(otherWorker('http://elsewhere').run(first))).toEqual({ finished: 'completed' });
    expect(await until(otherWorker().run(second))).toEqual({ finished: 'completed' });
    expect(world.calls()).toBe(3);
    const third = await submitted();
    expect(await until(otherWorker().run(third))).toEqual({ refused: 'answered' });
    expect(await world.read(third)).toMatchObject({ answerOf: { id: second.id } });
  });

  test('an attempt after another one in the same place goes on leading', async () => {
    const { generate } = heldOnce();
    open(generate);
    const [first, second] = [await submitted(), await submitted()];
    const running = world.run(first);
    await world.clock.advance(10);
    await until(world.worker.drain(0));
    await until(running);
    expect(await until(otherWorker().run(first))).toEqual({ finished: 'completed' });
    expect(await until(otherWorker().run(second))).toEqual({ refused: 'answered' });
  });
});

describe('a job that waits in a worker for an answer', () => {
  async function waiting(over: Partial<Submission> = {}) {
    const { generate, release } = heldOnce();
    open(generate);
    const leader = await submitted();
    const running = world.run(leader);
    await world.clock.advance(10);
    const job = await submitted(over);
    const startedMs = world.clock.monotonicMs();
    const outcome = world.run(job).then((ended) => ({ ended, ms: world.clock.monotonicMs() - startedMs }));
    await world.clock.advance(1_000);
    return { job, outcome, running, release };
  }

  test('waits until its own time is over at most', async () => {
    const { job, outcome } = await waiting({ limits: { startWithinMs: 5_000 } });
    const { ended, ms } = await until(outcome);
    expect(ended).toEqual({ refused: 'overdue' });
    expect(ms).toBeGreaterThanOrEqual(5_000);
    expect(ms).toBeLessThan(6_000);
    expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'start_timeout' } });
  });

  test('leaves its place to others: so many at once, and then as many again', async () => {
    const short = { limits: { startWithinMs: 2_000 } };
    const { outcome } = await waiting(short);
    const awaited = () => world.lines.filter((line) => line.includes('"answer-awaited"')).length;
    const crowd = async (jobs: number) => {
      const outcomes: Promise<unknown>[] = [];
      for (let n = 0; n < jobs; n++) outcomes.push(world.run(await submitted(short)));
      await world.clock.advance(0);
      const waiting = awaited();
      await until(Promise.all(outcomes));
      return waiting;
    };
    expect(await crowd(FOLLOWERS)).toBe(FOLLOWERS);
    await until(outcome);
    expect(await crowd(FOLLOWERS)).toBe(2 * FOLLOWERS);
  });

  test('is one of a third of the lanes of its process, but of one at least, and of sixteen at most', () => {
    expect([1, 2, 3, 5, 6, 47, 48, 50, 1_000].map(followersMost)).toEqual([1, 1, 1, 1, 2, 15, 16, 16, 16]);
  });

  test.each(['cancel', 'remove'] as const)('waits no longer after a %s', async (end) => {
    const { job, outcome, running, release } = await waiting();
    await world.service[end](ADA, job.id);
    const { ended, ms } = await until(outcome);
    expect(ended).toEqual({ refused: 'done' });
    expect(ms).toBeLessThan(12_000);
    release();
    await until(running);
    expect(world.calls()).toBe(1);
  });
});

describe('a job type', () => {
  const change = (over: (type: JobType) => Partial<JobType>) => {
    const type = world.jobTypes.get(EQUAL.jobType);
    if (type) (world.jobTypes as Map<string, JobType>).set(type.name, { ...type, ...over(type) });
  };

  test('says how old an answer may be: of all its jobs but those whose answers are kept nowhere', async () => {
    open();
    change(() => ({ cacheMs: 60_000 }));
    const own = { cacheMs: undefined };
    const [first, second] = [await submitted(own), await submitted(own)];
    const [fleeting, third] = [await submitted({ ...own, store: false }), await submitted({ cacheMs: 30_000 })];
    expect([first.cacheMs, fleeting.cacheMs, third.cacheMs]).toEqual([60_000, undefined, 30_000]);
    expect(await until(world.run(first))).toEqual({ finished: 'completed' });
    expect(await until(world.run(fleeting))).toEqual({ finished: 'completed' });
    expect(await until(world.run(second))).toEqual({ refused: 'answered' });
    await world.clock.advance(30_000);
    expect(await until(world.run(third))).toEqual({ finished: 'completed' });
    expect(world.calls()).toBe(3);
    for (const field of ['leads', 'answerOf', 'cacheMs']) expect(await world.read(fleeting)).not.toHaveProperty(field);
  });

  test('whose request cannot be made any more: its job fails, and says so', async () => {
    open();
    const job = await submitted();
    change(() => ({
      toRequest() {
        throw new Error('It was changed.');
      },
    }));
    expect(await until(world.run(job))).toEqual({ finished: 'failed' });
    expect(await world.read(job)).not.toHaveProperty('leads');
    expect(world.calls()).toBe(0);
    expect(world.lines.some((line) => line.includes('"answer-unshared"'))).toBe(true);
  });
});
