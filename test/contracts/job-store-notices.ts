/** What every `JobStore` keeps of telling others: it comes back as it was, and is due when it says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import type { Outbox } from '../../shared/core/notices.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { type OpenStore, sampleJob } from './job-store.ts';

const NOW = 1_700_000_000_123;

export function jobStoreNoticesContract(name: string, open: OpenStore): void {
  describe(`outboxes of JobStore on ${name}`, () => {
    let store: JobStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const outbox: Outbox = {
      notices: [
        { type: 'started', version: 2, happenedAt: NOW, to: ['webhook', 'topic'], failures: 3 },
        { type: 'completed', version: 5, happenedAt: NOW + 1, to: ['webhook'] },
      ],
      ...{ dueAt: NOW + 5_000, wakeAt: NOW + 5_000, lifeWakeAt: null, patientUntil: NOW + 9_001, tries: 4, rings: 2 },
    };
    const told: Partial<Job> = {
      ...{ state: 'completed', version: 5, wakeAt: NOW + 5_000, announced: true, outbox },
      webhook: { url: 'https://hooks.example.com/?a=b&c=%20', events: ['started', 'completed'], include: 'job' },
      deliveries: [
        {
          type: 'started',
          version: 2,
          happenedAt: NOW,
          triedAt: NOW + 2,
          ms: 15_000,
          failure: 'timeout',
          message: 'm',
        },
        { type: 'started', version: 2, happenedAt: NOW, triedAt: NOW + 3, ms: 1, status: 204 },
      ],
    };

    async function stored(job: Job) {
      const found = await store.get(job);
      if (!found) throw new Error('the job is not stored');
      return found;
    }

    test('a job that was created with one is read back as it was, also in a list', async () => {
      const job = sampleJob(told);
      await store.create(job, null);
      expect((await stored(job)).job).toEqual(job);
      const [listed] = await store.list({ tenant: job.tenant, limit: 1, offset: 0 });
      expect(listed?.job).toEqual(job);
    });

    test('one with fields that are undefined is stored without them; it changes as a whole, and goes', async () => {
      const job = sampleJob(told);
      await store.create(job, null);
      const next = { ...outbox, token: undefined, patientUntil: undefined, lifeWakeAt: NOW };
      await store.update(job, (await stored(job)).revision, { outbox: next });
      const { token: _, patientUntil: __, ...kept } = next;
      const { job: changed, revision } = await stored(job);
      expect(Object.keys(changed.outbox ?? {}).sort()).toEqual(Object.keys(kept).sort());
      expect(changed.outbox).toEqual(kept);
      await store.update(job, revision, { outbox: undefined, deliveries: undefined, webhook: undefined, wakeAt: null });
      for (const field of ['outbox', 'deliveries', 'webhook'])
        expect((await stored(job)).job).not.toHaveProperty(field);
    });

    test('a job that is over is due when its outbox is', async () => {
      const job = sampleJob({ ...told, wakeAt: 1_000 });
      await store.create(job, null);
      expect((await store.due(999, 10)).map(({ job: { id } }) => id)).not.toContain(job.id);
      const found = (await store.due(1_000, 10)).find(({ job: { id } }) => id === job.id);
      expect(found?.job).toEqual(job);
      await store.update(job, found?.revision ?? '', { outbox: undefined, wakeAt: null });
      expect((await store.due(NOW, 10)).map(({ job: { id } }) => id)).not.toContain(job.id);
    });
  });
}
