/**
 * `JobStore` on SQLite: the whole job as JSON beside the few columns that queries need. libsql is synchronous, so each
 * method is one statement or one transaction that nothing can interrupt.
 */
import type Database from 'libsql';
import { ServiceError } from '../core/errors.ts';
import { applyChanges, type Job, type JobKey, type Json } from '../core/job.ts';
import type { Clock, JobStore, StoredJob } from '../core/ports.ts';

type Row = { revision: number; job: string; input?: string };

export type SqliteJobStore = JobStore & {
  /**
   * Ends every lease at once and makes its job due. For the start of the only process that uses the file: whoever held
   * those leases is dead. Answers how many there were.
   */
  endAllLeases(): number;
};

export function sqliteJobStore(database: Database.Database, clock: Clock): SqliteJobStore {
  const insert = database.prepare(
    `INSERT INTO jobs (tenant, id, user, state, job_type, created_at, wake_at, revision, job, input)
     VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const select = database.prepare('SELECT revision, job FROM jobs WHERE tenant = ? AND id = ?');
  const selectWithInput = database.prepare('SELECT revision, job, input FROM jobs WHERE tenant = ? AND id = ?');
  const write = database.prepare(
    'UPDATE jobs SET state = ?, wake_at = ?, job = ?, revision = ? WHERE tenant = ? AND id = ? AND revision = ?',
  );
  const selectDue = database.prepare(
    'SELECT revision, job FROM jobs WHERE wake_at IS NOT NULL AND wake_at <= ? ORDER BY wake_at LIMIT ?',
  );
  const selectProcessing = database.prepare(
    "SELECT revision, job FROM jobs WHERE wake_at IS NOT NULL AND state = 'processing'",
  );
  const watchers = new Map<string, (key: JobKey) => void>();

  function toStored(row: Row): StoredJob {
    const job = JSON.parse(row.job) as Job;
    // One process has one clock: whoever made the job and the store are the same.
    return { job, revision: String(row.revision), readAtMs: clock.nowMs(), storedAtMs: job.createdAt };
  }

  /** Not within the writer's own turn: who hears of it is somebody else. */
  function tellWatcher({ cancelFor = '', tenant, id }: Job): void {
    if (watchers.has(cancelFor)) clock.setTimer(() => watchers.get(cancelFor)?.({ tenant, id }), 0);
  }

  function save(next: Job, revision: number): boolean {
    const job = JSON.stringify(next);
    const { state, wakeAt, tenant, id } = next;
    return write.run(state, wakeAt, job, revision + 1, tenant, id, revision).changes === 1;
  }

  return {
    create: answered((job, input) => {
      const { tenant, id, user, state, jobType, createdAt, wakeAt } = job;
      const values = [tenant, id, user, state, jobType, createdAt, wakeAt, JSON.stringify(job), JSON.stringify(input)];
      const stored = insert.run(...values).changes === 1;
      return stored ? { created: { revision: '1', atMs: clock.nowMs() } } : { refused: 'exists' };
    }),

    get: answered(({ tenant, id }) => {
      const row = select.get(tenant, id) as Row | undefined;
      return row && toStored(row);
    }),

    getWithInput: answered(({ tenant, id }) => {
      const row = selectWithInput.get(tenant, id) as Required<Row> | undefined;
      return row && { ...toStored(row), input: JSON.parse(row.input) as Json };
    }),

    update: answered(({ tenant, id }, revision, changes) => {
      const row = select.get(tenant, id) as Row | undefined;
      if (!row) return { refused: 'missing' };
      const next = applyChanges(JSON.parse(row.job) as Job, changes);
      if (String(row.revision) !== revision || !save(next, row.revision)) return { refused: 'changed' };
      tellWatcher(next);
      return { written: { revision: String(row.revision + 1), atMs: clock.nowMs() } };
    }),

    list: answered(({ tenant, user, state, jobType, limit, offset }) => {
      const filters = Object.entries({ tenant, user, state, job_type: jobType }).filter(
        ([, value]) => value !== undefined,
      );
      const where = filters.map(([column]) => `${column} = ?`).join(' AND ');
      const rows = database
        .prepare(`SELECT revision, job FROM jobs WHERE ${where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`)
        .all(...filters.map(([, value]) => value), limit, offset) as Row[];
      return rows.map((row) => toStored(row).job);
    }),

    due: answered((nowMs, limit) => (selectDue.all(nowMs, limit) as Row[]).map(toStored)),

    watchCancels(instance, onCancel) {
      watchers.set(instance, onCancel);
      return () => watchers.delete(instance);
    },

    endAllLeases() {
      const endLeases = database.transaction(() => {
        const nowMs = clock.nowMs();
        const processing = (selectProcessing.all() as Row[]).map((row) => ({ row, job: JSON.parse(row.job) as Job }));
        // The others wait for their next attempt, and go on waiting.
        const leased = processing.filter(({ job }) => job.leaseExpiresAt !== null);
        for (const { row, job } of leased) save({ ...job, leaseExpiresAt: nowMs, wakeAt: nowMs }, row.revision);
        return leased.length;
      });
      return endLeases();
    },
  };
}

/** A method of the port from its synchronous body: a full disk or a broken file is a store that gave no answer. */
function answered<A extends unknown[], T>(body: (...values: A) => T): (...values: A) => Promise<T> {
  return async (...values) => {
    try {
      return body(...values);
    } catch (cause) {
      throw new ServiceError('store_unavailable', 'The store gave no answer.', { cause, retryAfterMs: 1_000 });
    }
  };
}
