/** At the start of the only process on a file nobody can hold anything in it. */
import { expect, test } from 'vitest';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import type { Job } from '../../shared/core/job.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { virtualClock } from '../support/virtual-clock.ts';

test('leases end, and what was being told is due; who waits goes on waiting', async () => {
  const clock = virtualClock();
  const database = openDatabase(':memory:');
  const store = sqliteJobStore(database, clock);
  const nowMs = clock.nowMs();
  const later = nowMs + 60_000;
  const outbox = {
    notices: [{ type: 'completed' as const, version: 3, happenedAt: nowMs, to: ['webhook' as const] }],
    ...{ dueAt: later, wakeAt: later, lifeWakeAt: null, tries: 1, rings: 0 },
  };
  const jobs = {
    held: sampleJob({ state: 'processing', leaseExpiresAt: later, wakeAt: later }),
    told: sampleJob({ state: 'completed', wakeAt: later, outbox: { ...outbox, token: 't' } }),
    toBeTold: sampleJob({ state: 'completed', wakeAt: later, outbox }),
    waiting: sampleJob({ state: 'processing', nextAttemptAt: later, wakeAt: later }),
    pending: sampleJob({ wakeAt: later }),
    over: sampleJob({ state: 'failed', wakeAt: null }),
  };
  for (const job of Object.values(jobs)) await store.create(job, null);
  expect(store.endAllLeases()).toBe(1);
  const read = async (job: Job) => (await store.get(job))?.job;
  expect(await read(jobs.held)).toEqual({ ...jobs.held, leaseExpiresAt: nowMs, wakeAt: nowMs });
  const due = { ...outbox, dueAt: nowMs, wakeAt: nowMs };
  expect(await read(jobs.told)).toEqual({ ...jobs.told, wakeAt: nowMs, outbox: due });
  for (const job of [jobs.toBeTold, jobs.waiting, jobs.pending, jobs.over]) expect(await read(job)).toEqual(job);
  expect((await store.due(nowMs, 10)).map(({ job: { id } }) => id).sort()).toEqual([jobs.held.id, jobs.told.id].sort());
  database.close();
});
