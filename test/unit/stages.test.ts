/** Stages: each is a write of its own, in order, and none of them is worth a job. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { type JobStore, sleep } from '../../shared/core/ports.ts';
import { ADA, answer, type CoreWorld, coreWorld, type Generate, LEASE_MS } from '../support/core-world.ts';

const ALL = ['initializing', 'checking_tokens', 'generating', 'waiting_for_ai', 'finalizing'];
/** The longest that a store may take for an answer. */
const SILENCE_MS = 5_000;

let world: CoreWorld;
afterEach(() => world.close());

const TASK = { jobType: 'prompt_generation', input: { manual_prompt: 'Hello.' } };
/** Clocks that do not matter. */
const LONG = { timeoutMs: 10 * LEASE_MS, attemptTimeoutMs: 9 * LEASE_MS, idleTimeoutMs: 8 * LEASE_MS };
const submit = (limits = {}) => world.submit('', { ...TASK, limits });

/** A worker each of whose writes is noted, with the stage that the document has then. */
function noted(stages: (string | undefined)[], update: JobStore['update'] = world.store.update) {
  const store: JobStore = {
    ...world.store,
    async update(key, ...change) {
      const written = await update(key, ...change);
      stages.push((await world.store.get(key))?.job.stage);
      return written;
    },
  };
  return world.anotherWorker({ store });
}

/** Answers after this long, by the virtual clock; notes when its call is aborted. */
function answersAfter(ms: number, aborted: boolean[] = []): Generate {
  return async function* (_, signal) {
    signal.addEventListener('abort', () => aborted.push(true));
    await sleep(world.clock, ms);
    yield* answer();
  };
}

describe('the stages of a job', () => {
  test.each([
    ['at once', 0],
    ['after a while', 1_000],
  ])('are written one after another when its answer comes %s, and then its end', async (_, ms) => {
    world = coreWorld(answersAfter(ms));
    const job = await submit();
    const stages: (string | undefined)[] = [];
    await world.clock.until(noted(stages).run(job));
    expect(stages).toEqual([...ALL, undefined]);
    // One version for each that a reader can see.
    expect(await world.read(job)).toMatchObject({ state: 'completed', version: 1 + ALL.length + 1 });
  });

  test('begin with the last one when it is tried again', async () => {
    world = coreWorld(async function* (_, signal) {
      yield { type: 'accepted' } as LlmPart;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    const job = await submit();
    const stages: (string | undefined)[] = [];
    const first = noted(stages);
    const running = first.run(job);
    await world.clock.advance(1);
    await world.clock.until(first.drain(0));
    expect(await running).toEqual({ handedBack: 'drained' });
    const second = noted(stages);
    void second.run(job);
    await world.clock.advance(1);
    expect(stages).toEqual([...ALL.slice(0, 4), 'waiting', 'generating', 'waiting_for_ai']);
    await world.clock.until(second.drain(0));
  });

  test('are no writes of a type that has none', async () => {
    world = coreWorld();
    await world.run(await world.submit());
    expect(world.store.calls('update')).toBe(2);
  });
});

describe('a stage that cannot be written', () => {
  test.each(['before', 'after', 'refused'] as const)('(%s), five times, costs no time and no call', async (fault) => {
    world = coreWorld();
    const job = await submit();
    const startMs = world.clock.nowMs();
    world.store.fail('update', fault, { skip: 1, times: 4 });
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired(fault)).toBe(4);
    expect(world.clock.nowMs() - startMs).toBe(0);
    expect(world.calls()).toBe(1);
    expect(await world.read(job)).toMatchObject({ state: 'completed', result: { result: 'Hi!' }, attempt: 1 });
  });

  test('because the store is silent keeps the end waiting once, not for each that comes after it', async () => {
    world = coreWorld();
    const job = await submit();
    const startMs = world.clock.nowMs();
    let silences = 0;
    const update: JobStore['update'] = async (key, revision, changes, options) => {
      if (!ALL.slice(1).includes(changes.stage ?? '')) return world.store.update(key, revision, changes, options);
      silences += 1;
      await sleep(world.clock, SILENCE_MS);
      throw new ServiceError('store_unavailable', 'silenced by the test');
    };
    await world.clock.until(noted([], update).run(job));
    expect(silences).toBe(1);
    expect(world.clock.nowMs() - startMs).toBe(SILENCE_MS);
    expect(await world.read(job)).toMatchObject({ state: 'completed', result: { result: 'Hi!' } });
  });

  test('in time, and lands later, changes nothing of what was written meanwhile', async () => {
    world = coreWorld();
    const job = await submit();
    world.store.fail('update', 'late', { skip: 1 });
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired('late')).toBe(1);
    const ended = await world.read(job);
    await world.clock.advance(LEASE_MS);
    expect(await world.read(job)).toEqual(ended);
    expect(ended).toMatchObject({ state: 'completed', result: { result: 'Hi!' } });
    expect(ended.stage).toBeUndefined();
  });

  test('lets its lease be renewed by others', async () => {
    world = coreWorld(answersAfter(3 * LEASE_MS));
    const job = await submit(LONG);
    world.store.fail('update', 'hang', { skip: 1, times: 2 });
    const running = world.run(job);
    await world.clock.advance(LEASE_MS);
    expect(world.store.fired()).toBe(2);
    expect(await world.run(job)).toEqual({ refused: 'leased' });
    await world.clock.until(running);
  });

  test('that is in the way of a slow store is left out when the end waits for it', async () => {
    world = coreWorld();
    const job = await submit();
    const stages: (string | undefined)[] = [];
    const slow: JobStore['update'] = async (...change) => {
      await sleep(world.clock, 800);
      return world.store.update(...change);
    };
    const startMs = world.clock.nowMs();
    await world.clock.until(noted(stages, slow).run(job));
    // The first two are over when the answer has been here for longer than a second.
    expect(stages).toEqual(['initializing', 'checking_tokens', 'generating', undefined]);
    expect(world.clock.nowMs() - startMs).toBe(4 * 800);
  });
});

test('a stage renews the lease as a heartbeat does', async () => {
  const aborted: boolean[] = [];
  world = coreWorld(async function* (_, signal) {
    signal.addEventListener('abort', () => aborted.push(true));
    await sleep(world.clock, LEASE_MS / 4);
    yield { type: 'accepted' } as LlmPart;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  });
  const job = await submit(LONG);
  const running = world.run(job);
  await world.clock.advance(LEASE_MS / 4 + LEASE_MS / 3 - 1);
  expect(world.store.calls('update')).toBe(4);
  await world.clock.advance(1);
  expect(world.store.calls('update')).toBe(5);
  // From that renewal on the store is silent: the work stops a tenth of a lease before its end.
  world.store.fail('update', 'before', { times: 10_000 });
  await world.clock.advance(0.9 * LEASE_MS - 1);
  expect(aborted).toEqual([]);
  await world.clock.advance(1);
  expect(aborted).toEqual([true]);
  expect(await running).toEqual({ lost: true });
});

describe('between two stages', () => {
  /** Runs an action before the n-th write. */
  function beforeWrite(n: number, action: () => Promise<unknown>): void {
    for (let write = 1; write < n; write++) world.store.before('update', async () => {});
    world.store.before('update', action);
  }

  test.each([2, 3, 4, 5, 6])('a cancel before write %d ends the job as cancelled', async (n) => {
    world = coreWorld();
    const job = await submit();
    let told = false;
    beforeWrite(n, async () => {
      await world.service.cancel(ADA, job.id);
      told = true;
    });
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'cancelled' });
    expect(told).toBe(true);
    const ended = await world.read(job);
    expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'cancelled' }] });
    expect(ended.result).toBeUndefined();
    expect(ended.stage).toBeUndefined();
  });

  test.each([2, 3, 5])('a lease that another one took before write %d is written no more', async (n) => {
    world = coreWorld(answersAfter(1_000));
    const job = await submit();
    let heir: Promise<unknown> | undefined;
    beforeWrite(n, async () => {
      const found = await world.store.get(job);
      await world.store.update(job, found?.revision ?? '', { leaseExpiresAt: world.clock.nowMs() });
      heir = world.anotherWorker().run(job);
      await world.clock.advance(0);
    });
    expect(await world.clock.until(world.run(job))).toEqual({ lost: true });
    expect(await world.clock.until(heir ?? Promise.reject(new Error('not taken over')))).toEqual({
      finished: 'completed',
    });
    expect(await world.read(job)).toMatchObject({
      state: 'completed',
      attempts: [
        { n: 1, outcome: 'lost' },
        { n: 2, outcome: 'completed' },
      ],
    });
  });

  test.each([2, 4])('a change by others before write %d is no reason to leave a stage out', async (n) => {
    world = coreWorld();
    const job = await submit();
    beforeWrite(n, async () => {
      const found = await world.store.get(job);
      expect(await world.store.update(job, found?.revision ?? '', { rings: 7 })).toHaveProperty('written');
    });
    const stages: (string | undefined)[] = [];
    await world.clock.until(noted(stages).run(job));
    expect(new Set(stages)).toEqual(new Set([...ALL, undefined]));
    expect((await world.store.get(job))?.job).toMatchObject({ state: 'completed', rings: 7, version: 7 });
  });

  test('who finds that another one took the lease stops its call at once', async () => {
    const aborted: boolean[] = [];
    world = coreWorld(answersAfter(LEASE_MS / 4, aborted));
    const job = await submit(LONG);
    beforeWrite(3, async () => {
      const found = await world.store.get(job);
      await world.store.update(job, found?.revision ?? '', { token: 'of another one' });
    });
    const running = world.run(job);
    await world.clock.advance(1);
    expect(aborted).toEqual([true]);
    expect(await running).toEqual({ lost: true });
  });

  test('a holder that gave its lease up renews it no more', async () => {
    world = coreWorld(answersAfter(3 * LEASE_MS));
    const job = await submit(LONG);
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    beforeWrite(2, () => gate);
    const running = world.run(job);
    await world.clock.advance(0.9 * LEASE_MS);
    expect(await running).toEqual({ lost: true });
    // The write that was under way; the one after it is not begun.
    open();
    await world.clock.advance(1);
    expect(world.store.calls('update')).toBe(2);
    expect(await world.read(job)).toMatchObject({ state: 'processing', stage: 'checking_tokens' });
  });
});
