/** Writes that are committed together: one fails alone, and what was answered is on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allOrNone, groupedWrites, inSavepoint } from '../../shared/adapters/sqlite-writes.ts';

let folder: string;
let database: Database.Database;
const opened: Database.Database[] = [];

function open(): Database.Database {
  const one = new Database(join(folder, 'a.db'));
  opened.push(one);
  return one;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-writes-'));
  database = open();
  database.pragma('journal_mode = WAL');
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
});
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
  rmSync(folder, { recursive: true });
});

const put = (id: number, text: string | null) => () =>
  database.prepare('INSERT INTO t (id, text) VALUES (?, ?)').run(id, text).changes;
/** What somebody else finds, who sees what is committed. */
const found = () => (open().prepare('SELECT id FROM t ORDER BY id').all() as { id: number }[]).map(({ id }) => id);
const COMMITS: string[] = [];
function counted(): void {
  COMMITS.length = 0;
  const exec = database.exec.bind(database);
  database.exec = (sql: string) => {
    if (sql === 'COMMIT') COMMITS.push(sql);
    return exec(sql);
  };
}

test('those of one turn are one commit, and are there for others when they are answered, each with its own answer', async () => {
  counted();
  const { write } = groupedWrites(database);
  const answers = Promise.all([write(put(1, 'a')), write(() => `second ${put(2, 'b')()}`), write(put(3, 'c'))]);
  expect(found()).toEqual([]);
  expect(await answers).toEqual([1, 'second 1', 1]);
  expect(found()).toEqual([1, 2, 3]);
  expect(COMMITS).toHaveLength(1);
});

test('one that throws is a store that gave no answer, and costs the others of its turn nothing', async () => {
  counted();
  const { write } = groupedWrites(database);
  const twice = [put(1, 'a'), put(2, null), put(1, 'again'), put(3, 'c')].map((body) => write(body));
  const settled = await Promise.allSettled(twice);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: { code: 'store_unavailable' } });
  expect(found()).toEqual([1, 3]);
  // It was tried together first, and that was undone.
  expect(COMMITS).toEqual([]);
  expect(database.inTransaction).toBe(false);
  expect(await Promise.all([write(put(4, 'd')), write(put(5, 'e'))])).toEqual([1, 1]);
  expect(COMMITS).toHaveLength(1);
});

test('a later write sees the earlier one of its turn', async () => {
  const { write } = groupedWrites(database);
  const count = () => (database.prepare('SELECT count(*) AS rows FROM t').get() as { rows: number }).rows;
  const [before, , after] = await Promise.all([write(count), write(put(1, 'a')), write(count)]);
  expect([before, after]).toEqual([0, 1]);
});

test('at its end what waits is committed, and later writes are told that there is no store', async () => {
  const { write, end } = groupedWrites(database);
  const answers = [write(put(1, 'a')), write(put(2, 'b'))];
  end();
  expect(found()).toEqual([1, 2]);
  expect(await Promise.all(answers)).toEqual([1, 1]);
  database.close();
  await expect(write(put(3, 'c'))).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('part of a group is undone alone where it says so, or throws', async () => {
  const { write } = groupedWrites(database);
  const refused = () => allOrNone(database, [() => put(2, 'b')() === 1, () => false]);
  const thrown = () => {
    expect(() =>
      inSavepoint(database, () => {
        put(3, 'c')();
        throw new Error('no');
      }),
    ).toThrow('no');
    return 'thrown';
  };
  expect(await Promise.all([write(put(1, 'a')), write(refused), write(thrown), write(put(4, 'd'))])).toEqual([
    ...[1, false, 'thrown', 1],
  ]);
  expect(found()).toEqual([1, 4]);
});

test('where the disk is full, each is told, nothing is left open, and what came before stays', async () => {
  const { write } = groupedWrites(database);
  await write(put(1, 'a'));
  const [{ page_count: pages }] = database.pragma('page_count') as [{ page_count: number }];
  database.pragma(`max_page_count = ${pages}`);
  const large = 'x'.repeat(100_000);
  const settled = await Promise.allSettled([write(put(2, large)), write(put(3, large))]);
  expect(settled).toMatchObject([{ reason: { code: 'store_unavailable' } }, { reason: { code: 'store_unavailable' } }]);
  expect(database.inTransaction).toBe(false);
  expect(found()).toEqual([1]);
  database.pragma('max_page_count = 100000');
  expect(await Promise.all([write(put(2, large)), write(put(3, large))])).toEqual([1, 1]);
  expect(found()).toEqual([1, 2, 3]);
});
