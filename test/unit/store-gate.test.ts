/** A store behind a gate: as it is while that is open, without an answer while it is not. */
import { beforeEach, expect, test } from 'vitest';
import { type StoreGate, storeGate } from '../../infra/store-gate.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { type Stores, sqliteStores } from '../support/stores.ts';
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts';

const JOB = sampleJob();
const KEY = { tenant: JOB.tenant, id: JOB.id };

let clock: VirtualClock;
let gate: StoreGate;
let own: Stores;
let stores: Stores;
beforeEach(async () => {
  clock = virtualClock();
  gate = storeGate(clock);
  own = sqliteStores(clock);
  const { close, ...others } = own;
  stores = { ...gate.before(others), close };
  await stores.store.create(JOB, {});
});

test('open, it is as if it were not there', async () => {
  expect(await stores.store.get(KEY)).toEqual(await own.store.get(KEY));
  expect(await stores.store.create(JOB, {})).toEqual({ refused: 'exists' });
});

test('frozen for a moment, a call waits, and is made when the store answers again', async () => {
  gate.setFrozen(true);
  let isPut = false;
  const putting = stores.chunks.put(KEY, { attempt: 1, n: 1, text: 'late' }, 4e12).then(() => {
    isPut = true;
  });
  await clock.advance(4_900);
  expect([isPut, await own.chunks.list(KEY, 1, 0)]).toEqual([false, []]);
  gate.setFrozen(false);
  await putting;
  expect(await own.chunks.list(KEY, 1, 0)).toHaveLength(1);
  // What it would have waited for is nobody's business any more.
  await clock.advance(10_000);
});

test('frozen for longer, a call gives up after five seconds, and is never made', async () => {
  gate.setFrozen(true);
  const putting = stores.chunks.put(KEY, { attempt: 1, n: 1, text: 'never' }, 4e12);
  await expect(clock.until(putting)).rejects.toMatchObject({ code: 'store_unavailable' });
  gate.setFrozen(false);
  await clock.advance(10_000);
  expect(await own.chunks.list(KEY, 1, 0)).toEqual([]);
});

test('frozen, nothing is heard of changes; all of it is afterwards, in its order', async () => {
  const heard: number[] = [];
  const stop = stores.chunks.watch(KEY, 1, 0, (chunks) => heard.push(...chunks.map(({ n }) => n)));
  await own.chunks.put(KEY, { attempt: 1, n: 1, text: 'a' }, 4e12);
  await clock.advance(1_000);
  expect(heard).toEqual([1]);
  gate.setFrozen(true);
  for (const n of [2, 3]) {
    await own.chunks.put(KEY, { attempt: 1, n, text: 'b' }, 4e12);
    await clock.advance(1_000);
  }
  expect(heard).toEqual([1]);
  gate.setFrozen(false);
  expect(heard).toEqual([1, 2, 3]);
  // Once: what was told is not told again after the next time.
  gate.setFrozen(true);
  gate.setFrozen(false);
  expect(heard).toEqual([1, 2, 3]);
  stop();
});

test('frozen while it is frozen, a call that waits since the first time is made when the store answers again', async () => {
  gate.setFrozen(true);
  const putting = stores.chunks.put(KEY, { attempt: 1, n: 1, text: 'late' }, 4e12);
  await clock.advance(2_000);
  gate.setFrozen(true);
  gate.setFrozen(false);
  await putting;
  expect(await own.chunks.list(KEY, 1, 0)).toHaveLength(1);
});

test('who stops listening while it is frozen hears nothing more, not even afterwards', async () => {
  const heard: number[] = [];
  const stop = stores.chunks.watch(KEY, 1, 0, (chunks) => heard.push(...chunks.map(({ n }) => n)));
  gate.setFrozen(true);
  await own.chunks.put(KEY, { attempt: 1, n: 1, text: 'a' }, 4e12);
  await clock.advance(1_000);
  stop();
  gate.setFrozen(false);
  expect(heard).toEqual([]);
});
