/** What every `JobStore` must do for those who wait for a job, for deletes, and with the fields that came later. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { StoredJob } from '../../shared/core/ports.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const SOON = { timeout: 30_000 };
/** Long enough for a listener to bring what it should not. */
const SILENCE_MS = 300;
const INPUT = { prompt: 'hello' };

/** A job with every field there is, and names that are hard to keep. */
function wholeJob(): Job {
  const attempt = { n: 1, startedAt: 1_700_000_000_001, provider: 'p', model: 'm', calls: 2 };
  const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3, cachedInputTokens: 0 };
  return sampleJob({
    ...{ state: 'failed', version: 7, startedAt: 1_700_000_000_999, completedAt: 1_700_000_001_001, stage: 's' },
    ...{
      questionId: 'q',
      projectId: 'p',
      requestId: 'r',
      batchId: 'b',
      stream: true,
      usualMs: 1_234,
      retentionMs: 60_000,
    },
    ...{ redriveOf: 'old', redrivenAs: 'new' },
    ...{ nextAttemptAt: 1_700_000_000_777, cancelRequestedAt: 1_700_000_000_778, cancelFor: 'nobody', holder: 'h' },
    ...{ expiresAt: 1_700_000_061_001, deleteAt: 1_702_592_061_001, deletedAt: 1_700_000_001_002 },
    ...{ store: false as const, payloadsExpireAt: 1_700_000_061_000, payloadsRemovedAt: 1_700_000_061_003 },
    ...{ failures: 1, refusals: 2, losses: 3, attempt: 2, leaseExpiresAt: null, wakeAt: null, sequence: 4, rings: 1 },
    limits: { startWithinMs: 1_500, timeoutMs: 2_000, attemptTimeoutMs: 3_000, idleTimeoutMs: 4_000 },
    tags: ['one', '👨‍👩‍👧‍👦', '__proto__', 'a.b', 'NUL \u0000'],
    metadata: {
      a: 'b',
      __x__: '1',
      'a.b': '2',
      '`': '3',
      '👩‍🔬': '4',
      createdAt: '5',
      toMillis: '6',
      constructor: '7',
    },
    result: { createdAt: 5, deep: [[1, [2, null]]] },
    error: { code: 'network', message: 'cut' },
    attempts: [
      { ...attempt, endedAt: 1_700_000_000_500, outcome: 'lost', errorCode: 'lease_lost', chunks: 3 },
      { ...attempt, n: 2, endedAt: 1_700_000_001_001, outcome: 'failed', finishReason: 'stop', usage },
    ],
  });
}

export function jobStoreWatchingContract(name: string, open: OpenStore): void {
  describe(`JobStore on ${name}, watched and erased`, () => {
    let store: Awaited<ReturnType<OpenStore>>['store'];
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    async function stored(key: JobKey): Promise<StoredJob> {
      const found = await store.get(key);
      if (!found) throw new Error('the job is not stored');
      return found;
    }

    function watched(key: JobKey) {
      const heard: (StoredJob | undefined)[] = [];
      const stop = store.watch(key, (found) => heard.push(found));
      return { heard, stop, versions: () => heard.map((found) => found?.job.version) };
    }

    test('every field is the same for those who get, list, get many, find what is due, and watch', async () => {
      const job = wholeJob();
      await store.create({ ...job, version: 1 }, INPUT);
      // As a write leaves it: an update has a time of its own.
      await store.update(job, (await stored(job)).revision, { version: 7, wakeAt: null });
      const got = await stored(job);
      expect(got.job).toEqual(job);
      const [listed] = await store.list({ tenant: job.tenant, limit: 1, offset: 0 });
      const [many] = await store.getMany([job]);
      const { heard, stop } = watched(job);
      await expect.poll(() => heard.length, SOON).toBeGreaterThan(0);
      stop();
      for (const found of [listed, many, heard[0]]) {
        expect(found?.job).toEqual(job);
        expect(Object.keys(found?.job ?? {}).sort()).toEqual(Object.keys(job).sort());
        expect(found).toMatchObject({ revision: got.revision, storedAtMs: got.storedAtMs });
        expect(Math.abs((found?.readAtMs ?? 0) - got.readAtMs)).toBeLessThan(30_000);
      }
      expect(await store.update(job, heard[0]?.revision ?? '', { version: 8 })).toHaveProperty('written');
    });

    test('birth and writes are of one instant, whoever brings them', async () => {
      const jobs = Array.from({ length: 12 }, () => sampleJob());
      for (const job of jobs) {
        await store.create(job, INPUT);
        const { heard, stop } = watched(job);
        await expect.poll(() => heard.length, SOON).toBeGreaterThan(0);
        stop();
        const { storedAtMs, revision } = await stored(job);
        expect(heard[0]).toMatchObject({ storedAtMs, revision });
        expect(Number.isInteger(heard[0]?.readAtMs)).toBe(true);
      }
    });

    test('who watches hears soon of the job as it is, then of what becomes of it, until it stops', async () => {
      const job = sampleJob();
      await store.create(job, INPUT);
      const first = watched(job);
      await expect.poll(() => first.heard[0]?.job, SOON).toEqual(job);
      const { revision } = await stored(job);
      await store.update(job, revision, { version: 2, stage: 'calling_llm' });
      await expect.poll(() => first.heard.at(-1)?.job, SOON).toEqual({ ...job, version: 2, stage: 'calling_llm' });
      // A second reader is told what there is; the first goes on.
      const second = watched(job);
      await expect.poll(() => second.heard[0]?.job.version, SOON).toBe(2);
      first.stop();
      const before = first.heard.length;
      await store.update(job, (await stored(job)).revision, { version: 3 });
      await expect.poll(() => second.versions().at(-1), SOON).toBe(3);
      second.stop();
      await store.update(job, (await stored(job)).revision, { version: 4 });
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
      expect(first.heard).toHaveLength(before);
      expect(second.versions()).not.toContain(4);
    });

    test('who comes as others leave, when a write is about to be told, hears of it, and of the next one', async () => {
      const job = sampleJob();
      await store.create(job, INPUT);
      const first = watched(job);
      await expect.poll(() => first.heard.length, SOON).toBeGreaterThan(0);
      await store.update(job, (await stored(job)).revision, { version: 2 });
      first.stop();
      const second = watched(job);
      await expect.poll(() => second.versions().at(-1), SOON).toBe(2);
      const { revision } = await stored(job);
      expect(second.heard.at(-1)).toMatchObject({ revision });
      await store.update(job, revision, { version: 3 });
      await expect.poll(() => second.versions().at(-1), SOON).toBe(3);
      second.stop();
    });

    test('of a job that is not there nothing is heard but that, until it comes', async () => {
      const job = sampleJob();
      const { heard, stop, versions } = watched(job);
      await expect.poll(() => heard.length, SOON).toBe(1);
      expect(heard).toEqual([undefined]);
      await store.create(job, INPUT);
      await expect.poll(() => versions().at(-1), SOON).toBe(1);
      stop();
    });

    test('who stops at once hears nothing, and other jobs are not heard of', async () => {
      const [job, other] = [sampleJob(), sampleJob()];
      await store.create(job, INPUT);
      await store.create(other, INPUT);
      let calls = 0;
      store.watch(job, () => calls++)();
      const { heard, stop } = watched(other);
      await expect.poll(() => heard.length, SOON).toBeGreaterThan(0);
      await store.update(job, (await stored(job)).revision, { version: 2 });
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
      stop();
      expect(calls).toBe(0);
      expect(heard.every((found) => found?.job.id === other.id)).toBe(true);
    });

    test('an update that drops the input leaves the rest; one that is refused drops nothing', async () => {
      const job = wholeJob();
      await store.create(job, INPUT);
      const { revision } = await stored(job);
      await store.update(job, revision, { version: 8 });
      const refused = await store.update(job, revision, { version: 9, tags: undefined }, { dropInput: true });
      expect(refused).toEqual({ refused: 'changed' });
      expect(await store.getWithInput(job)).toMatchObject({ input: INPUT, job: { version: 8, tags: job.tags } });

      const changes = { version: 9, tags: undefined, metadata: undefined, result: undefined };
      const kept = await store.update(job, (await stored(job)).revision, changes);
      expect(kept).toHaveProperty('written');
      expect(await store.getWithInput(job)).toMatchObject({ input: INPUT });
      const erased = await store.update(job, (await stored(job)).revision, { version: 10 }, { dropInput: true });
      expect(erased).toHaveProperty('written');
      const { tags: _, metadata: __, result: ___, ...rest } = job;
      expect(await store.getWithInput(job)).toMatchObject({ input: null });
      expect((await stored(job)).job).toEqual({ ...rest, version: 10 });
      const gone = { tenant: 'nobody', id: crypto.randomUUID() };
      expect(await store.update(gone, revision, { version: 2 }, { dropInput: true })).toHaveProperty('refused');
    });
  });
}
