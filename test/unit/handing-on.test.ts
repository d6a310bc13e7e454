/** Handing a slot on is nobody else's business: it delays no write for long, and fails none. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { handingOn } from '../../shared/core/handing-on.ts';
import type { Job } from '../../shared/core/job.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';

const BACK = { slotUntil: undefined, version: 2 };

let world: CoreWorld;
let job: Job;
let revision: string;
beforeEach(async () => {
  world = coreWorld();
  job = await world.submit();
  revision = (await world.store.get(job))?.revision ?? '';
});
afterEach(() => world.close());

function storeWith(handOn: (tenant: string) => Promise<string[]>) {
  const asked: string[] = [];
  const limiter = {
    handOn: (tenant: string) => {
      asked.push(tenant);
      return handOn(tenant);
    },
  };
  return { asked, store: handingOn(world.store, { ...world, limiter }) };
}

test('a write that gives a slot back hands it on, another one does not', async () => {
  const { store, asked } = storeWith(async () => []);
  const answer = await store.update(job, revision, { rings: 1, slotUntil: 5 });
  expect(asked).toEqual([]);
  await store.update(job, 'written' in answer ? answer.written.revision : '', BACK);
  expect(asked).toEqual(['default']);
});

test('a write that is refused gave nothing back', async () => {
  const { store, asked } = storeWith(async () => []);
  expect(await store.update(job, 'another', BACK)).toEqual({ refused: 'changed' });
  expect(asked).toEqual([]);
});

test('a write of unknown fate may have given one back, and stays of unknown fate', async () => {
  const { store, asked } = storeWith(async () => []);
  world.store.fail('update', 'after');
  await expect(store.update(job, revision, BACK)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect([asked, world.store.fired()]).toEqual([['default'], 1]);
});

test('that it fails is logged, and the write is written', async () => {
  const { store } = storeWith(() => Promise.reject(new Error('broken')));
  expect(await store.update(job, revision, BACK)).toHaveProperty('written');
  expect(world.lines.filter((line) => line.includes('slot-not-handed-on'))).toHaveLength(1);
});

test('that it takes for ever delays the write by two seconds', async () => {
  const { store } = storeWith(() => new Promise(() => {}));
  const startedMs = world.clock.monotonicMs();
  expect(await world.clock.until(store.update(job, revision, BACK))).toHaveProperty('written');
  expect(world.clock.monotonicMs() - startedMs).toBe(2_000);
});
