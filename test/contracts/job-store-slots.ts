/** What every `JobStore` must do about slots and parked jobs: the comments of the port, one test each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job, JobChanges } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import type { SlotChange } from '../../shared/core/slots.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const MINUTE_MS = 60_000;
/** With signs that a path of Firestore does not take as they are. */
const MODEL = 'meta/llama-3.1 `8b`\\x';

export function jobStoreSlotsContract(name: string, open: OpenStore): void {
  describe(`slots of JobStore on ${name}`, () => {
    let store: JobStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const tenantOf = () => `tenant-${crypto.randomUUID()}`;

    async function created(tenant: string, over: Partial<Job> = {}): Promise<Job> {
      const job = sampleJob({ tenant, ...over });
      await store.create(job, 1);
      return job;
    }

    async function update(job: Job, changes: JobChanges, slot?: SlotChange) {
      const found = await store.get(job);
      return store.update(job, found?.revision ?? '', changes, { slot });
    }

    async function take(job: Job, slotUntil = Date.now() + MINUTE_MS, over: string[] = []) {
      return update(job, { slotUntil, version: 2 }, { take: MODEL, seen: await store.slots(job.tenant), over });
    }

    test('a tenant without slots has none', async () => {
      expect(await store.slots(tenantOf())).toEqual({ running: {}, expired: [], waiting: [], revision: undefined });
    });

    test('a job takes a slot in the commit that changes it, for its tenant alone', async () => {
      const job = await created(tenantOf());
      const slotUntil = Date.now() + MINUTE_MS;
      expect(await take(job, slotUntil)).toHaveProperty('written');
      expect((await store.get(job))?.job).toEqual({ ...job, slotUntil, version: 2 });
      const running = { [job.id]: { model: MODEL, expiresAt: slotUntil } };
      const revision = expect.any(String);
      expect(await store.slots(job.tenant)).toEqual({ running, expired: [], waiting: [], revision });
      expect((await store.slots(tenantOf())).running).toEqual({});
    });

    test('when the set has changed since, neither is written', async () => {
      const tenant = tenantOf();
      const jobs = [await created(tenant), await created(tenant)] as const;
      const none = await store.slots(tenant);
      const slot = (seen: typeof none): SlotChange => ({ take: MODEL, seen });
      const changes = { slotUntil: Date.now() + MINUTE_MS, version: 2 };
      expect(await update(jobs[0], changes, slot(none))).toHaveProperty('written');
      // It was not there, …
      expect(await update(jobs[1], changes, slot(none))).toEqual({ refused: 'changed' });
      const one = await store.slots(tenant);
      await update(jobs[0], { slotUntil: undefined });
      // … or was another one.
      expect(await update(jobs[1], changes, slot(one))).toEqual({ refused: 'changed' });
      expect((await store.get(jobs[1]))?.job).toEqual(jobs[1]);
      expect((await store.slots(tenant)).running).toEqual({});
      expect(await update(jobs[1], changes, slot(await store.slots(tenant)))).toHaveProperty('written');
    });

    test('when the job has changed since, neither is written', async () => {
      const job = await created(tenantOf());
      const old = await store.get(job);
      await update(job, { version: 2 });
      const slot = { take: MODEL, seen: await store.slots(job.tenant) };
      const changes = { slotUntil: Date.now() + MINUTE_MS };
      expect(await store.update(job, old?.revision ?? '', changes, { slot })).toEqual({ refused: 'changed' });
      expect((await store.slots(job.tenant)).revision).toBeUndefined();
    });

    test.each([0, 1])('of 8 jobs that take one of %i slots at once exactly one gets it', async (before) => {
      const tenant = tenantOf();
      for (let n = 0; n < before; n++) await take(await created(tenant));
      const jobs = await Promise.all(Array.from({ length: 8 }, () => created(tenant)));
      const seen = await store.slots(tenant);
      const slotUntil = Date.now() + MINUTE_MS;
      const answers = await Promise.all(jobs.map((job) => update(job, { slotUntil }, { take: MODEL, seen })));
      expect(answers.filter((answer) => 'written' in answer)).toHaveLength(1);
      expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'changed')).toHaveLength(7);
      expect(Object.keys((await store.slots(tenant)).running)).toHaveLength(before + 1);
    });

    test('a slot is given back with the change that says so, whatever has become of the set', async () => {
      const tenant = tenantOf();
      const jobs = [await created(tenant), await created(tenant), await created(tenant)] as const;
      for (const job of jobs) await take(job);
      const answers = await Promise.all(
        [jobs[0], jobs[1]].map((job) => update(job, { slotUntil: undefined, state: 'completed' })),
      );
      expect(answers).toEqual([{ written: expect.anything() }, { written: expect.anything() }]);
      expect(Object.keys((await store.slots(tenant)).running)).toEqual([jobs[2].id]);
      expect((await store.get(jobs[0]))?.job).not.toHaveProperty('slotUntil');
      // Another change gives nothing back.
      expect(await store.update(jobs[2], (await store.get(jobs[2]))?.revision ?? '', { rings: 1 })).toHaveProperty(
        'written',
      );
      expect(Object.keys((await store.slots(tenant)).running)).toEqual([jobs[2].id]);
    });

    test('a change that is refused gives nothing back', async () => {
      const job = await created(tenantOf());
      const old = await store.get(job);
      await take(job);
      expect(await store.update(job, old?.revision ?? '', { slotUntil: undefined })).toEqual({ refused: 'changed' });
      expect(Object.keys((await store.slots(job.tenant)).running)).toEqual([job.id]);
    });

    test('a slot that has expired does not count, and goes when the next one is taken', async () => {
      const tenant = tenantOf();
      const [dead, alive] = [await created(tenant), await created(tenant)];
      await take(dead, Date.now() - 1);
      expect(await store.slots(tenant)).toMatchObject({ running: {}, expired: [dead.id] });
      await take(alive);
      const set = await store.slots(tenant);
      expect([Object.keys(set.running), set.expired]).toEqual([[alive.id], []]);
    });

    test('a job takes its own slot again, also when that has expired', async () => {
      const job = await created(tenantOf());
      const slotUntil = Date.now() + MINUTE_MS;
      await take(job, slotUntil);
      await take(job, slotUntil + 1);
      expect((await store.slots(job.tenant)).running).toEqual({ [job.id]: { model: MODEL, expiresAt: slotUntil + 1 } });
      await take(job, Date.now() - 1);
      await take(job, slotUntil);
      expect(await store.slots(job.tenant)).toMatchObject({
        running: { [job.id]: { expiresAt: slotUntil } },
        expired: [],
      });
    });

    test('that somebody waits is said blindly, and is over with the take that says so', async () => {
      const tenant = tenantOf();
      const jobs = [await created(tenant), await created(tenant), await created(tenant)] as const;
      await Promise.all(
        [MODEL, '*', '*'].map((waitFor, n) => update(jobs[n] as Job, { parkedFor: waitFor }, { waitFor })),
      );
      expect([...(await store.slots(tenant)).waiting].sort()).toEqual(['*', MODEL].sort());
      await take(jobs[0], undefined, [MODEL]);
      const set = await store.slots(tenant);
      expect([set.waiting, Object.keys(set.running)]).toEqual([['*'], [jobs[0].id]]);
      await take(jobs[1], undefined, ['*']);
      expect((await store.slots(tenant)).waiting).toEqual([]);
    });

    test('a change may give a slot back and say that somebody waits', async () => {
      const job = await created(tenantOf());
      await take(job);
      await update(job, { slotUntil: undefined, parkedFor: '*' }, { waitFor: '*' });
      expect(await store.slots(job.tenant)).toMatchObject({ running: {}, waiting: ['*'] });
    });

    test('parked jobs come oldest first, of one tenant, those that wait for what was asked', async () => {
      const tenant = tenantOf();
      const at = (createdAt: number, parkedFor: string | undefined) =>
        created(tenant, { createdAt, ...(parkedFor ? { parkedFor, parkedAt: createdAt + 5 } : {}) });
      const third = await at(3_000, '*');
      const first = await at(1_000, MODEL);
      const second = await at(2_000, '*');
      await at(500, undefined);
      await at(600, 'another model');
      await created(tenantOf(), { createdAt: 1, parkedFor: '*' });
      const ids = async (parkedFor: string[], limit: number) =>
        (await store.parked(tenant, parkedFor, limit)).map(({ job }) => job.id);
      expect(await ids(['*', MODEL], 10)).toEqual([first.id, second.id, third.id]);
      expect(await ids(['*', MODEL], 2)).toEqual([first.id, second.id]);
      expect(await ids(['*'], 10)).toEqual([second.id, third.id]);
      expect(await ids(['nothing'], 10)).toEqual([]);
      const [found] = await store.parked(tenant, [MODEL], 1);
      expect(found?.job).toEqual(first);
      expect(await store.update(first, found?.revision ?? '', { parkedFor: undefined })).toHaveProperty('written');
      expect(await ids(['*', MODEL], 10)).toEqual([second.id, third.id]);
    });
  });
}
