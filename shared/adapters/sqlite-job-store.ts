/**
 * `JobStore` on SQLite: the whole job as JSON beside the few columns that queries need. libsql is synchronous, so each
 * method is one statement or one transaction that nothing can interrupt.
 */
import type Database from 'libsql';
import { applyChanges, type Job, type JobKey, type Json } from '../core/job.ts';
import { takenOver } from '../core/outbox.ts';
import type { Clock, JobQuery, JobStore, JobUpdate, StoredJob } from '../core/ports.ts';
import { givesBack } from '../core/slots.ts';
import { sqliteAccounts } from './sqlite-accounts.ts';
import { answered } from './sqlite-database.ts';
import { sqliteJobReaders } from './sqlite-job-readers.ts';
import { sqliteListWatchers } from './sqlite-list-watchers.ts';
import { whereOf } from './sqlite-queries.ts';
import { sqliteSlots } from './sqlite-slots.ts';
import { sqliteSums } from './sqlite-sums.ts';
import { allOrNone, inSavepoint, type Write, writeAtOnce } from './sqlite-writes.ts';

type Row = { revision: number; job: string; input?: string };

export type SqliteJobStore = JobStore & {
  /**
   * Ends every lease at once and makes its job due. For the start of the only process that uses the file: whoever held
   * those leases is dead. Answers how many there were.
   */
  endAllLeases(): number;
  /** Removes documents that may go by now, as Firestore does by itself. */
  purge(nowMs: number): void;
};

export function sqliteJobStore(database: Database.Database, clock: Clock, write: Write = writeAtOnce): SqliteJobStore {
  const insert = database.prepare(
    `INSERT INTO jobs (tenant, id, user, state, job_type, created_at, wake_at, revision, job, input)
     VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const select = database.prepare('SELECT revision, job FROM jobs WHERE tenant = ? AND id = ?');
  const selectInput = database.prepare('SELECT input FROM jobs WHERE tenant = ? AND id = ?');
  const selectWithInput = database.prepare('SELECT revision, job, input FROM jobs WHERE tenant = ? AND id = ?');
  const writing = (more: string) =>
    `UPDATE jobs SET state = ?, wake_at = ?, job = ?, revision = ? ${more} WHERE tenant = ? AND id = ? AND revision = ?`;
  const change = database.prepare(writing(''));
  const changeAndDropInput = database.prepare(writing(", input = 'null'"));
  const selectDue = database.prepare(
    'SELECT revision, job FROM jobs WHERE wake_at IS NOT NULL AND wake_at <= ? ORDER BY wake_at LIMIT ?',
  );
  // Of what waits there may be very much: it is not brought here to be looked at.
  const selectHeld = database.prepare(
    `SELECT revision, job FROM jobs WHERE wake_at IS NOT NULL AND
     ((state = 'processing' AND job ->> '$.leaseExpiresAt' IS NOT NULL) OR job ->> '$.outbox.token' IS NOT NULL)`,
  );
  const removeOld = database.prepare(
    "DELETE FROM jobs WHERE job ->> '$.deleteAt' IS NOT NULL AND job ->> '$.deleteAt' <= ?",
  );
  const selectParked = database.prepare(
    `SELECT revision, job FROM jobs WHERE tenant = ? AND job ->> '$.parkedFor' = ? AND job ->> '$.parkedFor' IS NOT NULL
     ORDER BY created_at LIMIT ?`,
  );
  const slots = sqliteSlots(database, clock);
  const accounts = sqliteAccounts(database);
  const watchers = new Map<string, (key: JobKey) => void>();

  function storedJob(job: Job, revision: number): StoredJob {
    // One process has one clock: whoever made the job and the store are the same.
    return { job, revision: String(revision), readAtMs: clock.nowMs(), storedAtMs: job.createdAt };
  }

  function toStored(row: Row): StoredJob {
    return storedJob(JSON.parse(row.job) as Job, row.revision);
  }

  function look({ tenant, id }: JobKey): StoredJob | undefined {
    const row = select.get(tenant, id) as Row | undefined;
    return row && toStored(row);
  }

  function list(query: JobQuery): StoredJob[] {
    const { where, values } = whereOf(query);
    const rows = database
      .prepare(`SELECT revision, job FROM jobs WHERE ${where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`)
      .all(...values, query.limit, query.offset) as Row[];
    return rows.map(toStored);
  }
  const lists = sqliteListWatchers({ list, clock });
  const readers = sqliteJobReaders({ look, clock });

  /** Not within the writer's own turn: who hears of it is somebody else. */
  function tellWatcher({ cancelFor = '', tenant, id }: Job): void {
    if (watchers.has(cancelFor)) clock.setTimer(() => watchers.get(cancelFor)?.({ tenant, id }), 0);
  }

  function tellAll(written: StoredJob): void {
    readers.tell(written.job, written);
    lists.changed(written.job);
  }

  function save(next: Job, revision: number, statement = change): boolean {
    const job = JSON.stringify(next);
    const { state, wakeAt, tenant, id } = next;
    return statement.run(state, wakeAt, job, revision + 1, tenant, id, revision).changes === 1;
  }

  function add(job: Job, input: Json): boolean {
    const { tenant, id, user, state, jobType, createdAt, wakeAt } = job;
    const values = [tenant, id, user, state, jobType, createdAt, wakeAt, JSON.stringify(job), JSON.stringify(input)];
    return insert.run(...values).changes === 1;
  }

  /** The job as it is now; `undefined`: it is not as it was seen. */
  function changeOther({ key: { tenant, id }, revision, changes }: JobUpdate): StoredJob | undefined {
    const row = select.get(tenant, id) as Row | undefined;
    if (!row || String(row.revision) !== revision) return undefined;
    const next = applyChanges(JSON.parse(row.job) as Job, changes);
    return save(next, row.revision) ? storedJob(next, row.revision + 1) : undefined;
  }

  return {
    async create(job, input, { with: other } = {}) {
      const written = await write((): StoredJob[] | 'exists' | 'changed' => {
        // Most of the time there is one statement, which needs no transaction.
        if (!other) return add(job, input) ? [storedJob(job, 1)] : 'exists';
        let changed: StoredJob | undefined;
        let isAdded = false;
        const addNew = () => {
          isAdded = add(job, input);
          return isAdded;
        };
        allOrNone(database, [
          addNew,
          () => {
            changed = changeOther(other);
            return changed !== undefined;
          },
        ]);
        if (changed) return [storedJob(job, 1), changed];
        return isAdded ? 'changed' : 'exists';
      });
      if (typeof written === 'string') return { refused: written };
      for (const one of written) tellAll(one);
      return { created: { revision: '1', atMs: clock.nowMs() } };
    },

    get: answered(look),

    getWithInput: answered(({ tenant, id }) => {
      const row = selectWithInput.get(tenant, id) as Required<Row> | undefined;
      return row && { ...toStored(row), input: JSON.parse(row.input) as Json };
    }),

    getMany: answered((keys) => keys.map(look)),

    inputs: answered((keys) =>
      keys.map(({ tenant, id }) => {
        const row = selectInput.get(tenant, id) as Pick<Required<Row>, 'input'> | undefined;
        return row && ((JSON.parse(row.input) as Json) ?? undefined);
      }),
    ),

    async update(key, revision, changes, { dropInput = false, slot, account } = {}) {
      const { tenant, id } = key;
      const written = await write((): StoredJob | 'missing' | 'changed' => {
        const row = select.get(tenant, id) as Row | undefined;
        if (!row) return 'missing';
        if (String(row.revision) !== revision) return 'changed';
        const next = applyChanges(JSON.parse(row.job) as Job, changes);
        const { settled } = changes;
        const saveJob = () => save(next, row.revision, dropInput ? changeAndDropInput : change);
        const slotStep = slot || givesBack(changes) ? [() => slots.apply(key, changes, slot)] : [];
        const accountStep = settled || account ? [() => accounts.apply(tenant, settled, account)] : [];
        const others = [...slotStep, ...accountStep];
        const isSaved = others.length === 0 ? saveJob() : allOrNone(database, [...others, saveJob]);
        return isSaved ? storedJob(next, row.revision + 1) : 'changed';
      });
      if (typeof written === 'string') return { refused: written };
      tellAll(written);
      tellWatcher(written.job);
      return { written: { revision: written.revision, atMs: clock.nowMs() } };
    },

    list: answered(list),

    ...sqliteSums(database),

    due: answered((nowMs, limit) => (selectDue.all(nowMs, limit) as Row[]).map(toStored)),

    slots: answered(slots.look),

    parked: answered((tenant, parkedFor, limit) => {
      const rows = parkedFor.flatMap((name) => selectParked.all(tenant, name, limit) as Row[]);
      const oldestFirst = rows.map(toStored).sort((left, right) => left.job.createdAt - right.job.createdAt);
      return oldestFirst.slice(0, limit);
    }),

    watchCancels(instance, onCancel) {
      watchers.set(instance, onCancel);
      return () => watchers.delete(instance);
    },

    watch: readers.watch,

    watchList: lists.watch,

    purge(nowMs) {
      if (removeOld.run(nowMs).changes === 0) return;
      readers.removed();
      lists.changed();
    },

    endAllLeases() {
      const nowMs = clock.nowMs();
      // The others wait for their next attempt, or to be told of, and go on waiting.
      const taken = inSavepoint(database, () =>
        (selectHeld.all() as Row[]).map((row) => {
          const job = JSON.parse(row.job) as Job;
          const next = applyChanges(job, takenOver(job, nowMs));
          save(next, row.revision);
          return { wasHeld: job.leaseExpiresAt !== null, written: storedJob(next, row.revision + 1) };
        }),
      );
      for (const { written } of taken) tellAll(written);
      return taken.filter(({ wasHeld }) => wasHeld).length;
    },
  };
}
