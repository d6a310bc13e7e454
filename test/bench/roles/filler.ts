/**
 * Stores many jobs in a SQLite file. A process of its own: the driver keeps a file that was closed until its statements
 * are collected, and a file has one process.
 */
import { openDatabase } from '../../../shared/adapters/sqlite-database.ts';
import type { JobKey } from '../../../shared/core/job.ts';
import { fillSqlite, manyJobs, remembering, type Samples } from '../../support/stored-jobs.ts';
import { serveRole } from '../support/role.ts';

serveRole({
  /** Answers the names of some of them. */
  async fill({ path, samples, count }: { path: string; samples: Samples; count: number }): Promise<JobKey[]> {
    const keys: JobKey[] = [];
    const database = openDatabase(path);
    await fillSqlite(database, remembering(manyJobs(samples, count), keys, count));
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    return keys;
  },
});
