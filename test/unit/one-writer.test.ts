/** One writer per job: never two writes in flight, and writes that land later than they were given up on do no harm. */
import { afterEach, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { answer, type CoreWorld, coreWorld, LEASE_MS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

/** A provider that answers after this long, by the virtual clock. */
function worldThatAnswersAfter(ms: number): void {
  world = coreWorld(async function* () {
    await new Promise<void>((resolve) => void world.clock.setTimer(resolve, ms));
    yield* answer();
  });
}

/** The n-th update is answered "unavailable" and applied only when `land` is called. */
function lateUpdate(n: number): { store: JobStore; land: () => ReturnType<JobStore['update']>; fired: () => boolean } {
  let calls = 0;
  let held: Parameters<JobStore['update']> | undefined;
  return {
    store: {
      ...world.store,
      async update(...values) {
        if (++calls !== n) return world.store.update(...values);
        held = values;
        throw new ServiceError('store_unavailable', 'given up by the test');
      },
    },
    land() {
      if (!held) throw new Error('nothing was given up');
      return world.store.update(...held);
    },
    fired: () => held !== undefined,
  };
}

test('a finish waits for a heartbeat that is under way', async () => {
  worldThatAnswersAfter(LEASE_MS / 3 + 1_000);
  const job = await world.submit();
  const running = world.run(job);
  await world.clock.advance(0);
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  world.store.before('update', () => gate);
  await world.clock.advance(LEASE_MS / 3 + 10_000);
  // The claim and the heartbeat; the answer has been here for nine seconds.
  expect(world.calls()).toBe(1);
  expect(world.store.calls('update')).toBe(2);
  open();
  expect(await world.clock.until(running)).toEqual({ finished: 'completed' });
  expect(world.store.calls('update')).toBe(3);
  expect((await world.read(job)).result).toEqual({ success: true, result: 'Hi!' });
});

test('a heartbeat that hangs beyond the lease aborts the call, and nothing is written after another one took over', async () => {
  const aborted: boolean[] = [];
  world = coreWorld(async function* (_, signal, call) {
    if (call > 1) return yield* answer();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    aborted.push(true);
    yield* answer();
  });
  const job = await world.submit();
  const stalled = world.run(job);
  await world.clock.advance(0);
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  world.store.before('update', () => gate);
  await world.clock.advance(LEASE_MS - 1);
  expect(aborted).toEqual([true]);
  await world.clock.advance(1);
  expect(await world.run(job)).toEqual({ finished: 'completed' });
  const ended = await world.read(job);
  open();
  expect(await world.clock.until(stalled)).toEqual({ lost: true });
  expect(await world.read(job)).toEqual(ended);
  expect(ended.attempts).toMatchObject([
    { n: 1, outcome: 'lost' },
    { n: 2, outcome: 'completed' },
  ]);
});

test('a heartbeat that lands after it was given up on does not cost the finish', async () => {
  worldThatAnswersAfter(LEASE_MS / 3 + 1_000);
  const job = await world.submit();
  const late = lateUpdate(2);
  const running = world.anotherWorker({ store: late.store }).run(job);
  await world.clock.advance(LEASE_MS / 3);
  expect(late.fired()).toBe(true);
  world.store.before('update', late.land);
  expect(await world.clock.until(running)).toEqual({ finished: 'completed' });
  expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1, result: { result: 'Hi!' } });
  expect(world.calls()).toBe(1);
});

test('a heartbeat that lands after the finish is refused', async () => {
  worldThatAnswersAfter(LEASE_MS / 3 + 100);
  const job = await world.submit();
  const late = lateUpdate(2);
  const running = world.anotherWorker({ store: late.store }).run(job);
  expect(await world.clock.until(running)).toEqual({ finished: 'completed' });
  expect(late.fired()).toBe(true);
  const ended = await world.read(job);
  expect(await late.land()).toEqual({ refused: 'changed' });
  expect(await world.read(job)).toEqual(ended);
});

test('a claim that lands after it was given up on is the claim: one attempt, one call', async () => {
  world = coreWorld();
  const job = await world.submit();
  const late = lateUpdate(1);
  // Between the second look and the second try.
  world.store.before('update', late.land);
  expect(await world.clock.until(world.anotherWorker({ store: late.store }).run(job))).toEqual({
    finished: 'completed',
  });
  expect(late.fired()).toBe(true);
  expect(world.calls()).toBe(1);
  expect(await world.read(job)).toMatchObject({ attempt: 1, attempts: [{ n: 1, calls: 1, outcome: 'completed' }] });
});

test('a finish that meets a changed document again and again is written in the end', async () => {
  worldThatAnswersAfter(1_000);
  const job = await world.submit();
  const running = world.run(job);
  await world.clock.advance(0);
  let changes = 0;
  // More often than one write is decided again, so that the finish has to be tried again as a whole.
  const change = async () => {
    const found = await world.store.get(job);
    await world.store.update(job, found?.revision ?? '', { rings: ++changes });
    if (changes < 20) world.store.before('update', change);
  };
  world.store.before('update', change);
  expect(await world.clock.until(running)).toEqual({ finished: 'completed' });
  expect(changes).toBe(20);
  expect(world.calls()).toBe(1);
  expect(await world.read(job)).toMatchObject({ state: 'completed', rings: 20, result: { result: 'Hi!' } });
});
