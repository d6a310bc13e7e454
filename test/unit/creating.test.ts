/** Inputs that are too large for their job's document: how long they are kept, and what is written of them for nothing. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createOnce } from '../../shared/core/creating.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';

const DAY_MS = 86_400_000;
const LARGE = { prompt: 'x'.repeat(2_000_000) };
const SUBMISSION = { jobType: 'general_llm_request', model: 'simulated', input: LARGE };

let world: CoreWorld;
beforeEach(() => {
  world = coreWorld();
});
afterEach(() => world.close());

test('an input is there for as long as its job may wait, also where the job is kept for a minute', async () => {
  const deleteAts: number[] = [];
  const parts: PartStore = {
    ...world.parts,
    put(key, part) {
      deleteAts.push(part.deleteAt);
      return world.parts.put(key, part);
    },
  };
  const job = { ...(await world.submit()), id: crypto.randomUUID(), token: 'another', retentionMs: 60_000 };
  const limits = { startWithinMs: 7 * DAY_MS, timeoutMs: 7 * DAY_MS, attemptTimeoutMs: 1_000, idleTimeoutMs: 1_000 };
  await createOnce({ ...world, parts }, { ...job, limits }, LARGE);
  expect(deleteAts).toHaveLength(3);
  for (const deleteAt of deleteAts) expect(deleteAt).toBeGreaterThanOrEqual(job.createdAt + 8 * DAY_MS + 60_000);
});

test('a repeat writes no parts', async () => {
  const submit = () => world.service.submit(ADA, { ...SUBMISSION, idempotencyKey: 'k' });
  expect(await submit()).toMatchObject({ replayed: false });
  expect(await submit()).toMatchObject({ replayed: true });
  expect(world.parts.calls('put')).toBe(3);
});

test('of a submission whose other job has changed meanwhile no part stays', async () => {
  const other = await world.submit();
  const job = { ...other, id: crypto.randomUUID(), token: 'another' };
  const change = { key: other, revision: 'outdated', changes: { version: 2 } };
  expect(await createOnce(world, job, LARGE, change)).toBe('changed');
  expect(world.parts.calls('put')).toBe(3);
  expect(await world.parts.unchecked(9e15, 10)).toEqual([]);
});
