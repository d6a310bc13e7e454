/** Accounts on SQLite: a row for each, and one for each grant. */
import type Database from 'libsql';
import {
  type Account,
  type AccountChange,
  type AccountKey,
  type AccountStore,
  type DaySums,
  newAccount,
  oldDays,
  type StoredAccount,
} from '../core/accounts.ts';
import type { Amounts, Settled } from '../core/costs.ts';
import type { Clock } from '../core/ports.ts';
import { answered } from './sqlite-database.ts';
import { inSavepoint } from './sqlite-writes.ts';

type Row = { revision: number; account: string };

export type SqliteAccounts = {
  /** What a change of a job does to its user's account, within a transaction; `false`: the account is not as it was seen. */
  apply(tenant: string, settled: Settled | undefined, change: AccountChange | undefined): boolean;
};

export function sqliteAccounts(database: Database.Database): SqliteAccounts {
  const { find, save } = rowsOf(database);

  return {
    apply(tenant, settled, change) {
      if (settled) {
        const key = { tenant, user: settled.user };
        save(settle(find(key)?.account ?? newAccount(key, { subscription: 'inactive' }), settled));
      }
      if (change) {
        const found = find({ tenant, user: change.user });
        if (found?.revision !== change.seen.revision) return false;
        save(reserve(found.account, change));
      }
      return true;
    },
  };
}

export function sqliteAccountStore(database: Database.Database, clock: Clock): AccountStore {
  const { find, save } = rowsOf(database);
  const selectGrant = database.prepare('SELECT tokens FROM grants WHERE tenant = ? AND id = ?');
  const insertGrant = database.prepare(
    'INSERT INTO grants (tenant, id, user, tokens, granted_at) VALUES (?, ?, ?, ?, ?)',
  );

  return {
    get: answered((key): StoredAccount | undefined => {
      const found = find(key);
      return found && { ...found, readAtMs: clock.nowMs() };
    }),

    put: answered((key, { subscription, budget }) => {
      const { budget: _, ...kept } = find(key)?.account ?? newAccount(key, { subscription });
      save({ ...kept, subscription, ...(budget ? { budget } : {}) });
    }),

    grant: answered((key, { id, tokens }) => {
      const before = selectGrant.get(key.tenant, id) as { tokens: number } | undefined;
      if (before) return { refused: 'exists', tokens: before.tokens };
      const found = find(key);
      if (!found) return { refused: 'missing' };
      inSavepoint(database, () => {
        insertGrant.run(key.tenant, id, key.user, tokens, clock.nowMs());
        save({ ...found.account, balance: found.account.balance + tokens });
      });
      return { granted: true };
    }),
  };
}

function rowsOf(database: Database.Database) {
  const select = database.prepare('SELECT revision, account FROM accounts WHERE tenant = ? AND user = ?');
  const write = database.prepare(
    `INSERT INTO accounts (tenant, user, revision, account) VALUES (?, ?, 1, ?)
     ON CONFLICT DO UPDATE SET revision = revision + 1, account = excluded.account`,
  );

  return {
    find({ tenant, user }: AccountKey): { account: Account; revision: string } | undefined {
      const row = select.get(tenant, user) as Row | undefined;
      return row && { account: JSON.parse(row.account) as Account, revision: String(row.revision) };
    },
    save(account: Account): void {
      write.run(account.tenant, account.user, JSON.stringify(account));
    },
  };
}

function settle(account: Account, { day, released, charged }: Settled): Account {
  return {
    ...account,
    balance: account.balance - charged.tokens,
    reserved: add(account.reserved, released, -1),
    charged: add(account.charged, charged),
    nanoUsdByDay: onDay(account, day, { reserved: -released.nanoUsd, charged: charged.nanoUsd }),
  };
}

function reserve(account: Account, { hold, seen }: AccountChange): Account {
  const old = oldDays(account, seen.readAtMs);
  const days = Object.entries(account.nanoUsdByDay).filter(([day]) => !old.includes(day));
  const kept = { ...account, nanoUsdByDay: Object.fromEntries(days) };
  return {
    ...kept,
    reserved: add(account.reserved, hold),
    nanoUsdByDay: onDay(kept, hold.day, { reserved: hold.nanoUsd, charged: 0 }),
  };
}

function add(left: Amounts, right: Amounts, times: 1 | -1 = 1): Amounts {
  return { tokens: left.tokens + times * right.tokens, nanoUsd: left.nanoUsd + times * right.nanoUsd };
}

function onDay({ nanoUsdByDay }: Account, day: string, by: DaySums): Account['nanoUsdByDay'] {
  const { reserved, charged } = nanoUsdByDay[day] ?? { reserved: 0, charged: 0 };
  return { ...nanoUsdByDay, [day]: { reserved: reserved + by.reserved, charged: charged + by.charged } };
}
