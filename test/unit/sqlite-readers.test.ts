/** Who watches a job in SQLite is told what was written, unless it is gone by then. */
import { expect, test } from 'vitest';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import type { StoredJob } from '../../shared/core/ports.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { virtualClock } from '../support/virtual-clock.ts';

function world() {
  const clock = virtualClock();
  const database = openDatabase(':memory:');
  const store = sqliteJobStore(database, clock);
  const watched = (job: { tenant: string; id: string }) => {
    const heard: (StoredJob | undefined)[] = [];
    const stop = store.watch(job, (found) => heard.push(found));
    return { stop, versions: () => heard.map((found) => found?.job.version) };
  };
  return { clock, database, store, watched };
}

test('of what is written in one turn the newest is told, once', async () => {
  const { clock, database, store, watched } = world();
  const job = sampleJob();
  await store.create(job, null);
  const { versions } = watched(job);
  await clock.advance(1);
  await store.update(job, '1', { version: 2 });
  await store.update(job, '2', { version: 3 });
  await clock.advance(1);
  expect(versions()).toEqual([1, 3]);
  database.close();
});

test('a job that was purged meanwhile is told to be gone', async () => {
  const { clock, database, store, watched } = world();
  const job = sampleJob();
  await store.create(job, null);
  const { versions } = watched(job);
  await clock.advance(1);
  await store.update(job, '1', { version: 2, deleteAt: clock.nowMs() });
  store.purge(clock.nowMs());
  await clock.advance(1);
  expect(versions()).toEqual([1, undefined]);
  database.close();
});

test('one who stops twice makes nobody else deaf', async () => {
  const { clock, database, store, watched } = world();
  const job = sampleJob();
  await store.create(job, null);
  const first = watched(job);
  first.stop();
  const second = watched(job);
  first.stop();
  await clock.advance(1);
  await store.update(job, '1', { version: 2 });
  await clock.advance(1);
  expect([first.versions(), second.versions()]).toEqual([[], [1, 2]]);
  database.close();
});

test('leases that end at the start are told when they have ended, and not where that could not be written', async () => {
  const { clock, database, store, watched } = world();
  const job = sampleJob({ state: 'processing', leaseExpiresAt: clock.nowMs() + 1, wakeAt: clock.nowMs() + 1 });
  await store.create(job, null);
  const { versions } = watched(job);
  await clock.advance(1);
  database.exec("CREATE TRIGGER full BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ROLLBACK, 'full'); END");
  expect(() => store.endAllLeases()).toThrow('full');
  await clock.advance(1);
  expect(versions()).toHaveLength(1);
  database.exec('DROP TRIGGER full');
  expect(store.endAllLeases()).toBe(1);
  await clock.advance(1);
  expect(versions()).toHaveLength(2);
  database.close();
});
