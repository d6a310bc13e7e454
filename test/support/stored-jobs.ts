/** Stores that hold many jobs already: copies of one that is over and of one that waits, under other names. */
import type Database from 'libsql';
import { firestoreDatabase } from '../../shared/adapters/firestore-database.ts';
import { toFields } from '../../shared/adapters/firestore-document.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { type Job, type JobKey, jobName } from '../../shared/core/job.ts';

/** What is copied. */
export type Samples = { ended: Job; open: Job };

const INPUT = { prompt: 'One of many that are stored.' };
const DAY_MS = 86_400_000;
/** Of ten jobs five are of the caller's tenant, five of others, and one of those that are open. */
const TENANTS = ['', '', '', '', '', 'north', 'south', 'east', 'west', 'beyond'];
/** Firestore takes so many in one commit. */
const COMMIT_JOBS = 500;
const COMMITS_AT_ONCE = 4;

/** Nine of ten are over, one waits for tomorrow; half of them are of the samples' tenant. */
export function* manyJobs({ ended, open }: Samples, count: number): Iterable<Job> {
  for (let n = 0; n < count; n++) {
    const tenant = TENANTS[Math.floor(n / TENANTS.length) % TENANTS.length] || ended.tenant;
    const id = crypto.randomUUID();
    const createdAt = ended.createdAt - n * 1_000;
    if (n % TENANTS.length === 0) yield { ...open, tenant, id, createdAt, wakeAt: open.createdAt + DAY_MS + n };
    else yield { ...ended, tenant, id, createdAt };
  }
}

/** So many of the stored jobs are remembered, to be read. */
const REMEMBERED = 1_000;

/** Some of them, evenly spread, are remembered. */
export function* remembering(jobs: Iterable<Job>, keys: JobKey[], count: number): Iterable<Job> {
  const every = Math.max(1, Math.floor(count / REMEMBERED));
  let n = 0;
  for (const job of jobs) {
    if (n++ % every === 0) keys.push({ tenant: job.tenant, id: job.id });
    yield job;
  }
}

/** Stores them in Firestore, or an emulator of it, some commits side by side. */
export async function fillFirestore(
  { projectId, emulatorHost }: { projectId: string; emulatorHost: string },
  jobs: Iterable<Job>,
): Promise<void> {
  const database = firestoreDatabase({ projectId, emulatorHost, databaseId: '(default)', deadlineMs: 60_000 });
  const all = jobs[Symbol.iterator]();
  const next = () => {
    const writes: { update: object }[] = [];
    for (let one = all.next(); !one.done; one = all.next()) {
      const name = `${database.root}/jobs/${jobName(one.value)}`;
      writes.push({ update: { name, fields: toFields({ ...one.value, input: INPUT }) } });
      if (writes.length === COMMIT_JOBS) break;
    }
    return writes;
  };
  const lanes = Array.from({ length: COMMITS_AT_ONCE }, async () => {
    for (let writes = next(); writes.length > 0; writes = next()) await database.commit(writes);
  });
  await Promise.all(lanes);
  await database.close();
}

/** Stores them in a SQLite file that is open, in one transaction. */
export async function fillSqlite(database: Database.Database, jobs: Iterable<Job>): Promise<void> {
  const store = sqliteJobStore(database, systemClock());
  database.exec('BEGIN');
  for (const job of jobs) await store.create(job, INPUT);
  database.exec('COMMIT');
}
