/** One worker instance: what it does about stalls, cancels and a stop that come between two of its steps. */
import { afterEach, describe, expect, test } from 'vitest';
import { billingOf } from '../../shared/core/billing.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { ADA, answer, type CoreWorld, coreWorld, type Generate, LEASE_MS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

/** Virtual time passes for a provider, unless its call is broken off. */
function passing(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    world.clock.setTimer(resolve, ms);
    signal.addEventListener('abort', () => resolve());
  });
}

const slow: Generate = async function* (_, signal) {
  await passing(20_000, signal);
  yield* answer();
};

const refusing = (waitMs: number): Generate =>
  async function* (_, __, call) {
    if (call === 1) throw new ServiceError('rate_limited', 'not now', { retryAfterMs: waitMs });
    yield* answer();
  };

/** A gate before the next call of a method of the store. */
function gate(method: 'update' | 'get' | 'getWithInput'): () => void {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  world.store.before(method, () => opened);
  return open;
}

describe('a worker that stalled makes no call', () => {
  test('when the answer to its claim comes after its lease, and another one is done', async () => {
    world = coreWorld();
    const job = await world.submit();
    let isAnswered = () => {};
    const stalled = new Promise<void>((resolve) => {
      isAnswered = resolve;
    });
    const late = {
      ...world.store,
      async update(...values: Parameters<typeof world.store.update>) {
        const written = await world.store.update(...values);
        await stalled;
        return written;
      },
    };
    const zombie = world.anotherWorker({ store: late }).run(job);
    await world.clock.advance(LEASE_MS + 1);
    expect(await world.run(job)).toEqual({ finished: 'completed' });
    isAnswered();
    expect(await zombie).toEqual({ lost: true });
    expect(world.calls()).toBe(1);
  });

  test('when its claim was lost, found again, and ended by the sweeper meanwhile', async () => {
    world = coreWorld();
    const job = await world.submit('Hello.', { limits: { timeoutMs: 120_000 } });
    world.store.fail('update', 'after');
    let open = () => {};
    world.store.before('update', async () => {
      // The look after the claim stalls.
      open = gate('getWithInput');
    });
    const stalled = world.run(job);
    await world.clock.advance(130_000);
    expect(await sweep(world)).toMatchObject({ ended: 1 });
    open();
    expect(await world.clock.until(stalled)).toEqual({ refused: 'lease-ended' });
    expect(world.store.fired('after')).toBe(1);
    expect(world.calls()).toBe(0);
    expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'job_timeout' } });
  });
});

test('a cancel that comes between a claim of unknown fate and the next look is heard before the call', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.store.fail('update', 'after');
  let open = () => {};
  world.store.before('update', async () => {
    open = gate('getWithInput');
  });
  const running = world.run(job);
  await world.clock.advance(100);
  await world.service.cancel(ADA, job.id);
  open();
  expect(await world.clock.until(running)).toEqual({ finished: 'cancelled' });
  expect(world.calls()).toBe(0);
  const ended = await world.read(job);
  expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ calls: 0, outcome: 'cancelled' }] });
  expect(billingOf(ended)).toBe('none');
});

test('a doorbell that comes while a copy of it is looked at inherits no refusal from that look', async () => {
  world = coreWorld(refusing(40_000));
  const job = await world.submit();
  expect(await world.run(job)).toEqual({ handedBack: 'rate_limited' });
  const open = gate('getWithInput');
  let lookedEarly = false;
  const early = {
    ...world.store,
    async getWithInput(key: Parameters<typeof world.store.getWithInput>[0]) {
      const found = await world.store.getWithInput(key);
      lookedEarly = found !== undefined;
      return found;
    },
  };
  // The first look is answered with what was so before the wait was over.
  const seen = await world.store.get(job);
  const worker = world.anotherWorker({
    store: {
      ...early,
      getWithInput: async (key) => {
        const found = await early.getWithInput(key);
        return found && !lookedTwice() && seen ? { ...found, ...seen } : found;
      },
    },
  });
  let looks = 0;
  function lookedTwice(): boolean {
    return ++looks > 1;
  }
  const copy = worker.run(job);
  await world.clock.advance(45_000);
  const due = worker.run(job);
  open();
  expect(await copy).toEqual({ refused: 'not-due' });
  expect(await world.clock.until(due)).toEqual({ finished: 'completed' });
  expect(lookedEarly).toBe(true);
});

test('of two holders of one job in one process, a cancel stops the one that may write', async () => {
  world = coreWorld(slow);
  const job = await world.submit();
  const zombie = world.run(job);
  await world.clock.advance(0);
  const found = await world.store.get(job);
  await world.store.update(job, found?.revision ?? '', { leaseExpiresAt: world.clock.nowMs() });
  const heir = world.run(job);
  await world.clock.advance(0);
  expect(world.calls()).toBe(2);
  await world.service.cancel(ADA, job.id);
  await world.clock.advance(10);
  expect(await heir).toEqual({ finished: 'cancelled' });
  expect(await world.clock.until(zombie)).toEqual({ lost: true });
});

describe('a worker that is told to stop', () => {
  test('gives back what it was about to claim, without a call', async () => {
    world = coreWorld();
    const job = await world.submit();
    const open = gate('update');
    const running = world.run(job);
    await world.clock.advance(0);
    const drained = world.worker.drain(1_000);
    open();
    expect(await world.clock.until(running)).toEqual({ handedBack: 'drained' });
    await world.clock.until(drained);
    expect(world.calls()).toBe(0);
    expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'released', calls: 0 }] });
    expect(await world.run(job)).toEqual({ refused: 'draining' });
  });

  test('rings at once, and whoever hears it may start, however slow the last heartbeat was', async () => {
    world = coreWorld(async function* (_, signal) {
      await passing(LEASE_MS / 2, signal);
      yield* answer();
    });
    const job = await world.submit();
    const running = world.run(job);
    await world.clock.advance(0);
    world.store.fail('update', 'slow');
    await world.clock.advance(LEASE_MS / 3 + 5_000);
    expect(world.store.fired('slow')).toBe(1);
    const rung = world.published.length;
    const drained = world.worker.drain(0);
    expect(await world.clock.until(running)).toEqual({ handedBack: 'drained' });
    await drained;
    expect(world.published).toHaveLength(rung + 1);
    expect(await world.clock.until(world.anotherWorker().run(job))).toEqual({ finished: 'completed' });
  });

  test('makes no further attempt itself', async () => {
    world = coreWorld(async function* (_, signal, call) {
      await passing(2_000, signal);
      if (call === 1) throw new ServiceError('overloaded', 'not now');
      yield* answer();
    });
    const job = await world.submit();
    const running = world.run(job);
    await world.clock.advance(1_000);
    const drained = world.worker.drain(8_000);
    expect(await world.clock.until(running)).toEqual({ handedBack: 'overloaded' });
    await world.clock.until(drained);
    expect(world.calls()).toBe(1);
  });

  test('P01 in the middle of a wait that a provider asked for, leaves the rest of that wait to others', async () => {
    world = coreWorld(refusing(20_000));
    const job = await world.submit();
    const askedMs = world.clock.nowMs();
    const running = world.run(job);
    await world.clock.advance(5_000);
    const drained = world.worker.drain(0);
    expect(await world.clock.until(running)).toEqual({ handedBack: 'drained' });
    await drained;
    const waiting = await world.read(job);
    expect(waiting.nextAttemptAt).toBeGreaterThanOrEqual(askedMs + 20_000);
    expect(waiting).toMatchObject({ attempts: [{ errorCode: 'rate_limited' }, { outcome: 'released', calls: 0 }] });
    expect(await world.anotherWorker().run(job)).toEqual({ refused: 'not-due' });
    await world.clock.advance((waiting.nextAttemptAt ?? 0) - world.clock.nowMs());
    expect(await world.anotherWorker().run(job)).toEqual({ finished: 'completed' });
  });

  test('does not wait for a store that is silent', async () => {
    world = coreWorld(slow);
    const job = await world.submit();
    void world.run(job).catch(() => undefined);
    await world.clock.advance(0);
    world.store.fail('update', 'before', { times: 10_000 });
    const startedMs = world.clock.monotonicMs();
    await world.clock.until(world.worker.drain(1_000));
    expect(world.store.fired('before')).toBeGreaterThan(1);
    expect(world.clock.monotonicMs() - startedMs).toBeLessThanOrEqual(3_000);
  });
});

test('a retry whose write outlasts the lease leaves nobody holding the job', async () => {
  world = coreWorld(async function* (_, signal, call) {
    await passing(LEASE_MS * 0.3, signal);
    if (call === 1) throw new ServiceError('overloaded', 'not now');
    yield* answer();
  });
  const job = await world.submit();
  const running = world.run(job);
  await world.clock.advance(0);
  const late = gate('update');
  await world.clock.advance(LEASE_MS * 0.95);
  late();
  expect(await world.clock.until(running)).toEqual({ lost: true });
  const waiting = await world.read(job);
  expect(waiting).toMatchObject({ state: 'processing', leaseExpiresAt: null, stage: 'waiting' });
  expect(waiting.attempts.at(-1)).toMatchObject({ outcome: 'released', calls: 0 });
  expect(waiting.losses).toBeUndefined();
  expect(world.calls()).toBe(1);
});

test('what a provider counted before its answer was broken off is not all that it may charge', async () => {
  world = coreWorld(async function* (_, signal) {
    yield { type: 'usage', usage: { inputTokens: 10, outputTokens: 1, totalTokens: 11 } } as LlmPart;
    await passing(20_000, signal);
    yield* answer();
  });
  const job = await world.submit();
  const running = world.run(job);
  await world.clock.advance(10);
  await world.service.cancel(ADA, job.id);
  expect(await world.clock.until(running)).toEqual({ finished: 'cancelled' });
  const ended: Job = await world.read(job);
  expect(ended.attempts).toMatchObject([{ usage: { totalTokens: 11 } }]);
  expect(billingOf(ended)).toBe('possible');
});

test('an error whose message has lines of its own leaves none of them in the log', async () => {
  world = coreWorld(async function* () {
    yield { type: 'text-delta', text: 'Hi' } as LlmPart;
    throw new SyntaxError('Unexpected token\n  "my password is hunter2"\n    at least so it says');
  });
  const job = await world.submit();
  expect(await world.run(job)).toEqual({ finished: 'failed' });
  expect(world.lines.join()).toContain('attempt-broke');
  for (const said of ['hunter2', 'at least so it says']) expect(world.lines.join()).not.toContain(said);
  expect(await world.read(job)).toMatchObject({ error: { code: 'internal_error' } });
});
