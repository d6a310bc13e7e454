/** Who watches a job in SQLite is told what was written, unless it is gone by then. */
import { expect, test } from 'vitest';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { StoredJob } from '../../shared/core/ports.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { virtualClock } from '../support/virtual-clock.ts';

async function world(fields: Partial<Job> = {}) {
  const clock = virtualClock();
  const database = openDatabase(':memory:');
  const store = sqliteJobStore(database, clock);
  const watch = (job: JobKey) => {
    const heard: (StoredJob | undefined)[] = [];
    const stop = store.watch(job, (found) => heard.push(found));
    return { heard, stop, versions: () => heard.map((found) => found?.job.version) };
  };
  const job = sampleJob(fields);
  await store.create(job, null);
  const watched = watch(job);
  return { clock, database, store, job, watch, ...watched };
}

test('of what is written in one turn the newest is told, once', async () => {
  const { clock, database, store, job, versions } = await world();
  await clock.advance(1);
  await store.update(job, '1', { version: 2 });
  await store.update(job, '2', { version: 3 });
  await clock.advance(1);
  expect(versions()).toEqual([1, 3]);
  database.close();
});

test('a job that was purged meanwhile is told to be gone', async () => {
  const { clock, database, store, job, versions } = await world();
  await clock.advance(1);
  await store.update(job, '1', { version: 2, deleteAt: clock.nowMs() });
  store.purge(clock.nowMs());
  await clock.advance(1);
  expect(versions()).toEqual([1, undefined]);
  database.close();
});

test('one who stops twice makes nobody else deaf', async () => {
  const { clock, database, store, job, watch, stop, versions } = await world();
  stop();
  const second = watch(job);
  stop();
  await clock.advance(1);
  await store.update(job, '1', { version: 2 });
  await clock.advance(1);
  expect([versions(), second.versions()]).toEqual([[], [1, 2]]);
  database.close();
});

test('leases that end at the start are told when all have ended, and none where one could not be written', async () => {
  const held = { state: 'processing', leaseExpiresAt: 1, wakeAt: 1 } as const;
  const { clock, database, store, watch, heard } = await world(held);
  const other = sampleJob(held);
  await store.create(other, null);
  const second = watch(other);
  await clock.advance(1);
  const told = () => [...heard, ...second.heard].map((found) => found?.job.leaseExpiresAt);
  expect(told()).toEqual([1, 1]);
  database.exec(`CREATE TRIGGER full BEFORE UPDATE ON jobs WHEN EXISTS (SELECT 1 FROM jobs WHERE revision = 2)
    BEGIN SELECT RAISE(ABORT, 'full'); END`);
  expect(() => store.endAllLeases()).toThrow('full');
  await clock.advance(1);
  expect(told()).toEqual([1, 1]);
  database.exec('DROP TRIGGER full');
  const nowMs = clock.nowMs();
  expect(store.endAllLeases()).toBe(2);
  await clock.advance(1);
  expect(told().toSorted()).toEqual([1, 1, nowMs, nowMs]);
  database.close();
});
