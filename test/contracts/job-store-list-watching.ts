/** What every `JobStore` must do for those who follow a list. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job, JobChanges } from '../../shared/core/job.ts';
import type { JobStore, NewestQuery, StoredJob } from '../../shared/core/ports.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const SOON = { timeout: 30_000 };
/** Long enough for a listener to bring what it should not. */
const SILENCE_MS = 300;

export function jobListWatchingContract(name: string, open: OpenStore): void {
  describe(`lists of a JobStore on ${name}, followed`, () => {
    let store: JobStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const newTenant = () => `tenant-${crypto.randomUUID()}`;

    async function add(tenant: string, createdAt: number, over: Partial<Job> = {}): Promise<Job> {
      const job = sampleJob({ tenant, createdAt, ...over });
      await store.create(job, { prompt: 'Hello.' });
      return job;
    }

    async function change(job: Job, changes: JobChanges): Promise<void> {
      const found = await store.get(job);
      const answer = await store.update(job, found?.revision ?? '', { version: job.version + 1, ...changes });
      expect(answer).toHaveProperty('written');
    }

    function followed(query: Omit<NewestQuery, 'limit'>, limit = 10) {
      const heard: StoredJob[][] = [];
      const stop = store.watchList({ ...query, limit }, (found) => heard.push(found));
      const ids = () => heard.at(-1)?.map(({ job }) => job.id);
      return { heard, stop, ids };
    }

    const idsOf = (...jobs: Job[]) => jobs.map(({ id }) => id);
    const silence = () => new Promise((resolve) => setTimeout(resolve, SILENCE_MS));

    test('who follows hears soon of the newest as they are: the same as who lists them', async () => {
      const tenant = newTenant();
      const jobs: Job[] = [];
      for (const createdAt of [1_000, 1_001, 1_001, 1_002]) {
        jobs.push(await add(tenant, createdAt, { result: { answer: 'Hi.' }, tags: ['a'], metadata: { b: 'c' } }));
      }
      const { heard, stop } = followed({ tenant }, 3);
      await expect.poll(() => heard.length, SOON).toBeGreaterThan(0);
      stop();
      const listed = await store.list({ tenant, limit: 3, offset: 0 });
      const comparable = ({ job, revision, storedAtMs }: StoredJob) => ({ job, revision, storedAtMs });
      expect(heard[0]?.map(comparable)).toEqual(listed.map(comparable));
      for (const { readAtMs } of heard[0] ?? []) {
        expect(Math.abs(readAtMs - (listed[0]?.readAtMs ?? 0))).toBeLessThan(30_000);
      }
      expect(listed).toHaveLength(3);
    });

    test('of an empty list that it is, then of each job that comes, changes, or no longer belongs to it', async () => {
      const tenant = newTenant();
      const { heard, stop, ids } = followed({ tenant, state: 'pending', tag: 'red' });
      await expect.poll(() => heard.length, SOON).toBe(1);
      expect(heard).toEqual([[]]);
      const first = await add(tenant, 1_000, { tags: ['blue', 'red'] });
      await expect.poll(ids, SOON).toEqual(idsOf(first));
      await add(tenant, 1_001, { tags: ['blue'] });
      const second = await add(tenant, 1_002, { tags: ['red'] });
      await expect.poll(ids, SOON).toEqual(idsOf(second, first));
      await change(first, { stage: 'calling_llm' });
      await expect.poll(() => heard.at(-1)?.at(-1)?.job, SOON).toMatchObject({ version: 2, stage: 'calling_llm' });
      await change(second, { state: 'processing' });
      await expect.poll(ids, SOON).toEqual(idsOf(first));
      // One that was deleted stays until its document goes: readers do not find it.
      await change({ ...first, version: 2 }, { deletedAt: 5 });
      await expect.poll(() => heard.at(-1)?.[0]?.job.deletedAt, SOON).toBe(5);
      stop();
    });

    test('newer jobs push the oldest out; it comes back when one of them goes', async () => {
      const tenant = newTenant();
      const [one, two, three] = [await add(tenant, 1), await add(tenant, 2), await add(tenant, 3)];
      const { stop, ids } = followed({ tenant, state: 'pending' }, 3);
      await expect.poll(ids, SOON).toEqual(idsOf(three, two, one));
      const four = await add(tenant, 4);
      await expect.poll(ids, SOON).toEqual(idsOf(four, three, two));
      await change(three, { state: 'processing' });
      await expect.poll(ids, SOON).toEqual(idsOf(four, two, one));
      stop();
    });

    test('by any filter, as a list: those of one user, or of the whole tenant, and never of another', async () => {
      const tenant = newTenant();
      const model = { id: crypto.randomUUID(), name: 'Simulated', provider: 'simulated', model: 'simulated' };
      const all = { questionId: 'q', projectId: 'p', batchId: 'b', arm: 'tone/short', tags: ['t'] };
      const whole = { jobType: 'review_colab', model, ...all };
      const filters = { jobType: 'review_colab', modelId: model.id, questionId: 'q', projectId: 'p', batchId: 'b' };
      const query = { ...filters, arm: 'tone/short', tag: 't', state: 'pending' } as const;
      const ofAll = followed({ tenant });
      const mine = followed({ tenant, user: 'ada' });
      const few = followed({ tenant, user: 'ada', ...query });
      const strangers = followed({ tenant: newTenant() });
      const [ada, bob] = [await add(tenant, 1, whole), await add(tenant, 2, { ...whole, user: 'bob' })];
      const other = await add(tenant, 3, { ...whole, arm: 'tone/long' });
      await expect.poll(ofAll.ids, SOON).toEqual(idsOf(other, bob, ada));
      await expect.poll(mine.ids, SOON).toEqual(idsOf(other, ada));
      await expect.poll(few.ids, SOON).toEqual(idsOf(ada));
      await silence();
      expect(few.ids()).toEqual(idsOf(ada));
      expect(strangers.ids()).toEqual([]);
      for (const { stop } of [ofAll, mine, few, strangers]) stop();
    });

    test('who stops hears nothing more, also who stops at once; the others go on', async () => {
      const tenant = newTenant();
      let calls = 0;
      store.watchList({ tenant, limit: 5 }, () => calls++)();
      const [leaves, stays] = [followed({ tenant }), followed({ tenant })];
      await expect.poll(leaves.ids, SOON).toEqual([]);
      await expect.poll(stays.ids, SOON).toEqual([]);
      leaves.stop();
      const job = await add(tenant, 1);
      await expect.poll(stays.ids, SOON).toEqual(idsOf(job));
      await silence();
      stays.stop();
      expect([calls, leaves.ids()]).toEqual([0, []]);
    });
  });
}
