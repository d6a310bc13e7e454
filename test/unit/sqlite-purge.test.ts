/** What SQLite removes as time passes, as Firestore's TTL does; that an index finds it; and files of older versions. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sqliteChunkStore } from '../../shared/adapters/sqlite-chunk-store.ts';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { sqlitePartStore } from '../../shared/adapters/sqlite-part-store.ts';
import { readConfig } from '../../shared/config.ts';
import type { Job } from '../../shared/core/job.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const THEN = 1_700_000_000_000;
const LOCAL = { tenant: 'default', user: 'local', scopes: [] };

/** The schema of the first version with a file, as it was. */
const FIRST_SCHEMA = `
  CREATE TABLE jobs (
    tenant TEXT NOT NULL, id TEXT NOT NULL, user TEXT NOT NULL, state TEXT NOT NULL, job_type TEXT NOT NULL,
    created_at INTEGER NOT NULL, wake_at INTEGER, revision INTEGER NOT NULL, job TEXT NOT NULL, input TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
  ) WITHOUT ROWID;
  CREATE INDEX jobs_by_user ON jobs (tenant, user, created_at DESC, id DESC);
  CREATE INDEX jobs_by_tenant ON jobs (tenant, created_at DESC, id DESC);
  CREATE INDEX jobs_due ON jobs (wake_at) WHERE wake_at IS NOT NULL;
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, published_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX messages_visible ON messages (visible_at);
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY, body TEXT NOT NULL, published_at INTEGER NOT NULL, died_at INTEGER NOT NULL
  );
`;
const CHUNKS = `CREATE TABLE chunks (
  tenant TEXT NOT NULL, id TEXT NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL, text TEXT NOT NULL,
  delete_at INTEGER NOT NULL, PRIMARY KEY (tenant, id, attempt, n)
) WITHOUT ROWID;`;

describe('in memory', () => {
  const clock = virtualClock(THEN);
  const statements: string[] = [];
  const database = openDatabase(':memory:');
  const noted = Object.assign(Object.create(database), {
    prepare(sql: string) {
      statements.push(sql);
      return database.prepare(sql);
    },
  }) as Database.Database;
  const store = sqliteJobStore(noted, clock);
  const chunks = sqliteChunkStore(noted, clock);
  const parts = sqlitePartStore(noted);
  afterAll(() => void database.close());

  test('a job goes at its instant, not before, and one that has none stays', async () => {
    const jobs = { soon: sampleJob({ deleteAt: THEN }), later: sampleJob({ deleteAt: THEN + 1 }), never: sampleJob() };
    for (const job of Object.values(jobs)) await store.create(job, 1);
    const there = async () => {
      const found = await store.getMany(Object.values(jobs));
      return Object.keys(jobs).filter((_, index) => found[index] !== undefined);
    };
    store.purge(THEN - 1);
    expect(await there()).toEqual(['soon', 'later', 'never']);
    store.purge(THEN);
    expect(await there()).toEqual(['later', 'never']);
    store.purge(THEN + 1);
    expect(await there()).toEqual(['never']);
    store.purge(Number.MAX_SAFE_INTEGER);
    expect(await there()).toEqual(['never']);
  });

  test('so does a chunk, whatever becomes of its job', async () => {
    const key = { tenant: 't', id: crypto.randomUUID() };
    for (const n of [1, 2]) await chunks.put(key, { attempt: 1, n, text: 'x' }, THEN + n);
    chunks.purge(THEN);
    expect(await chunks.list(key, 1, 0)).toHaveLength(2);
    chunks.purge(THEN + 1);
    expect(await chunks.list(key, 1, 0)).toMatchObject([{ n: 2 }]);
    store.purge(THEN + 2);
    expect(await chunks.list(key, 1, 0)).toHaveLength(1);
  });

  test('and a part, checked or not', async () => {
    const key = { tenant: 't', id: crypto.randomUUID(), set: '1-a' };
    const checkAt = THEN + 1_000;
    for (const n of [1, 2, 3]) await parts.put(key, { n, text: 'x', deleteAt: THEN + n, checkAt });
    const there = async () => [await parts.get(key, 1), await parts.get(key, 2), await parts.get(key, 3)];
    await parts.check(key, null);
    parts.purge(THEN);
    expect(await there()).toEqual(['x', 'x', 'x']);
    parts.purge(THEN + 2);
    expect(await there()).toEqual([undefined, undefined, 'x']);
    chunks.purge(THEN + 3);
    store.purge(THEN + 3);
    expect(await there()).toEqual([undefined, undefined, 'x']);
  });

  test.each([
    ['jobs', /DELETE FROM jobs/, 'jobs_old'],
    ['chunks', /DELETE FROM chunks WHERE delete_at/, 'chunks_old'],
    ['parts', /DELETE FROM parts WHERE delete_at/, 'parts_old'],
    ['sets', /FROM parts WHERE check_at/, 'parts_unchecked'],
  ])('an index finds the %s that may go, or are due', (_, which, index) => {
    const [statement, ...others] = statements.filter((sql) => which.test(sql));
    expect([statement, others]).toEqual([expect.stringMatching(which), []]);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${statement}`).all(THEN) as { detail: string }[];
    const details = plan.map(({ detail }) => detail);
    expect(details.join()).toContain(index);
    expect(details.filter((detail) => detail.startsWith('SCAN'))).toEqual([]);
  });
});

describe('a file of an older version', () => {
  let folder: string;
  let runtime: Awaited<ReturnType<typeof embeddedRuntime>>;
  const own = { tenant: 'default', user: 'local', createdAt: THEN };
  const ended = (over: Partial<Job> = {}) =>
    sampleJob({ ...own, state: 'completed', completedAt: THEN + 1, wakeAt: null, result: 'r', ...over });
  const old = ended();
  const failed = sampleJob({ ...own, state: 'failed', wakeAt: null, error: { code: 'auth', message: 'no' } });
  const tombstone = ended({ deleteAt: THEN + 2, deletedAt: THEN });
  const pending = sampleJob({ ...own, createdAt: Date.now(), wakeAt: Date.now() });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
    const path = join(folder, 'jobs.db');
    const before = new Database(path);
    before.exec(FIRST_SCHEMA + CHUNKS);
    const insert = before.prepare('INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)');
    for (const job of [old, failed, tombstone, pending]) {
      const { tenant, id, user, state, jobType, createdAt, wakeAt } = job;
      insert.run(tenant, id, user, state, jobType, createdAt, wakeAt, JSON.stringify(job), '{"prompt":"Hello."}');
    }
    const chunk = before.prepare("INSERT INTO chunks VALUES ('default', ?, 1, ?, '\"x\"', ?)");
    chunk.run(old.id, 1, THEN);
    chunk.run(old.id, 2, Date.now() + 3_600_000);
    before.close();
    const environment = { DATABASE_URL: path, SIMULATED_MS: '0', SWEEP_MS: '50', LOG_LEVEL: 'error' };
    runtime = await embeddedRuntime(readConfig(environment));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
  });

  test('opens; its jobs can be read, listed and deleted, and what is over stays', async () => {
    const { service } = runtime;
    expect((await service.read(LOCAL, old.id)).job).toEqual(old);
    const listed = (await service.list(LOCAL, { limit: 10, offset: 0 })).jobs.map(({ job }) => job.id);
    expect(new Set(listed)).toEqual(new Set([old.id, failed.id, pending.id]));
    const { job } = await service.remove(LOCAL, failed.id);
    // It was never told when its document may go.
    expect(job).toMatchObject({ deletedAt: expect.any(Number), error: { message: 'Deleted' } });
    expect(job.deleteAt).toBeGreaterThan(Date.now());
    await expect(service.read(LOCAL, failed.id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect((await service.read(LOCAL, old.id)).job.state).toBe('completed');
  });

  test('is worked on and purged by the process that opened it', async () => {
    const { service } = runtime;
    runtime.start();
    await expect
      .poll(async () => (await service.read(LOCAL, pending.id)).job.state, { timeout: 10_000 })
      .toBe('completed');
    expect((await service.read(LOCAL, pending.id)).job.expiresAt).toBeGreaterThan(Date.now());
    // A purged id can be used again; one of a tombstone cannot.
    const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' } };
    const again = () => service.submit(LOCAL, { ...submission, jobId: tombstone.id }).then(({ replayed }) => replayed);
    await expect.poll(() => again().catch(({ code }) => code), { timeout: 10_000 }).toBe(false);
    expect((await service.read(LOCAL, old.id)).job).toEqual(old);
    await runtime.close();
    expect(await chunksIn(join(folder, 'jobs.db'))).toEqual([2]);
  });

  /** Through a copy: this process may not have let go of the file yet. */
  async function chunksIn(path: string): Promise<number[]> {
    const copy = join(folder, 'copy.db');
    for (const end of ['', '-wal']) if (existsSync(path + end)) copyFileSync(path + end, copy + end);
    const rows = new Database(copy).prepare('SELECT n FROM chunks').all() as { n: number }[];
    return rows.map(({ n }) => n);
  }
});
