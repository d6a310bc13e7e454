/** What workers put into the result cache, and that a cache that hangs, throws or fails costs no job anything. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import type { ResultCache } from '../../shared/core/result-cache.ts';
import { jobService } from '../../shared/core/service.ts';
import type { WorkerOptions } from '../../shared/core/worker.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { plant } from '../support/canaries.ts';
import { ADA, answer, type CoreWorld, coreWorld, NO_PROVIDERS, NO_RETRY } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

const HOUR_MS = 3_600_000;
const ADMIN = { ...ADA, user: 'root', scopes: ['admin'] as const };
const RESULT = '{"success":true,"result":"Hi!"}';

async function* broken(): AsyncIterable<LlmPart> {
  yield { type: 'text-delta', text: 'H' };
  throw new Error('broken');
}

/** Runs a job on a worker of its own. */
function runOn(job: Job, over: Partial<WorkerOptions> = {}) {
  return world.clock.until(world.anotherWorker(over).run(job));
}

async function completed(over: Parameters<CoreWorld['submit']>[1] = {}): Promise<Job> {
  const job = await world.submit('Hello.', over);
  expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
  return job;
}

const service = (resultCache: ResultCache) =>
  jobService({ ...world, resultCache, models: modelCatalog({ ...NO_PROVIDERS, clock: world.clock }), wakeShards: 1 });

describe('the result of a job that is completed', () => {
  test('is in the cache for an hour, as JSON', async () => {
    world = coreWorld();
    const job = await completed();
    expect(await world.resultCache.get(job)).toBe(RESULT);
    await world.clock.advance(HOUR_MS - 1);
    expect(await world.resultCache.get(job)).toBe(RESULT);
    await world.clock.advance(2);
    expect(await world.resultCache.get(job)).toBeUndefined();
    expect((await world.read(job)).result).toEqual(JSON.parse(RESULT));
  });

  test('is there no longer than readers see the job', async () => {
    world = coreWorld();
    const job = await completed({ retentionMs: 60_000 });
    await world.clock.advance(59_999);
    expect(await world.resultCache.get(job)).toBe(RESULT);
    await world.clock.advance(2);
    expect(await world.resultCache.get(job)).toBeUndefined();
  });

  test('is there in the words of its job type', async () => {
    world = coreWorld();
    const job = await world.submit();
    const bare = { ...generalLlmRequest, cached: (result: unknown) => `bare:${(result as { result: string }).result}` };
    await runOn(job, { jobTypes: new Map([[bare.name, bare]]) });
    expect(await world.resultCache.get(job)).toBe('bare:Hi!');
  });

  test('is there when it was the one to fall back to', async () => {
    world = coreWorld(broken, NO_RETRY);
    const job = await world.submit();
    const falling = { ...generalLlmRequest, retry: NO_RETRY, fallback: () => 'instead' };
    expect(await runOn(job, { jobTypes: new Map([[falling.name, falling]]) })).toEqual({ finished: 'completed' });
    expect(await world.resultCache.get(job)).toBe('"instead"');
  });

  test('is not there when it was not to be stored', async () => {
    world = coreWorld();
    const job = await completed({ store: false });
    expect(await world.resultCache.get(job)).toBeUndefined();
  });

  test('is gone when the job was deleted, or its user erased', async () => {
    world = coreWorld();
    const [deleted, erased, kept] = [await completed(), await completed(), await completed()];
    await world.service.remove(ADA, deleted.id);
    expect(await world.resultCache.get(deleted)).toBeUndefined();
    expect(await world.resultCache.get(erased)).toBe(RESULT);
    expect(await world.service.eraseUser(ADMIN, ADA.user)).toMatchObject({ deleted: 2 });
    expect([await world.resultCache.get(erased), await world.resultCache.get(kept)]).toEqual([undefined, undefined]);
  });

  test('is not there when the job was deleted before its worker came to put it', async () => {
    world = coreWorld();
    const job = await world.submit();
    let deletes = 0;
    const put: ResultCache['put'] = async (...kept) => {
      expect(await world.service.remove(ADA, job.id)).toMatchObject({ job: { state: 'completed' } });
      deletes += 1;
      await world.resultCache.put(...kept);
    };
    await runOn(job, { resultCache: { ...world.resultCache, put } });
    expect(deletes).toBe(1);
    expect(await world.resultCache.get(job)).toBeUndefined();
  });

  test('is gone when a delete is repeated that could not take it back', async () => {
    world = coreWorld();
    const job = await completed();
    const deaf = service({ ...world.resultCache, remove: async () => {} });
    await deaf.remove(ADA, job.id);
    expect(await world.resultCache.get(job)).toBe(RESULT);
    await expect(world.service.remove(ADA, job.id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await world.resultCache.get(job)).toBeUndefined();
  });
});

test('of a job that failed, or was cancelled, there is nothing', async () => {
  const calls: string[] = [];
  world = coreWorld(broken, NO_RETRY);
  const resultCache = { ...world.resultCache, put: async ({ id }: { id: string }) => void calls.push(id) };
  const [failed, cancelled] = [await world.submit(), await world.submit()];
  expect(await runOn(failed, { resultCache })).toEqual({ finished: 'failed' });
  await world.service.cancel(ADA, cancelled.id);
  expect(await runOn(cancelled, { resultCache })).toEqual({ refused: 'done' });
  expect(calls).toEqual([]);
});

test('it is put when the end of the job is stored, not before', async () => {
  world = coreWorld();
  const job = await world.submit();
  const states: string[] = [];
  const put = async () => void states.push((await world.read(job)).state);
  await runOn(job, { resultCache: { ...world.resultCache, put } });
  expect(states).toEqual(['completed']);
});

describe('a cache that breaks its word', () => {
  const word = plant('result');
  const breaches: [string, () => Promise<never>][] = [
    ['hangs for ever', () => new Promise<never>(() => {})],
    ['throws', () => Promise.reject(new Error(`about ${word}`))],
    [
      'throws at once',
      () => {
        throw new Error(`about ${word}`);
      },
    ],
  ];

  test.each(breaches)(
    'and %s: the job is completed at once, its worker is free soon, a delete is done',
    async (_, act) => {
      world = coreWorld();
      let calls = 0;
      const counted = () => {
        calls += 1;
        return act();
      };
      const resultCache = { put: counted, get: counted, remove: counted };
      const job = await world.submit();
      const running = world.anotherWorker({ resultCache }).run(job);
      // As long as no time passes.
      await world.clock.advance(0);
      expect(await world.read(job)).toMatchObject({ state: 'completed', completedAt: world.clock.nowMs() });
      const startedMs = world.clock.monotonicMs();
      expect(await world.clock.until(running)).toEqual({ finished: 'completed' });
      await world.clock.until(service(resultCache).remove(ADA, job.id));
      expect(world.clock.monotonicMs() - startedMs).toBeLessThanOrEqual(2_000);
      expect(calls).toBe(2);
      expect((await world.store.get(job))?.job.deletedAt).toBeDefined();
      expect(world.lines.join()).not.toContain(word);
    },
  );

  test('or a job type that cannot say its result: the job is completed', async () => {
    world = coreWorld(answer);
    const job = await world.submit();
    const mute = {
      ...generalLlmRequest,
      cached: () => {
        throw new Error(`about ${word}`);
      },
    };
    expect(await runOn(job, { jobTypes: new Map([[mute.name, mute]]) })).toEqual({ finished: 'completed' });
    expect(await world.resultCache.get(job)).toBeUndefined();
    expect(world.lines.join()).toContain('result-cache-failed');
    expect(world.lines.join()).not.toContain(word);
  });
});
