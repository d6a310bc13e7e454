/** What every `ApiKeyStore` must do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiKey, ApiKeyStore } from '../../shared/core/api-keys.ts';

export type OpenKeys = () => Promise<{ apiKeys: ApiKeyStore; close(): Promise<void> }>;

const NOW_MS = 1_700_000_000_123;
const DIGITS = 64;

export function apiKeyStoreContract(name: string, open: OpenKeys): void {
  describe(`ApiKeyStore on ${name}`, () => {
    let store: ApiKeyStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      const opened = await open();
      store = opened.apiKeys;
      close = opened.close;
    });
    afterAll(() => close());

    const newHash = () => (crypto.randomUUID() + crypto.randomUUID()).replaceAll('-', '').padEnd(DIGITS, '0');
    async function kept(over: Partial<ApiKey> = {}): Promise<ApiKey> {
      const { hash = newHash() } = over;
      const key: ApiKey = {
        ...{ id: hash.slice(0, 12), hash, name: 'reports', tenant: 'default', user: 'key:reports' },
        ...{ scopes: ['jobs:read', 'jobs:write'], createdAt: NOW_MS, ...over },
      };
      expect(await store.create(key)).toEqual({ created: true });
      return key;
    }

    test('a key that nobody made is not there', async () => {
      expect(await store.get(newHash())).toBeUndefined();
    });

    test('what was made is read back as it was', async () => {
      const plain = await kept();
      const full = await kept({
        ...{ name: 'a.b', tenant: 'acme', user: 'ada@example.com', scopes: ['admin'] },
        ...{ expiresAt: NOW_MS + 1, revokedAt: NOW_MS + 2, lastUsedAt: NOW_MS + 3 },
      });
      expect(await store.get(plain.hash)).toStrictEqual(plain);
      expect(await store.get(full.hash)).toStrictEqual(full);
    });

    test('a second one of the same hash is refused, and changes nothing', async () => {
      const key = await kept();
      expect(await store.create({ ...key, name: 'other', scopes: ['admin'] })).toEqual({ refused: 'exists' });
      expect(await store.get(key.hash)).toStrictEqual(key);
    });

    test('a list shows the newest first, of one tenant or of all, with those that were revoked', async () => {
      const tenant = `tenant-${crypto.randomUUID()}`;
      const old = await kept({ tenant, createdAt: NOW_MS - 1_000, revokedAt: NOW_MS });
      const newest = await kept({ tenant, createdAt: NOW_MS + 1_000 });
      const middle = await kept({ tenant });
      const foreign = await kept({ tenant: `${tenant}-other` });
      expect(await store.list(tenant)).toStrictEqual([newest, middle, old]);
      expect(await store.list(`${tenant}-none`)).toEqual([]);
      const all = (await store.list()).map(({ hash }) => hash);
      expect(all).toEqual(expect.arrayContaining([old, newest, middle, foreign].map(({ hash }) => hash)));
    });

    test('a key is revoked by its id or how it begins, and stays revoked when it was', async () => {
      const key = await kept();
      const revoked = { ...key, revokedAt: NOW_MS + 5 };
      expect(await store.revoke(key.id, NOW_MS + 5)).toStrictEqual({ revoked });
      expect(await store.get(key.hash)).toStrictEqual(revoked);
      expect(await store.revoke(key.id.slice(0, 11), NOW_MS + 99)).toStrictEqual({ revoked });
      expect(await store.get(key.hash)).toStrictEqual(revoked);
    });

    test('where more than one begins so, none is revoked; the last digits of two neighbours are told apart', async () => {
      const start = newHash().slice(0, 10);
      const [first, last] = [
        await kept({ hash: `${start}0f`.padEnd(64, 'f') }),
        await kept({ hash: start.padEnd(64, 'f') }),
      ];
      expect(await store.revoke(start, NOW_MS)).toEqual({ refused: 'ambiguous' });
      expect([await store.get(first.hash), await store.get(last.hash)]).toStrictEqual([first, last]);
      expect(await store.revoke(`${start}f`, NOW_MS)).toMatchObject({ revoked: { hash: last.hash } });
      expect(await store.get(first.hash)).toStrictEqual(first);
    });

    test.each(['', 'zz', '%', '_', 'ABC', '../x', '0'.repeat(65)])('%j is no id, and revokes nothing', async (text) => {
      const key = await kept({ hash: newHash() });
      expect(await store.revoke(text, NOW_MS)).toEqual({ refused: 'missing' });
      expect(await store.get(key.hash)).toStrictEqual(key);
    });

    test('an id that nobody has', async () => {
      expect(await store.revoke(newHash().slice(0, 12), NOW_MS)).toEqual({ refused: 'missing' });
    });

    test('a use is noted, and changes nothing else; of a key that is not there, nothing', async () => {
      const key = await kept({ expiresAt: NOW_MS + 9 });
      await store.touch(key.hash, NOW_MS + 5);
      expect(await store.get(key.hash)).toStrictEqual({ ...key, lastUsedAt: NOW_MS + 5 });
      const nobody = newHash();
      await store.touch(nobody, NOW_MS);
      expect(await store.get(nobody)).toBeUndefined();
    });

    test('a use and a revocation at once: both are there', async () => {
      const key = await kept();
      await Promise.all([store.touch(key.hash, NOW_MS + 1), store.revoke(key.id, NOW_MS + 2)]);
      expect(await store.get(key.hash)).toStrictEqual({ ...key, lastUsedAt: NOW_MS + 1, revokedAt: NOW_MS + 2 });
    });
  });
}
