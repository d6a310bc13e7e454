/** What every `AccountStore` must do: the comments of the port, one test each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccountKey, type AccountStore, newAccount } from '../../shared/core/accounts.ts';

export type OpenAccounts = () => Promise<{ accounts: AccountStore; close(): Promise<void> }>;

/** Names that a document's path, or SQL, would take for something else. */
export const NAMES = [
  'ada',
  'firebase:ada/../bob',
  '100%',
  '%2F',
  'a~b',
  "o'brien",
  '.',
  '__x__',
  '日本 👩‍🔬',
  'x'.repeat(300),
];

export function accountStoreContract(name: string, open: OpenAccounts): void {
  describe(`AccountStore on ${name}`, () => {
    let store: AccountStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      const opened = await open();
      store = opened.accounts;
      close = opened.close;
    });
    afterAll(() => close());

    const keyOf = (user = 'ada'): AccountKey => ({ tenant: `tenant-${crypto.randomUUID()}`, user });
    const grantOf = (tokens: number) => ({ id: crypto.randomUUID(), tokens });
    async function made(user?: string): Promise<AccountKey> {
      const key = keyOf(user);
      await store.put(key, { subscription: 'active' });
      return key;
    }
    const accountOf = async (key: AccountKey) => (await store.get(key))?.account;

    test('an account that nobody made is not there', async () => {
      expect(await store.get(keyOf())).toBeUndefined();
    });

    test.each(NAMES)('an account of %j is made with nothing in it, of its tenant alone', async (user) => {
      const key = await made(user);
      const readAtMs = expect.any(Number);
      const account = newAccount(key, { subscription: 'active' });
      expect(await store.get(key)).toStrictEqual({ account, revision: expect.any(String), readAtMs });
      expect(await store.get({ ...key, tenant: `${key.tenant}-other` })).toBeUndefined();
    });

    test('names that look alike are not the same', async () => {
      const { tenant } = keyOf();
      for (const user of NAMES) await store.put({ tenant, user }, { subscription: 'active' });
      for (const [index, user] of NAMES.entries()) await store.grant({ tenant, user }, grantOf(index + 1));
      const balances = await Promise.all(NAMES.map(async (user) => (await accountOf({ tenant, user }))?.balance));
      expect(balances).toEqual(NAMES.map((_, index) => index + 1));
    });

    test('a read has the time of the store', async () => {
      const key = await made();
      const before = Date.now();
      const readAtMs = (await store.get(key))?.readAtMs ?? 0;
      expect(Math.abs(readAtMs - before)).toBeLessThan(5_000);
    });

    test('settings are changed, and nothing else is; a budget that is not given goes', async () => {
      const key = await made();
      await store.grant(key, grantOf(500));
      const budget = { nanoUsd: 1_500_000_000, period: 'month' } as const;
      await store.put(key, { subscription: 'inactive', budget });
      expect(await accountOf(key)).toStrictEqual({
        ...newAccount(key, { subscription: 'inactive', budget }),
        balance: 500,
      });
      await store.put(key, { subscription: 'active' });
      expect(await accountOf(key)).toStrictEqual({ ...newAccount(key, { subscription: 'active' }), balance: 500 });
    });

    test('each change is another revision, and a look is none', async () => {
      const key = await made();
      const revisions = [(await store.get(key))?.revision, (await store.get(key))?.revision];
      expect(new Set(revisions).size).toBe(1);
      await store.grant(key, grantOf(1));
      revisions.push((await store.get(key))?.revision);
      await store.put(key, { subscription: 'inactive' });
      revisions.push((await store.get(key))?.revision);
      expect(new Set(revisions).size).toBe(3);
    });

    test('a grant adds tokens, or takes them away', async () => {
      const key = await made();
      expect(await store.grant(key, grantOf(1_000))).toEqual({ granted: true });
      expect(await store.grant(key, grantOf(-1_250))).toEqual({ granted: true });
      expect(await accountOf(key)).toMatchObject({ balance: -250, charged: { tokens: 0, nanoUsd: 0 } });
    });

    test('a grant of one id is given once, also many at once, and says how many tokens it was', async () => {
      const key = await made();
      const grant = grantOf(700);
      const answers = await Promise.all(Array.from({ length: 8 }, () => store.grant(key, grant)));
      expect(answers.filter((answer) => 'granted' in answer)).toHaveLength(1);
      expect(answers.filter((answer) => 'refused' in answer)).toEqual(
        Array(7).fill({ refused: 'exists', tokens: 700 }),
      );
      expect(await store.grant(key, { ...grant, tokens: 800 })).toEqual({ refused: 'exists', tokens: 700 });
      expect(await accountOf(key)).toMatchObject({ balance: 700 });
    });

    test('of many grants and settings at once none is lost', async () => {
      const key = await made();
      await Promise.all([
        ...Array.from({ length: 20 }, (_, n) => store.grant(key, grantOf(n + 1))),
        store.put(key, { subscription: 'inactive' }),
      ]);
      expect(await accountOf(key)).toMatchObject({ balance: 210, subscription: 'inactive' });
    });

    test('an account that is not there gets nothing, and its grant may be given later', async () => {
      const key = keyOf();
      const grant = grantOf(5);
      expect(await store.grant(key, grant)).toEqual({ refused: 'missing' });
      expect(await store.get(key)).toBeUndefined();
      await store.put(key, { subscription: 'active' });
      expect(await store.grant(key, grant)).toEqual({ granted: true });
    });
  });
}
