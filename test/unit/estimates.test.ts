/** What is learned of how long jobs take: how right it is, what it costs, and that nobody suffers from its store. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Estimates, estimates } from '../../shared/core/estimates.ts';
import type { EstimateKey } from '../../shared/core/ports.ts';
import { jobService } from '../../shared/core/service.ts';
import { jobWorker } from '../../shared/core/worker.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { ADA, type CoreWorld, coreWorld, NO_PROVIDERS } from '../support/core-world.ts';
import { faulty } from '../support/faulty.ts';
import { sqliteStores } from '../support/stores.ts';
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts';

const KEY: EstimateKey = { tenant: 'default', jobType: 'general_llm_request', modelId: 'm' };
const MINUTE_MS = 60_000;

let clock: VirtualClock;
let store: ReturnType<typeof faultyStore>;
let learned: Estimates;
let close: () => Promise<void>;

function faultyStore() {
  const stores = sqliteStores(clock);
  close = stores.close;
  return faulty(stores.estimateStore, { clock });
}
/** What another process, which knows nothing yet, makes of the store. */
const another = () => estimates({ estimateStore: store, clock, log: () => {} });

beforeEach(() => {
  clock = virtualClock();
  store = faultyStore();
  learned = another();
});
afterEach(() => close());

test('a thousand equal jobs are one put and one read, and every process knows', async () => {
  for (let n = 0; n < 1_000; n++) {
    await learned.learn(KEY, MINUTE_MS);
    await clock.advance(500);
  }
  expect([store.calls('put'), store.calls('get')]).toEqual([1, 2]);
  expect(await another().usualMs(KEY)).toBe(MINUTE_MS);
});

test('a thousand jobs that end at once, however unequal, are one put and one read', async () => {
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => learned.learn(KEY, 1_000 * 2 ** (n % 7))));
  expect([store.calls('put'), store.calls('get')]).toEqual([1, 1]);
});

test('jobs that are very unequal are a put a minute at most', async () => {
  for (let n = 0; n < 600; n++) {
    await learned.learn(KEY, n % 40 < 20 ? 2_000 : 90_000);
    await clock.advance(1_000);
  }
  expect(store.calls('put')).toBeGreaterThan(1);
  expect(store.calls('put')).toBeLessThanOrEqual(10);
});

test('differences that nobody would notice are not told', async () => {
  for (const tookMs of [3, 40, 400, 7, 90]) {
    await learned.learn(KEY, tookMs);
    await clock.advance(2 * MINUTE_MS);
  }
  expect(store.calls('put')).toBe(1);
});

test('when jobs take longer than before, it follows, and others are told', async () => {
  for (let n = 0; n < 10; n++) await learned.learn(KEY, 10_000);
  for (let n = 0; n < 30; n++) {
    await clock.advance(MINUTE_MS);
    await learned.learn(KEY, 40_000);
  }
  expect(await learned.usualMs(KEY)).toBeGreaterThan(38_000);
  expect(await another().usualMs(KEY)).toBeGreaterThan(33_000);
  expect(store.calls('put')).toBeLessThan(12);
});

test('one job that took ten times as long does not count ten times', async () => {
  for (let n = 0; n < 10; n++) await learned.learn(KEY, 10_000);
  await learned.learn(KEY, 100_000);
  expect(await learned.usualMs(KEY)).toBeLessThan(16_000);
});

test('what a process has learned from many jobs stands when the store says the same from one', async () => {
  for (let n = 0; n < 10; n++) await learned.learn(KEY, 10_000);
  await clock.advance(11 * MINUTE_MS);
  await learned.learn(KEY, 100_000);
  expect(store.calls('get')).toBe(2);
  expect(await learned.usualMs(KEY)).toBeLessThan(16_000);
});

test('tenants, job types and models are known apart', async () => {
  await learned.learn(KEY, MINUTE_MS);
  for (const other of [{ tenant: 'other' }, { jobType: 'review_colab' }, { modelId: 'n' }]) {
    expect(await learned.usualMs({ ...KEY, ...other })).toBeUndefined();
  }
});

test('a process that found nothing asks again soon; one that found something, later, and does not wait for it', async () => {
  expect(await learned.usualMs(KEY)).toBeUndefined();
  await store.put(KEY, { usualMs: 5_000, jobs: 9 });
  expect(await learned.usualMs(KEY)).toBeUndefined();
  await clock.advance(30_000);
  expect(await learned.usualMs(KEY)).toBe(5_000);
  await store.put(KEY, { usualMs: 9_000, jobs: 9 });
  await clock.advance(9 * MINUTE_MS);
  expect([await learned.usualMs(KEY), store.calls('get')]).toEqual([5_000, 2]);
  await clock.advance(MINUTE_MS);
  store.fail('get', 'slow');
  const startMs = clock.monotonicMs();
  expect(await learned.usualMs(KEY)).toBe(5_000);
  expect(clock.monotonicMs()).toBe(startMs);
  await clock.advance(3_000);
  expect([await learned.usualMs(KEY), store.fired()]).toEqual([9_000, 1]);
});

describe('a store that', () => {
  test('hangs is waited for a quarter of a second, asked once, and then left alone for a while', async () => {
    store.fail('get', 'hang');
    const startMs = clock.monotonicMs();
    const answers = Array.from({ length: 50 }, () => learned.usualMs(KEY));
    expect(await clock.until(Promise.all(answers))).toEqual(answers.map(() => undefined));
    expect(clock.monotonicMs() - startMs).toBe(250);
    await clock.advance(5_000);
    expect([await learned.usualMs(KEY), store.calls('get'), store.fired()]).toEqual([undefined, 1, 1]);
  });

  test('did not answer is not told: it may know more than one job says', async () => {
    await store.put(KEY, { usualMs: MINUTE_MS, jobs: 100 });
    store.fail('get', 'before');
    await learned.learn(KEY, 1_000);
    expect([store.fired(), store.calls('put')]).toEqual([1, 1]);
    await clock.advance(30_000);
    await learned.learn(KEY, MINUTE_MS);
    expect(await learned.usualMs(KEY)).toBe(MINUTE_MS);
    expect(store.calls('put')).toBe(1);
  });

  test('did not take a put is told again later', async () => {
    store.fail('put', 'before');
    await learned.learn(KEY, MINUTE_MS);
    expect([store.fired(), await another().usualMs(KEY)]).toEqual([1, undefined]);
    await clock.advance(MINUTE_MS);
    await learned.learn(KEY, MINUTE_MS);
    expect(await another().usualMs(KEY)).toBe(MINUTE_MS);
  });

  test('did not take a put is told again with the next job that says the same', async () => {
    await store.put(KEY, { usualMs: 10_000, jobs: 1 });
    store.fail('put', 'before');
    await learned.learn(KEY, 40_000);
    expect([store.fired(), await another().usualMs(KEY)]).toEqual([1, 10_000]);
    await clock.advance(MINUTE_MS);
    await learned.learn(KEY, 20_000);
    expect([store.calls('get'), await another().usualMs(KEY)]).toEqual([2, 20_000]);
  });

  test.each(['before', 'hang', 'late', 'after'] as const)(
    'fails (%s) delays no submit by more than 250 ms, no ended job by more than 2 s, and fails none',
    async (fault) => {
      const world: CoreWorld = coreWorld();
      const down = faulty(store, { clock: world.clock });
      down.fail('get', fault, { times: 100 });
      down.fail('put', fault, { times: 100 });
      const guesses = estimates({ estimateStore: down, clock: world.clock, log: world.log });
      const models = modelCatalog({ ...NO_PROVIDERS, clock: world.clock });
      const service = jobService({ ...world, estimates: guesses, models, wakeShards: 1 });
      const worker = jobWorker({ ...world, estimates: guesses });
      for (let n = 0; n < 5; n++) {
        const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hi.' } };
        const submitting = service.submit(ADA, submission);
        await world.clock.advance(250);
        // Whatever it still waits for takes no time of this clock: that stands.
        const { job } = await submitting;
        if (n === 0) expect(job.usualMs).toBeUndefined();
        const startMs = world.clock.monotonicMs();
        expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'completed' });
        expect(world.clock.monotonicMs() - startMs).toBeLessThanOrEqual(2_000);
        await world.clock.advance(40_000);
      }
      expect(down.fired()).toBeGreaterThan(1);
      service.close();
      world.close();
    },
  );
});
