/** `ApiKeyStore` on SQLite. */
import type Database from 'libsql';
import type { Scope } from '../core/access.ts';
import { type ApiKey, type ApiKeyStore, isKeyIdPrefix } from '../core/api-keys.ts';
import { answered } from './sqlite-database.ts';

type Row = Record<'hash' | 'name' | 'tenant' | 'user' | 'scopes', string> & {
  id: string;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
};

export function sqliteApiKeyStore(database: Database.Database): ApiKeyStore {
  const insert = database.prepare(
    `INSERT INTO api_keys (hash, id, name, tenant, user, scopes, created_at, expires_at, revoked_at, last_used_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const select = database.prepare('SELECT * FROM api_keys WHERE hash = ?');
  const selectAll = database.prepare('SELECT * FROM api_keys ORDER BY created_at DESC, hash');
  const selectOf = database.prepare('SELECT * FROM api_keys WHERE tenant = ? ORDER BY created_at DESC, hash');
  // An id begins its hash, and a hexadecimal digit is less than g.
  const selectFrom = database.prepare("SELECT * FROM api_keys WHERE hash >= ? AND hash < ? || 'g' LIMIT 2");
  const setRevoked = database.prepare('UPDATE api_keys SET revoked_at = ? WHERE hash = ?');
  const setUsed = database.prepare('UPDATE api_keys SET last_used_at = ? WHERE hash = ?');

  return {
    create: answered((key) => {
      const { hash, id, name, tenant, user, scopes, createdAt } = key;
      const ends = [key.expiresAt ?? null, key.revokedAt ?? null, key.lastUsedAt ?? null];
      const { changes } = insert.run(hash, id, name, tenant, user, scopes.join(), createdAt, ...ends);
      return changes === 1 ? { created: true } : { refused: 'exists' };
    }),
    get: answered((hash) => {
      const row = select.get(hash) as Row | undefined;
      return row && toKey(row);
    }),
    list: answered((tenant) => {
      const rows = tenant === undefined ? selectAll.all() : selectOf.all(tenant);
      return (rows as Row[]).map(toKey);
    }),
    revoke: answered((idPrefix, atMs) => {
      const found = isKeyIdPrefix(idPrefix) ? (selectFrom.all(idPrefix, idPrefix) as Row[]) : [];
      const [row] = found;
      if (!row) return { refused: 'missing' };
      if (found.length > 1) return { refused: 'ambiguous' };
      const revokedAt = row.revoked_at ?? atMs;
      setRevoked.run(revokedAt, row.hash);
      return { revoked: { ...toKey(row), revokedAt } };
    }),
    touch: answered((hash, atMs) => {
      setUsed.run(atMs, hash);
    }),
  };
}

function toKey({ hash, id, name, tenant, user, scopes, ...at }: Row): ApiKey {
  return {
    ...{ hash, id, name, tenant, user, createdAt: at.created_at },
    scopes: (scopes === '' ? [] : scopes.split(',')) as Scope[],
    ...(at.expires_at === null ? {} : { expiresAt: at.expires_at }),
    ...(at.revoked_at === null ? {} : { revokedAt: at.revoked_at }),
    ...(at.last_used_at === null ? {} : { lastUsedAt: at.last_used_at }),
  };
}
