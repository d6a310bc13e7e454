/** What many jobs on SQLite are together: counts, sums and the arms of experiments. */
import type Database from 'libsql';
import { NOTHING_SPENT } from '../core/costs.ts';
import { JOB_STATES, type JobState } from '../core/job.ts';
import type { JobStore, UsageSums } from '../core/ports.ts';
import { answered } from './sqlite-database.ts';
import { ARM, whereOf } from './sqlite-queries.ts';

export function sqliteSums(database: Database.Database): Pick<JobStore, 'countByState' | 'arms' | 'usage'> {
  return {
    countByState: answered(({ tenant, user, batchId }, nowMs) => {
      const { where, values } = whereOf({ tenant, user, batchId });
      const notExpired = "(job ->> '$.expiresAt' IS NULL OR job ->> '$.expiresAt' > ?)";
      const rows = database
        .prepare(`SELECT state, count(*) AS jobs FROM jobs WHERE ${where} AND ${notExpired} GROUP BY state`)
        .all(...values, nowMs) as { state: JobState; jobs: number }[];
      const counted = new Map(rows.map(({ state, jobs }) => [state, jobs]));
      return Object.fromEntries(JOB_STATES.map((state) => [state, counted.get(state) ?? 0])) as Record<
        JobState,
        number
      >;
    }),

    arms: answered((query, limit) => {
      const { where, values } = whereOf(query);
      const rows = database
        .prepare(`SELECT DISTINCT ${ARM} AS arm FROM jobs WHERE ${where} AND ${ARM} IS NOT NULL ORDER BY arm LIMIT ?`)
        .all(...values, limit) as { arm: string }[];
      return rows.map(({ arm }) => arm);
    }),

    usage: answered(({ createdFrom, createdTo, ...query }) => {
      const { where, values } = whereOf(query);
      const sums = Object.keys(NOTHING_SPENT).map((name) => `total(job ->> '$.spent.${name}') AS ${name}`);
      const rows = database
        .prepare(
          `SELECT count(*) AS jobs, ${sums.join(', ')} FROM jobs WHERE ${where} AND created_at >= ? AND created_at < ?`,
        )
        .all(...values, createdFrom, createdTo);
      return rows[0] as UsageSums;
    }),
  };
}
