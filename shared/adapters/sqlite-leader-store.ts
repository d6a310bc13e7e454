/** `LeaderStore` on SQLite. */
import type Database from 'libsql';
import type { LeaderStore } from '../core/leader-store.ts';
import { answered } from './sqlite-database.ts';

export type SqliteLeaderStore = LeaderStore & {
  /** Removes what may go by now, as Firestore does by itself. */
  purge(nowMs: number): void;
};

export function sqliteLeaderStore(database: Database.Database): SqliteLeaderStore {
  const select = database.prepare('SELECT id FROM leaders WHERE tenant = ? AND key = ?');
  const insert = database.prepare(
    'INSERT INTO leaders (tenant, key, id, delete_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const replace = database.prepare('UPDATE leaders SET id = ?, delete_at = ? WHERE tenant = ? AND key = ? AND id = ?');
  const remove = database.prepare('DELETE FROM leaders WHERE tenant = ? AND key = ? AND id = ?');
  const removeOld = database.prepare('DELETE FROM leaders WHERE delete_at <= ?');
  const idOf = (tenant: string, key: string) => (select.get(tenant, key) as { id: string } | undefined)?.id;

  return {
    get: answered(({ tenant, key }) => idOf(tenant, key)),
    lead: answered(({ tenant, key }, jobId, { before, deleteAt }) => {
      if (before !== undefined) replace.run(jobId, deleteAt, tenant, key, before);
      insert.run(tenant, key, jobId, deleteAt);
      return idOf(tenant, key);
    }),
    remove: answered(({ tenant, key }, jobId) => {
      remove.run(tenant, key, jobId);
    }),
    purge: (nowMs) => void removeOld.run(nowMs),
  };
}
