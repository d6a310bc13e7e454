/** `PartStore` on SQLite. */
import type Database from 'libsql';
import type { PartSetKey, PartStore } from '../core/part-store.ts';
import { answered } from './sqlite-database.ts';

export type SqlitePartStore = PartStore & {
  /** Removes what may go by now, as Firestore does by itself. */
  purge(nowMs: number): void;
};

export function sqlitePartStore(database: Database.Database): SqlitePartStore {
  // What is there stays: a part never changes.
  const insert = database.prepare(
    `INSERT INTO parts (tenant, id, set_name, n, text, delete_at, check_at) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`,
  );
  const select = database.prepare('SELECT text FROM parts WHERE tenant = ? AND id = ? AND set_name = ? AND n = ?');
  const update = database.prepare(
    'UPDATE parts SET check_at = ? WHERE tenant = ? AND id = ? AND set_name = ? AND n = 1',
  );
  const selectUnchecked = database.prepare(
    'SELECT tenant, id, set_name AS "set" FROM parts WHERE check_at <= ? ORDER BY check_at LIMIT ?',
  );
  const removeSet = database.prepare('DELETE FROM parts WHERE tenant = ? AND id = ? AND set_name = ?');
  const removeAll = database.prepare('DELETE FROM parts WHERE tenant = ? AND id = ?');
  const removeOld = database.prepare('DELETE FROM parts WHERE delete_at <= ?');

  return {
    put: answered(({ tenant, id, set }, { n, text, deleteAt, checkAt = null }) => {
      // As JSON: SQLite's own text ends at a NUL.
      insert.run(tenant, id, set, n, JSON.stringify(text), deleteAt, checkAt);
    }),

    get: answered(({ tenant, id, set }, n) => {
      const row = select.get(tenant, id, set, n) as { text: string } | undefined;
      return row && (JSON.parse(row.text) as string);
    }),

    check: answered(({ tenant, id, set }, checkAt) => {
      update.run(checkAt, tenant, id, set);
    }),

    unchecked: answered((nowMs, limit) => selectUnchecked.all(nowMs, limit) as PartSetKey[]),

    remove: answered(({ tenant, id, set }) => {
      if (set === undefined) removeAll.run(tenant, id);
      else removeSet.run(tenant, id, set);
    }),

    purge: (nowMs) => void removeOld.run(nowMs),
  };
}
