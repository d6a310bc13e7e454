/**
 * Opens the file in which one process keeps its jobs and messages. The process holds the file alone: nobody else can
 * have a live lease in it, which is what lets a restart take over every lease at once.
 */
import { closeSync, openSync } from 'node:fs';
import Database from 'libsql';
import { writeAtOnce } from './sqlite-writes.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    tenant TEXT NOT NULL, id TEXT NOT NULL, user TEXT NOT NULL, state TEXT NOT NULL, job_type TEXT NOT NULL,
    created_at INTEGER NOT NULL, wake_at INTEGER, revision INTEGER NOT NULL, job TEXT NOT NULL, input TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
  );
  CREATE INDEX IF NOT EXISTS jobs_by_user ON jobs (tenant, user, created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS jobs_by_tenant ON jobs (tenant, created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (tenant, state, created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS jobs_due ON jobs (wake_at) WHERE wake_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS jobs_by_batch ON jobs (tenant, job ->> '$.batchId', created_at DESC, id DESC);
  CREATE INDEX IF NOT EXISTS jobs_old ON jobs (job ->> '$.deleteAt') WHERE job ->> '$.deleteAt' IS NOT NULL;
  CREATE INDEX IF NOT EXISTS jobs_parked ON jobs (tenant, job ->> '$.parkedFor', created_at)
    WHERE job ->> '$.parkedFor' IS NOT NULL;

  CREATE INDEX IF NOT EXISTS jobs_by_arm ON jobs (tenant, job ->> '$.arm', user, created_at)
    WHERE job ->> '$.arm' IS NOT NULL;

  CREATE TABLE IF NOT EXISTS slot_sets (
    tenant TEXT PRIMARY KEY, revision INTEGER NOT NULL, waiting TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS slots (
    tenant TEXT NOT NULL, id TEXT NOT NULL, model TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS chunks (
    tenant TEXT NOT NULL, id TEXT NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL, text TEXT NOT NULL,
    delete_at INTEGER NOT NULL, PRIMARY KEY (tenant, id, attempt, n)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS chunks_old ON chunks (delete_at);
  CREATE TABLE IF NOT EXISTS parts (
    tenant TEXT NOT NULL, id TEXT NOT NULL, set_name TEXT NOT NULL, n INTEGER NOT NULL, text TEXT NOT NULL,
    delete_at INTEGER NOT NULL, check_at INTEGER, PRIMARY KEY (tenant, id, set_name, n)
  );
  CREATE INDEX IF NOT EXISTS parts_old ON parts (delete_at);
  CREATE INDEX IF NOT EXISTS parts_unchecked ON parts (check_at) WHERE check_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS leaders (
    tenant TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, delete_at INTEGER NOT NULL, PRIMARY KEY (tenant, key)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS leaders_old ON leaders (delete_at);
  CREATE TABLE IF NOT EXISTS estimates (
    tenant TEXT NOT NULL, job_type TEXT NOT NULL, model_id TEXT NOT NULL, usual_ms INTEGER NOT NULL,
    jobs INTEGER NOT NULL, PRIMARY KEY (tenant, job_type, model_id)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS api_keys (
    hash TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, tenant TEXT NOT NULL, user TEXT NOT NULL,
    scopes TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER, last_used_at INTEGER
  ) WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS accounts (
    tenant TEXT NOT NULL, user TEXT NOT NULL, revision INTEGER NOT NULL, account TEXT NOT NULL,
    PRIMARY KEY (tenant, user)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS grants (
    tenant TEXT NOT NULL, id TEXT NOT NULL, user TEXT NOT NULL, tokens INTEGER NOT NULL, granted_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, published_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX IF NOT EXISTS messages_visible ON messages (visible_at);
  CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY, body TEXT NOT NULL, published_at INTEGER NOT NULL, died_at INTEGER NOT NULL
  );
`;

/** Opens or creates the database. Throws with a sentence for people when another process has it open. */
export function openDatabase(path: string): Database.Database {
  const database = open(path);
  try {
    // Kept until the process ends, however it ends. FULL: an answered write survives a power cut, too.
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    // Copied back less often: a job's pages are written three times before they are.
    database.pragma('wal_autocheckpoint = 4000');
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) {
      throw new Error(`${path} is in use by another process. Stop that one, or set DATABASE_URL to another file.`);
    }
    throw cannotOpen(path, error);
  }
}

function open(path: string): Database.Database {
  try {
    // SQLite would make it readable for everybody on the machine, and its log beside it as the file is.
    if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600));
    return new Database(path);
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

function cannotOpen(path: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${path} cannot be opened (${reason}). Set DATABASE_URL to a file in a folder that exists.`, {
    cause,
  });
}

/** For what is best effort: a full disk or a broken file is no reason to say anything. */
export function quietly(body: () => void): void {
  try {
    body();
  } catch {}
}

/** A method of a port from its synchronous body: a full disk or a broken file is a store that gave no answer. */
export function answered<A extends unknown[], T>(body: (...values: A) => T): (...values: A) => Promise<T> {
  return (...values) => writeAtOnce(() => body(...values));
}
