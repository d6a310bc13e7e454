/** What every `JobStore` must do with usage: sums of what was spent, of exactly the jobs that were asked for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NOTHING_SPENT, type Spent } from '../../shared/core/costs.ts';
import { JOB_STATES, type Job } from '../../shared/core/job.ts';
import type { JobStore, UsageQuery, UsageSums } from '../../shared/core/ports.ts';
import { chance } from '../simulation/random.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const id = () => crypto.randomUUID();
const FROM = Date.UTC(2025, 0, 18);
const TO = FROM + 86_400_000;

const SPENT: Spent = {
  inputTokens: 1_000,
  outputTokens: 200,
  cachedInputTokens: 30,
  reasoningTokens: 4,
  nanoUsd: 5_000_000_000,
  estimatedNanoUsd: 600,
  unpriced: 7,
};

export function jobUsageContract(name: string, open: OpenStore): void {
  describe(`usage in a JobStore on ${name}`, () => {
    let store: JobStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const put = (over: Partial<Job>) => store.create(sampleJob({ createdAt: FROM, ...over }), { prompt: 'Hello.' });
    const usage = (query: Pick<UsageQuery, 'tenant'> & Partial<UsageQuery>) =>
      store.usage({ createdFrom: FROM, createdTo: TO, ...query });

    test('is nothing where there is no job', async () => {
      expect(await usage({ tenant: `tenant-${id()}` })).toEqual({ ...NOTHING_SPENT, jobs: 0 });
    });

    test('is what each job spent, added up field by field', async () => {
      const tenant = `tenant-${id()}`;
      await put({ tenant, spent: SPENT });
      expect(await usage({ tenant })).toEqual({ ...SPENT, jobs: 1 });
      await put({ tenant, spent: { ...NOTHING_SPENT, inputTokens: 1, nanoUsd: 1 } });
      expect(await usage({ tenant })).toEqual({
        ...{ ...SPENT, inputTokens: 1_001, nanoUsd: 5_000_000_001 },
        jobs: 2,
      });
    });

    test('counts a job that spent nothing, and one of an older version', async () => {
      const tenant = `tenant-${id()}`;
      await Promise.all([put({ tenant, spent: SPENT }), put({ tenant }), put({ tenant, spent: NOTHING_SPENT })]);
      expect(await usage({ tenant })).toEqual({ ...SPENT, jobs: 3 });
      const old = `tenant-${id()}`;
      await put({ tenant: old });
      expect(await usage({ tenant: old })).toEqual({ ...NOTHING_SPENT, jobs: 1 });
    });

    test('counts jobs of every end: over or not, deleted, expired', async () => {
      const tenant = `tenant-${id()}`;
      await Promise.all([
        ...JOB_STATES.map((state) => put({ tenant, state, spent: SPENT })),
        put({ tenant, state: 'completed', deletedAt: FROM, spent: SPENT }),
        put({ tenant, state: 'failed', expiresAt: FROM + 1, spent: SPENT }),
      ]);
      expect(await usage({ tenant })).toMatchObject({ jobs: 7, inputTokens: 7_000, nanoUsd: 35_000_000_000 });
    });

    test('has a first instant, which is in it, and a last one, which is not', async () => {
      const tenant = `tenant-${id()}`;
      const instants = [FROM - 1, FROM, TO - 1, TO];
      await Promise.all(
        instants.map((createdAt, n) => put({ tenant, createdAt, spent: { ...SPENT, inputTokens: 10 ** n } })),
      );
      expect(await usage({ tenant })).toMatchObject({ jobs: 2, inputTokens: 110 });
    });

    test('is what was spent by now: a change counts', async () => {
      const job = sampleJob({ createdAt: FROM });
      await store.create(job, null);
      const { revision = '' } = (await store.get(job)) ?? {};
      await store.update(job, revision, { spent: SPENT });
      expect(await usage({ tenant: job.tenant })).toEqual({ ...SPENT, jobs: 1 });
    });

    test('of one arm is that of its jobs alone, and the arms that there are come in order, so many at most', async () => {
      const tenant = `tenant-${id()}`;
      const arms = ['tone/short', 'tone/long', 'length/a', 'tone.b/a', 'Tone/z', 'tone/short', undefined, 'length/a'];
      const users = ['ada', 'ada', 'ada', 'ada', 'ada', 'bob', 'ada', 'bob'];
      await Promise.all([
        ...arms.map((arm, n) => put({ tenant, arm, user: users[n] ?? '', spent: { ...SPENT, inputTokens: 10 ** n } })),
        put({ arm: 'foreign/a' }),
        put({ tenant, user: 'cleo' }),
      ]);
      expect(await usage({ tenant, arm: 'tone/short' })).toMatchObject({ jobs: 2, inputTokens: 100_001 });
      expect(await usage({ tenant, arm: 'tone/short', user: 'bob' })).toMatchObject({ jobs: 1, inputTokens: 100_000 });
      expect(await usage({ tenant, arm: 'tone' })).toMatchObject({ jobs: 0 });
      const inOrder = ['Tone/z', 'length/a', 'tone.b/a', 'tone/long', 'tone/short'];
      expect(await store.arms({ tenant }, 10)).toEqual(inOrder);
      expect(await store.arms({ tenant }, 5)).toEqual(inOrder);
      expect(await store.arms({ tenant }, 3)).toEqual(inOrder.slice(0, 3));
      expect(await store.arms({ tenant, user: 'bob' }, 10)).toEqual(['length/a', 'tone/short']);
      expect(await store.arms({ tenant, user: 'cleo' }, 10)).toEqual([]);
      expect(await store.arms({ tenant: `tenant-${id()}` }, 10)).toEqual([]);
    });

    test('stays within its tenant, its user, its model and its job type', async () => {
      const { pick, happens } = chance(11);
      const [tenant, other] = [`tenant-${id()}`, `tenant-${id()}`];
      const models = [id(), id()];
      const choices = {
        user: ['ada', 'bob', undefined],
        jobType: ['general_llm_request', 'review_colab', undefined],
        modelId: [...models, undefined],
      };
      const jobs = Array.from({ length: 60 }, (_, n) =>
        sampleJob({
          ...{ tenant: happens(1 / 4) ? other : tenant, user: pick(['ada', 'bob']), createdAt: FROM + n },
          jobType: pick(['general_llm_request', 'review_colab']),
          model: { id: pick(models), name: 'Simulated', provider: 'simulated', model: 'simulated' },
          spent: { ...NOTHING_SPENT, outputTokens: n + 1, nanoUsd: 1_000 * n },
        }),
      );
      await Promise.all(jobs.map((job) => store.create(job, null)));
      for (const user of choices.user) {
        for (const jobType of choices.jobType) {
          for (const modelId of choices.modelId) {
            const asked = { tenant, user, jobType, modelId };
            const meant = jobs.filter(
              (job) =>
                job.tenant === tenant &&
                [undefined, job.user].includes(user) &&
                [undefined, job.jobType].includes(jobType) &&
                [undefined, job.model.id].includes(modelId),
            );
            const sum = (field: keyof Spent) => meant.reduce((total, job) => total + (job.spent?.[field] ?? 0), 0);
            const wanted: UsageSums = {
              ...{ ...NOTHING_SPENT, jobs: meant.length },
              ...{ outputTokens: sum('outputTokens'), nanoUsd: sum('nanoUsd') },
            };
            expect([asked, await usage(asked)]).toEqual([asked, wanted]);
            expect(meant.length).toBeGreaterThan(0);
          }
        }
      }
    });
  });
}
