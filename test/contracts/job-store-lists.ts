/** What every `JobStore` must do with many jobs: lists by every filter, places in them, many at once, counts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOB_STATES, type Job, type Json } from '../../shared/core/job.ts';
import type { JobPosition, JobQuery, JobStore } from '../../shared/core/ports.ts';
import { type Chance, chance } from '../simulation/random.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const id = () => crypto.randomUUID();
const MODELS = [id(), id()];
const FILTERS = {
  user: ['ada', 'bob'],
  state: JOB_STATES,
  jobType: ['general_llm_request', 'review_colab'],
  modelId: MODELS,
  questionId: ['q-1', 'q-2'],
  projectId: ['7', 'p/ü'],
  batchId: ['b-1', 'b-2'],
  arm: ['tone/long', 'tone/short'],
  tag: ['red', 'green', 'Red'],
  createdAfter: [1_000, 1_003],
  createdBefore: [1_004, 1_007],
} as const satisfies { [filter in keyof JobQuery]?: readonly unknown[] };
type Filters = { [filter in keyof typeof FILTERS]?: (typeof FILTERS)[filter][number] };
const NAMES = Object.keys(FILTERS) as (keyof Filters)[];

/** What a query finds, said once more. */
function isFound(job: Job, filters: Filters): boolean {
  const { user, state, jobType, modelId, questionId, projectId, batchId, arm, tag } = filters;
  const { createdAfter, createdBefore } = filters;
  return (
    (user === undefined || job.user === user) &&
    (state === undefined || job.state === state) &&
    (jobType === undefined || job.jobType === jobType) &&
    (modelId === undefined || job.model.id === modelId) &&
    (questionId === undefined || job.questionId === questionId) &&
    (projectId === undefined || job.projectId === projectId) &&
    (batchId === undefined || job.batchId === batchId) &&
    (arm === undefined || job.arm === arm) &&
    (tag === undefined || (job.tags ?? []).includes(tag)) &&
    (createdAfter === undefined || job.createdAt > createdAfter) &&
    (createdBefore === undefined || job.createdAt < createdBefore)
  );
}

function newestFirst(left: JobPosition, right: JobPosition): number {
  return right.createdAt - left.createdAt || (left.id < right.id ? 1 : -1);
}

function randomJob(tenant: string, { pick, happens }: Chance): Job {
  const perhaps = <T>(values: readonly T[]) => (happens(1 / 3) ? undefined : pick(values));
  const questionId = perhaps(FILTERS.questionId);
  const projectId = perhaps(FILTERS.projectId);
  const batchId = perhaps(FILTERS.batchId);
  const arm = perhaps(FILTERS.arm);
  const tags = FILTERS.tag.filter(() => happens(1 / 2));
  return sampleJob({
    ...{ tenant, user: pick(FILTERS.user), state: pick(FILTERS.state), jobType: pick(FILTERS.jobType) },
    model: { id: pick(MODELS), name: 'Simulated', provider: 'simulated', model: 'simulated' },
    createdAt: pick([1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008]),
    ...(questionId === undefined ? {} : { questionId }),
    ...(projectId === undefined ? {} : { projectId }),
    ...(batchId === undefined ? {} : { batchId }),
    ...(arm === undefined ? {} : { arm }),
    ...(tags.length === 0 ? {} : { tags }),
  });
}

export function jobListContract(name: string, open: OpenStore): void {
  describe(`lists of a JobStore on ${name}`, () => {
    let store: JobStore;
    let close: () => Promise<void>;
    const tenant = `tenant-${id()}`;
    const jobs: Job[] = [];
    const random = chance(5);

    beforeAll(async () => {
      ({ store, close } = await open());
      for (let n = 0; n < 120; n++) jobs.push(randomJob(tenant, random));
      const strangers = Array.from({ length: 20 }, () => randomJob(`tenant-${id()}`, random));
      await Promise.all([...jobs, ...strangers].map((job) => store.create(job, null)));
      jobs.sort(newestFirst);
    });
    afterAll(() => close());

    const idsOf = async (query: Omit<JobQuery, 'limit' | 'offset'>, limit = 1_000) =>
      (await store.list({ limit, offset: 0, ...query })).map(({ job }) => job.id);

    async function expectFound(filters: Filters): Promise<number> {
      const wanted = jobs.filter((job) => isFound(job, filters)).map((job) => job.id);
      expect([filters, await idsOf({ tenant, ...filters })]).toEqual([filters, wanted]);
      return wanted.length;
    }

    test.each(NAMES)('by %s: exactly the jobs that have it, newest first', async (filter) => {
      for (const value of FILTERS[filter]) {
        const found = await expectFound({ [filter]: value });
        expect(found).toBeGreaterThan(0);
        expect(found).toBeLessThan(jobs.length);
      }
    });

    test('by any two filters, and by many at once', async () => {
      const pairs = NAMES.flatMap((one, index) => NAMES.slice(index + 1).map((other) => [one, other]));
      const several = Array.from({ length: 40 }, () => NAMES.filter(() => random.happens(1 / 3)));
      let found = 0;
      for (const names of [...pairs, ...several]) {
        found += await expectFound(
          Object.fromEntries(names.map((filter) => [filter, random.pick<unknown>(FILTERS[filter])])),
        );
      }
      expect(found).toBeGreaterThan(200);
    });

    test('what comes after a place begins behind it, also among jobs of one millisecond', async () => {
      for (const index of [0, 1, 30, 31, 32, 33, 118]) {
        const after = jobs[index] as Job;
        expect(await idsOf({ tenant, after })).toEqual(jobs.slice(index + 1).map((job) => job.id));
        expect(await idsOf({ tenant, after }, 3)).toEqual(jobs.slice(index + 1, index + 4).map((job) => job.id));
      }
      expect(jobs[31]?.createdAt).toBe(jobs[32]?.createdAt);
      expect(await idsOf({ tenant, after: jobs.at(-1) })).toEqual([]);
      const filters = { user: 'ada', tag: 'red' } as const;
      const mine = jobs.filter((job) => isFound(job, filters));
      expect(await idsOf({ tenant, ...filters, after: mine[2] })).toEqual(mine.slice(3).map((job) => job.id));
    });

    test('a place need not be that of a job', async () => {
      const at = { createdAt: 1_004, id: '88888888-8888-4888-8888-888888888888' };
      const wanted = jobs.filter((job) => newestFirst(at, job) < 0);
      expect(wanted.length).toBeGreaterThan(5);
      expect(await idsOf({ tenant, after: at })).toEqual(wanted.map((job) => job.id));
    });

    test('pages from place to place have no gap and no repeat while newer jobs are added', async () => {
      const own = `tenant-${id()}`;
      const add = async (createdAt: number) => {
        const job = sampleJob({ tenant: own, createdAt });
        await store.create(job, null);
        return job;
      };
      const before = await Promise.all(Array.from({ length: 23 }, (_, index) => add(1_000 + (index % 4))));
      const paged: string[] = [];
      let added = 0;
      for (let after: JobPosition | undefined; ; added += 1) {
        const page = await store.list({ tenant: own, after, limit: 5, offset: 0 });
        paged.push(...page.map(({ job }) => job.id));
        after = page.at(-1)?.job;
        if (!after || added > 5) break;
        await add(2_000 + added);
      }
      expect(added).toBe(5);
      expect(paged).toEqual(before.sort(newestFirst).map((job) => job.id));
    });

    test('many at once come in the order asked for, what is not there as undefined, what is asked twice twice', async () => {
      const [first, second] = [jobs[3], jobs[1]] as [Job, Job];
      const missing = { tenant, id: id() };
      const foreign = { tenant: 'nobody', id: first.id };
      const found = await store.getMany([first, missing, second, first, foreign]);
      expect(found.map((one) => one?.job)).toEqual([first, undefined, second, first, undefined]);
      const [once] = await store.getMany([second]);
      expect(once?.revision).toBe((await store.get(second))?.revision);
      expect(Math.abs(Date.now() - (once?.readAtMs ?? 0))).toBeLessThan(10_000);
    });

    test('inputs come alone, in the order asked for; what is not there or is gone is undefined', async () => {
      const own = `tenant-${id()}`;
      const add = async (input: Json) => {
        const job = sampleJob({ tenant: own });
        await store.create(job, input);
        return job;
      };
      const deep = { prompt: 'Say 👩‍🔬.', nested: [[['arrays']]], huge: 'x'.repeat(200_000) };
      const [first, second, none, dropped] = [await add(deep), await add('text'), await add(null), await add(deep)];
      const revision = (await store.get(dropped))?.revision ?? '';
      const answer = await store.update(dropped, revision, { version: 2 }, { dropInput: true });
      expect(answer).toHaveProperty('written');
      const missing = { tenant: own, id: id() };
      const foreign = { tenant: 'nobody', id: first.id };
      const found = await store.inputs([second, missing, first, none, dropped, foreign, second]);
      expect(found).toEqual(['text', undefined, deep, undefined, undefined, undefined, 'text']);
      // One that changed since has the input that it was created with.
      await store.update(first, (await store.get(first))?.revision ?? '', { version: 2 });
      expect(await store.inputs([first])).toEqual([deep]);
    });

    test("the jobs of a batch are counted by state: one user's or all, without those that expired", async () => {
      const own = `tenant-${id()}`;
      const batchId = id();
      const nowMs = 1_700_000_000_000;
      const add = (over: Partial<Job>) => store.create(sampleJob({ tenant: own, batchId, ...over }), null);
      const kept = { expiresAt: nowMs + 1 };
      await Promise.all([
        ...[add({}), add({}), add({}), add({ user: 'bob' })],
        ...[add({ state: 'processing' }), add({ state: 'processing' })],
        ...[add({ state: 'completed', ...kept }), add({ state: 'completed', expiresAt: nowMs })],
        ...[add({ state: 'failed', ...kept }), add({ state: 'failed', expiresAt: nowMs - 1 })],
        ...[add({ state: 'cancelled', ...kept }), add({ state: 'cancelled', ...kept, user: 'bob' })],
        ...[add({ batchId: id() }), add({ tenant: `tenant-${id()}` })],
      ]);
      const mine = { pending: 3, processing: 2, completed: 1, failed: 1, cancelled: 1 };
      expect(await store.countByState({ tenant: own, user: 'ada', batchId }, nowMs)).toEqual(mine);
      const all = { ...mine, pending: 4, cancelled: 2 };
      expect(await store.countByState({ tenant: own, batchId }, nowMs)).toEqual(all);
      expect(await store.countByState({ tenant: own, batchId }, nowMs - 1)).toEqual({ ...all, completed: 2 });
      const none = { pending: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 };
      expect(await store.countByState({ tenant: own, batchId: id() }, nowMs)).toEqual(none);
    });
  });
}
