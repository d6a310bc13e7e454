/** What every `JobStore` must do when it creates one job and changes another in one commit: the comment of its `create`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { JobStore, JobUpdate, StoredJob } from '../../shared/core/ports.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const SOON = { timeout: 30_000 };

export function jobPairContract(name: string, open: OpenStore): void {
  describe(`pairs of jobs of JobStore on ${name}`, () => {
    let store: JobStore;
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

    /** A job that failed, one that is to be made of it, and the change that says so. */
    async function pair() {
      const old = sampleJob({ state: 'failed', version: 3, wakeAt: null, stage: 'waiting' });
      await store.create(old, { prompt: 'hello' });
      const { revision } = await stored(old);
      const made = sampleJob({ tenant: old.tenant, redriveOf: old.id });
      const changes = { version: 4, redrivenAs: made.id, stage: undefined };
      const update: JobUpdate = { key: { tenant: old.tenant, id: old.id }, revision, changes };
      const { stage: _, ...rest } = old;
      const changed: Job = { ...rest, version: 4, redrivenAs: made.id };
      return { old, made, update, changed };
    }

    async function created(made: Job, update: JobUpdate) {
      const answer = await store.create(made, 'first', { with: update });
      if (!('created' in answer)) throw new Error('refused');
      return answer.created;
    }

    test('both happen, and their revisions are the ones to present next', async () => {
      const { old, made, update, changed } = await pair();
      const answer = await store.create(made, { prompt: 'again' }, { with: update });
      if (!('created' in answer)) throw new Error('refused');
      expect(await store.getWithInput(made)).toMatchObject({ job: made, input: { prompt: 'again' } });
      expect((await stored(made)).revision).toBe(answer.created.revision);
      const next = await stored(old);
      expect(next.job).toEqual(changed);
      expect((await store.getWithInput(old))?.input).toEqual({ prompt: 'hello' });
      expect(await store.update(old, update.revision, { version: 9 })).toEqual({ refused: 'changed' });
      expect(await store.update(old, next.revision, { version: 5 })).toHaveProperty('written');
      expect(await store.update(made, answer.created.revision, { version: 2 })).toHaveProperty('written');
    });

    test('where the other has changed, or is not there, nothing happens', async () => {
      const { old, made, update } = await pair();
      await store.update(old, update.revision, { version: 5 });
      const before = await stored(old);
      expect(await store.create(made, 1, { with: update })).toEqual({ refused: 'changed' });
      expect(await store.get(made)).toBeUndefined();
      expect(await stored(old)).toMatchObject({ job: before.job, revision: before.revision });

      const nowhere = { ...update, key: { tenant: old.tenant, id: crypto.randomUUID() } };
      expect(await store.create(made, 1, { with: nowhere })).toEqual({ refused: 'changed' });
      expect(await store.get(made)).toBeUndefined();
      expect(await store.get(nowhere.key)).toBeUndefined();
    });

    test('where the new one is there, nothing happens', async () => {
      const { old, made, update } = await pair();
      await store.create(made, 'first');
      expect(await store.create({ ...made, token: 'other' }, 'second', { with: update })).toEqual({
        refused: 'exists',
      });
      expect(await store.getWithInput(made)).toMatchObject({ job: made, input: 'first' });
      expect(await stored(old)).toMatchObject({ job: old, revision: update.revision });
    });

    test('the same commit once more, which its sender takes for its first, is refused, and nothing happens', async () => {
      const { made, update, changed } = await pair();
      const { revision } = await created(made, update);
      const again = await store.create(made, 'again', { with: update });
      expect(again).toEqual({ refused: 'exists' });
      expect(await store.getWithInput(made)).toMatchObject({ job: made, input: 'first', revision });
      expect((await stored(changed)).job).toEqual(changed);
    });

    test('of 20 at once exactly one happens, whole', async () => {
      const { old, made, update, changed } = await pair();
      const rivals = Array.from({ length: 20 }, () => ({ ...made, token: crypto.randomUUID() }));
      const answers = await Promise.all(rivals.map((job) => store.create(job, job.token, { with: update })));
      const winners = rivals.filter((_, index) => 'created' in (answers[index] ?? {}));
      expect(winners).toHaveLength(1);
      expect(await store.getWithInput(made)).toMatchObject({ job: winners[0], input: winners[0]?.token });
      expect((await stored(old)).job).toEqual(changed);
    });

    test('whoever watches hears of both', async () => {
      const { old, made, update } = await pair();
      const heard = new Map<string, (number | undefined)[]>();
      const stops = [old, made].map(({ tenant, id }) => {
        const versions: (number | undefined)[] = [];
        heard.set(id, versions);
        return store.watch({ tenant, id }, (found) => versions.push(found?.job.version));
      });
      await expect.poll(() => [...heard.values()], SOON).toEqual([[3], [undefined]]);
      await store.create(made, 1, { with: update });
      await expect.poll(() => [...heard.values()].map((versions) => versions.at(-1)), SOON).toEqual([4, 1]);
      for (const stop of stops) stop();
    });
  });
}
