/** What every `JobStore` must do: the comments of the port, one test each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';

export type OpenStore = () => Promise<{ store: JobStore; close(): Promise<void> }>;

const id = () => crypto.randomUUID();

/** A pending job of a tenant that no other test has. */
export function sampleJob(over: Partial<Job> = {}): Job {
  return {
    tenant: `tenant-${id()}`,
    id: id(),
    user: 'ada',
    jobType: 'general_llm_request',
    model: { id: id(), name: 'Simulated', provider: 'simulated', model: 'simulated' },
    state: 'pending',
    version: 1,
    createdAt: 1_700_000_000_123,
    fingerprint: 'f00d',
    attempts: [],
    attempt: 0,
    token: id(),
    sequence: 0,
    leaseExpiresAt: null,
    wakeAt: 1_700_000_030_123,
    wakeShard: 0,
    rings: 0,
    schemaVersion: SCHEMA_VERSION,
    ...over,
  };
}

export function jobStoreContract(name: string, open: OpenStore): void {
  describe(`JobStore on ${name}`, () => {
    let store: JobStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    async function stored(key: JobKey) {
      const found = await store.get(key);
      if (!found) throw new Error('the job is not stored');
      return found;
    }

    async function created(over: Partial<Job> = {}): Promise<Job> {
      const job = sampleJob(over);
      expect(await store.create(job, { prompt: 'hello' })).toHaveProperty('created');
      return job;
    }

    test('a created job is read back as it was, with and without its input', async () => {
      const job = sampleJob({
        attempts: [{ n: 1, startedAt: 1_700_000_000_001, provider: 'p', model: 'm', calls: 2, outcome: 'lost' }],
        result: { deep: [[1, [2, null]], 'text 👩‍🔬 é ﷽', 0.1, true], empty: {} },
        error: { code: 'network', message: 'cut' },
        requestId: 'r-1',
      });
      const input = {
        nested: [[['arrays']]],
        zwj: '👨‍👩‍👧‍👦',
        nul: 'a\u0000b',
        huge: 'x'.repeat(200_000),
        at: { createdAt: 5 },
      };
      await store.create(job, input);
      expect((await stored(job)).job).toEqual(job);
      const whole = await store.getWithInput(job);
      expect(whole?.job).toEqual(job);
      expect(whole?.input).toEqual(input);
    });

    test('an input of 60 levels is kept', async () => {
      const deep = JSON.parse(`${'[{"a":'.repeat(30)}1${'}]'.repeat(30)}`);
      const job = sampleJob();
      await store.create(job, deep);
      expect((await store.getWithInput(job))?.input).toEqual(deep);
    });

    test('what is not there is undefined, and cannot be changed', async () => {
      const key = { tenant: 'nobody', id: id() };
      expect(await store.get(key)).toBeUndefined();
      expect(await store.getWithInput(key)).toBeUndefined();
      const { revision } = await stored(await created());
      expect(await store.update(key, revision, { version: 2 })).toHaveProperty('refused');
      expect(await store.get(key)).toBeUndefined();
    });

    test('of 20 creates of one key at once exactly one succeeds, and the others change nothing', async () => {
      const first = sampleJob();
      const rivals = Array.from({ length: 20 }, () => ({ ...first, token: id() }));
      const answers = await Promise.all(rivals.map((job) => store.create(job, { token: job.token })));
      const winners = rivals.filter((_, index) => 'created' in (answers[index] ?? {}));
      expect(winners).toHaveLength(1);
      expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'exists')).toHaveLength(19);
      const whole = await store.getWithInput(first);
      expect(whole?.job.token).toBe(winners[0]?.token);
      expect(whole?.input).toEqual({ token: winners[0]?.token });
    });

    test('the same id belongs to each tenant separately', async () => {
      const job = await created();
      const other = sampleJob({ id: job.id });
      expect(await store.create(other, 1)).toHaveProperty('created');
      expect((await stored(job)).job.tenant).toBe(job.tenant);
    });

    test('of 8 updates at one revision exactly one is written', async () => {
      const job = await created();
      const { revision } = await stored(job);
      const tokens = Array.from({ length: 8 }, id);
      const answers = await Promise.all(tokens.map((token) => store.update(job, revision, { token, version: 2 })));
      const winner = answers.findIndex((answer) => 'written' in answer);
      expect(answers.filter((answer) => 'written' in answer)).toHaveLength(1);
      expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'changed')).toHaveLength(7);
      expect((await stored(job)).job).toEqual({ ...job, token: tokens[winner], version: 2 });
    });

    test('an update at an old revision changes nothing, even one that another write has passed by', async () => {
      const job = await created();
      const old = await stored(job);
      const answer = await store.update(job, old.revision, { version: 2 });
      expect(answer).toHaveProperty('written');
      expect(await store.update(job, old.revision, { version: 3 })).toEqual({ refused: 'changed' });
      expect((await stored(job)).job.version).toBe(2);
    });

    test('the revision that a write returns is the one to present next', async () => {
      const job = await created();
      let { revision } = await stored(job);
      for (let version = 2; version <= 6; version++) {
        const answer = await store.update(job, revision, { version });
        if (!('written' in answer)) throw new Error('refused');
        revision = answer.written.revision;
      }
      expect(await stored(job)).toMatchObject({ job: { version: 6 }, revision });
    });

    test("a create's revision is the one to present next, too", async () => {
      const job = sampleJob();
      const answer = await store.create(job, 1);
      if (!('created' in answer)) throw new Error('refused');
      expect(await store.update(job, answer.created.revision, { version: 2 })).toHaveProperty('written');
    });

    test('a field set to undefined goes away, a null stays, the input stays', async () => {
      const job = await created({ stage: 'calling_llm', leaseExpiresAt: 1_700_000_000_000 });
      const { revision } = await stored(job);
      await store.update(job, revision, { stage: undefined, leaseExpiresAt: null, wakeAt: null });
      const { stage: _, ...rest } = job;
      const whole = await store.getWithInput(job);
      expect(whole?.job).toEqual({ ...rest, leaseExpiresAt: null, wakeAt: null });
      expect(whole?.job).not.toHaveProperty('stage');
      expect(whole?.input).toEqual({ prompt: 'hello' });
    });

    test("the store's time does not go backwards from one answer to the next", async () => {
      const job = sampleJob();
      const made = await store.create(job, 1);
      const first = await stored(job);
      const answer = await store.update(job, first.revision, { version: 2 });
      const second = await stored(job);
      const times = [
        'created' in made ? made.created.atMs : Number.NaN,
        first.readAtMs,
        'written' in answer ? answer.written.atMs : Number.NaN,
        second.readAtMs,
      ];
      expect(times).toEqual([...times].sort((left, right) => left - right));
      expect(Math.abs(Date.now() - second.readAtMs)).toBeLessThan(10_000);
    });

    test("a document's birth is told by the store's clock, and does not change", async () => {
      const job = await created({ createdAt: Date.now() });
      const first = await stored(job);
      expect(Math.abs(Date.now() - first.storedAtMs)).toBeLessThan(10_000);
      expect(first.storedAtMs).toBeLessThanOrEqual(first.readAtMs);
      await store.update(job, first.revision, { version: 2 });
      expect((await stored(job)).storedAtMs).toBe(first.storedAtMs);
    });

    test('a worker hears of each job whose cancel is for it, until it stops listening', async () => {
      const [mine, other] = [id(), id()];
      const heard: string[] = [];
      const stop = store.watchCancels(mine, (key) => heard.push(`${key.tenant}~${key.id}`));
      const cancel = async (cancelFor: string) => {
        const job = await created();
        await store.update(job, (await stored(job)).revision, { cancelFor, cancelRequestedAt: 1_700_000_000_000 });
        return `${job.tenant}~${job.id}`;
      };
      const first = await cancel(mine);
      await cancel(other);
      await expect.poll(() => heard, { timeout: 30_000 }).toEqual([first]);
      const second = await cancel(mine);
      await expect.poll(() => heard, { timeout: 30_000 }).toEqual([first, second]);
      stop();
      await cancel(mine);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(heard).toEqual([first, second]);
    });

    test('of a cancel that is refused no worker hears; of one for another than before, the other does', async () => {
      const [mine, other] = [id(), id()];
      const heard: string[] = [];
      const stops = [mine, other].map((instance) =>
        store.watchCancels(instance, (key) => heard.push(`${key.id} for ${instance}`)),
      );
      const cancel = async ({ tenant, id }: JobKey, cancelFor: string, revision?: string) =>
        store.update({ tenant, id }, revision ?? (await stored({ tenant, id })).revision, {
          ...{ cancelFor, cancelRequestedAt: 1_700_000_000_000 },
        });
      const job = await created();
      const { revision } = await stored(job);
      await store.update(job, revision, { version: 2 });
      expect(await cancel(job, mine, revision)).toEqual({ refused: 'changed' });
      expect(await cancel({ ...job, id: id() }, mine, revision)).toHaveProperty('refused');
      const told: string[] = [];
      // The last of these comes after whatever the refused ones would have brought.
      for (const instance of [other, mine, other]) {
        expect(await cancel(job, instance)).toHaveProperty('written');
        told.push(`${job.id} for ${instance}`);
        await expect.poll(() => heard, { timeout: 30_000 }).toEqual(told);
      }
      for (const stop of stops) stop();
    });

    test('a list is newest first, then by id, and shows only what was asked for', async () => {
      const tenant = `tenant-${id()}`;
      const at = (createdAt: number, over: Partial<Job> = {}) => created({ tenant, createdAt, ...over });
      const old = await at(1_000);
      const twins = [await at(2_000), await at(2_000)].sort((left, right) => (left.id < right.id ? 1 : -1));
      const done = await at(3_000, { state: 'completed', wakeAt: null });
      const other = await at(4_000, { jobType: 'trainer_question_analysis' });
      const foreign = await at(5_000, { user: 'bob' });
      await created({ createdAt: 6_000 });

      const ids = async (query: Partial<Parameters<JobStore['list']>[0]>) =>
        (await store.list({ tenant, limit: 100, offset: 0, ...query })).map(({ job }) => job.id);
      const mine = [other.id, done.id, ...twins.map((job) => job.id), old.id];
      expect(await ids({ user: 'ada' })).toEqual(mine);
      expect(await ids({})).toEqual([foreign.id, ...mine]);
      expect(await ids({ user: 'ada', state: 'completed' })).toEqual([done.id]);
      expect(await ids({ user: 'ada', jobType: 'trainer_question_analysis' })).toEqual([other.id]);
      expect(await ids({ user: 'ada', jobType: 'trainer_question_analysis', state: 'completed' })).toEqual([]);
      expect(await store.list({ tenant, user: 'ada', limit: 1, offset: 0 })).toMatchObject([{ job: other }]);
    });

    test('pages by offset have no gap and no repeat, though many jobs were created in one millisecond', async () => {
      const tenant = `tenant-${id()}`;
      const jobs = await Promise.all(
        Array.from({ length: 25 }, (_, index) => created({ tenant, createdAt: 1_000 + (index % 3) })),
      );
      const paged: string[] = [];
      for (let offset = 0; offset < 30; offset += 7) {
        paged.push(...(await store.list({ tenant, limit: 7, offset })).map(({ job }) => job.id));
      }
      expect(paged).toHaveLength(25);
      expect(new Set(paged)).toEqual(new Set(jobs.map((job) => job.id)));
    });

    test('due jobs come longest due first, at most as many as asked for, with what an update needs', async () => {
      // Long ago, so that the other tests' jobs come after.
      const base = 1_000_000_000_000 + Math.floor(Math.random() * 1_000_000_000);
      const late = await created({ wakeAt: base + 2_000 });
      const first = await created({ wakeAt: base });
      const second = await created({ wakeAt: base + 1_000 });
      await created({ wakeAt: null, state: 'completed' });
      const ours = new Set([late.id, first.id, second.id]);
      const due = async (nowMs: number, limit: number) =>
        (await store.due(nowMs, limit)).filter(({ job }) => ours.has(job.id)).map(({ job }) => job.id);
      expect(await due(base - 1, 100)).toEqual([]);
      expect(await due(base, 100)).toEqual([first.id]);
      expect(await due(base + 1_500, 100)).toEqual([first.id, second.id]);
      expect(await due(base + 2_000, 100)).toEqual([first.id, second.id, late.id]);
      expect((await store.due(base + 2_000, 2)).length).toBe(2);

      const [found] = (await store.due(base, 100)).filter(({ job }) => job.id === first.id);
      expect(found?.job).toEqual(first);
      expect(await store.update(first, found?.revision ?? '', { wakeAt: null })).toHaveProperty('written');
      expect(await due(base + 2_000, 100)).toEqual([second.id, late.id]);
    });
  });
}
