/** How a job goes on after a failed attempt: within its time, its delivery and its slot, and with the right to its call. */
import { afterEach, describe, expect, test } from 'vitest';
import { FAILURES_TO_OPEN, OPEN_LEAST_MS } from '../../shared/core/breaker.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { concurrencyLimiter } from '../../shared/core/limiter.ts';
import type { Routing } from '../../shared/core/routing.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { ADA, type CoreWorld } from '../support/core-world.ts';
import { type Fate, routesWorld } from '../support/routes-world.ts';

const OWN = 'simulated';
const OTHER = 'gpt-4o';
const FALLBACK = { model: { id: 'b', name: 'B', provider: 'openai', model: OTHER } };

let world: CoreWorld;
afterEach(() => world.close());

/** `waits`: how long each right to a call must be waited for, in turn. */
function open(fate: (call: number, model: string) => Fate, waits: number[] = []) {
  const taken: string[] = [];
  const given: string[] = [];
  const opened = routesWorld(fate, {
    limits: () => ({
      async take({ model }) {
        const waitMs = waits.shift() ?? 0;
        if (waitMs > 0) return { waitMs };
        taken.push(model);
        return { giveBack: async () => void given.push(model) };
      },
      learn() {},
    }),
  });
  world = opened.world;
  return { ...opened, taken, given };
}

async function submitWithFallback(over: Partial<Submission> = {}): Promise<Job> {
  const job = await world.submit('Hello.', over);
  const { revision = '' } = (await world.store.get(job)) ?? {};
  await world.store.update(job, revision, { fallbacks: [FALLBACK] });
  return job;
}

/** Calls of other jobs on the fallback fail until its breaker opens. */
async function breakFallback(routes: Routing): Promise<void> {
  for (let n = 0; n < FAILURES_TO_OPEN; n++) {
    const taken = await routes.pass({ ...(await world.submit()), fallbacks: [FALLBACK] }, [1]);
    if ('pass' in taken) taken.pass.end(new ServiceError('overloaded', 'by the test'));
  }
  expect(routes.isOpen(FALLBACK)).toBe(true);
}

const outIsOwn = (_: number, model: string): Fate => (model === OWN ? { fails: 'auth' } : undefined);
const refusedOnce = (call: number): Fate => (call === 1 ? { fails: 'rate_limited' } : undefined);

test('a pause that is over no sooner than its time ends a job at once', async () => {
  const { worker } = open(() => ({ fails: 'rate_limited', retryAfterMs: 20_000 }));
  const job = await world.submit('Hello.', { limits: { timeoutMs: 15_000 } });
  expect(await worker.run(job)).toEqual({ finished: 'failed' });
  expect(await world.read(job)).toMatchObject({ error: { code: 'rate_limited' }, attempt: 1 });
});

test('an attempt that its delivery has no time for is left to another one, which is rung when it may start', async () => {
  const { worker } = open((call) => (call === 1 ? { lastsMs: 295_000, fails: 'overloaded' } : undefined));
  const longCall = { attemptTimeoutMs: 296_000, idleTimeoutMs: 296_000, timeoutMs: 3_000_000 };
  const job = await world.submit('Hello.', { limits: longCall });
  const rung = world.published.length;
  expect(await world.clock.until(worker.run(job))).toEqual({ handedBack: 'overloaded' });
  expect(world.clock.monotonicMs()).toBe(296_000);
  expect(world.published).toHaveLength(rung + 1);
  expect((await world.read(job)).attempts).toHaveLength(1);
});

test('what its routes said of a job is kept with it', async () => {
  const { worker } = open((_, model) =>
    model === OWN ? { fails: 'rate_limited', retryAfterMs: 60_000 } : { fails: 'auth' },
  );
  const job = await submitWithFallback();
  expect(await worker.run(job)).toEqual({ handedBack: 'auth' });
  const { tries = [] } = await world.read(job);
  expect(tries).toMatchObject([{ refusals: 1 }, { isOut: true }]);
  expect(tries[0]?.retryAt).toBeGreaterThanOrEqual(world.clock.nowMs() + 60_000);
});

describe('on another route', () => {
  test('an open breaker is waited for without a record', async () => {
    const { worker, routes } = open(outIsOwn);
    const job = await submitWithFallback();
    await breakFallback(routes);
    await world.clock.advance(5_000);
    expect(await worker.run(job)).toEqual({ handedBack: 'auth' });
    const waiting = await world.read(job);
    expect(waiting.attempts).toHaveLength(1);
    expect(waiting.nextAttemptAt).toBeGreaterThanOrEqual(world.clock.nowMs() + OPEN_LEAST_MS - 5_000);
  });

  test('one that may be probed is probed at once', async () => {
    const { worker, routes } = open(outIsOwn);
    const job = await submitWithFallback();
    await breakFallback(routes);
    await world.clock.advance(OPEN_LEAST_MS);
    expect(await worker.run(job)).toEqual({ finished: 'completed' });
    expect(routes.isOpen(FALLBACK)).toBe(false);
  });

  test('it is that one whose right is taken, also after a pause there', async () => {
    const { worker, taken } = open((call, model) => (call === 2 ? { fails: 'rate_limited' } : outIsOwn(call, model)));
    const job = await submitWithFallback();
    expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'completed' });
    expect(taken).toEqual([OWN, OTHER, OTHER]);
  });

  test('a slot of its model is needed first', async () => {
    const { around } = open(outIsOwn);
    const limiter = concurrencyLimiter({ ...world, limits: new Map([[OTHER, 1]]) });
    const worker = world.anotherWorker({ ...around, limiter });
    const job = await submitWithFallback();
    expect(await worker.run(job)).toEqual({ handedBack: 'auth' });
    expect(await world.read(job)).toMatchObject({ route: 1, leaseExpiresAt: null, attempts: [{ errorCode: 'auth' }] });
    expect(await worker.run(job)).toEqual({ finished: 'completed' });
  });
});

describe('the right to a call that is not made is given back', () => {
  test('when the job was cancelled meanwhile', async () => {
    const { worker, taken, given } = open((call, model) => {
      world.store.before('update', () => world.service.cancel(ADA, job.id));
      return outIsOwn(call, model);
    });
    const job = await submitWithFallback();
    expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'cancelled' });
    expect([taken, given]).toEqual([[OWN, OTHER], [OTHER]]);
  });

  test.each([
    ['before', { lost: true }],
    ['refused', undefined],
  ] as const)('when the store does not take its record (%s)', async (fault, ends) => {
    const { worker, taken, given } = open((call, model) => {
      world.store.fail('update', fault, { times: 10_000 });
      return outIsOwn(call, model);
    });
    const job = await submitWithFallback();
    const running = world.clock.until(worker.run(job));
    if (ends) expect(await running).toEqual(ends);
    else await expect(running).rejects.toBeInstanceOf(ServiceError);
    expect(world.store.fired()).toBeGreaterThan(0);
    expect([taken, given]).toEqual([[OWN, OTHER], [OTHER]]);
  });
});

describe('a moment that the right to a call takes after a pause', () => {
  test('is waited for', async () => {
    const { worker } = open(refusedOnce, [0, 1_500]);
    const job = await world.submit();
    expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'completed' });
    expect(world.clock.monotonicMs()).toBe(2_500);
    expect((await world.read(job)).attempts).toHaveLength(2);
  });

  test('but not by a worker that is told to stop', async () => {
    const { worker } = open(refusedOnce, [0, 1_500]);
    const job = await world.submit();
    const running = worker.run(job);
    await world.clock.advance(1_500);
    await world.clock.until(worker.drain(0));
    expect(await running).toEqual({ handedBack: 'drained' });
    expect(world.calls()).toBe(1);
  });
});
