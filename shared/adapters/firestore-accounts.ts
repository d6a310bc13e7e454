/**
 * Accounts on Firestore: one document each in the collection `accounts`, named `<tenant>~<user>`, and one for each grant
 * in `grants`. What is released, charged or granted is added by increments, which nobody else's write can get in the way of.
 */
import {
  type Account,
  type AccountChange,
  type AccountKey,
  type DaySums,
  newAccount,
  oldDays,
  type StoredAccount,
} from '../core/accounts.ts';
import type { Settled } from '../core/costs.ts';
import type { Found } from './firestore-database.ts';
import { fromFields, fromRevision, toRevision } from './firestore-document.ts';

const NO_SUMS: DaySums = { reserved: 0, charged: 0 };

/** A user's name may hold what a document's may not. */
export function accountName(root: string, { tenant, user }: AccountKey): string {
  return `${root}/accounts/${tenant}~${user.replace(/[%/]/g, encodeURIComponent)}`;
}

/** The account in a document; what nobody wrote yet is nothing. */
export function accountIn(key: AccountKey, { document, readAtMs }: Found): StoredAccount {
  const fields = fromFields(document.fields ?? {}) as unknown as Partial<Account>;
  const none = newAccount(key, { subscription: 'inactive' });
  const days = Object.entries(fields.nanoUsdByDay ?? {}).map(([day, sums]) => [day, { ...NO_SUMS, ...sums }]);
  const sums = {
    reserved: { ...none.reserved, ...fields.reserved },
    charged: { ...none.charged, ...fields.charged },
    nanoUsdByDay: Object.fromEntries(days),
  };
  const account: Account = { ...none, ...fields, ...sums };
  return { account, revision: toRevision(document.updateTime ?? {}), readAtMs };
}

/** What a change of a job does to its user's account: at most one write of each kind. */
export function accountWrites(
  root: string,
  tenant: string,
  settled: Settled | undefined,
  change: AccountChange | undefined,
): Record<string, unknown>[] {
  const settling = settled && settle(accountName(root, { tenant, user: settled.user }), settled);
  const reserving = change && reserve(accountName(root, { tenant, user: change.user }), change);
  return [settling ?? [], reserving ?? []].flat();
}

function settle(name: string, { day, released, charged }: Settled): Record<string, unknown> {
  return increments(name, {
    balance: -charged.tokens,
    'reserved.tokens': -released.tokens,
    'reserved.nanoUsd': -released.nanoUsd,
    'charged.tokens': charged.tokens,
    'charged.nanoUsd': charged.nanoUsd,
    [`${ofDay(day)}.reserved`]: -released.nanoUsd,
    [`${ofDay(day)}.charged`]: charged.nanoUsd,
  });
}

function reserve(name: string, { hold, seen }: AccountChange): Record<string, unknown> {
  const added = {
    'reserved.tokens': hold.tokens,
    'reserved.nanoUsd': hold.nanoUsd,
    [`${ofDay(hold.day)}.reserved`]: hold.nanoUsd,
  };
  return {
    ...increments(name, added, oldDays(seen.account, seen.readAtMs).map(ofDay)),
    currentDocument: { updateTime: fromRevision(seen.revision) },
  };
}

/** Adds to fields, those that are not there, too; fields that are `gone` go. */
export function increments(name: string, by: Record<string, number>, gone: string[] = []): Record<string, unknown> {
  return {
    update: { name, fields: {} },
    updateMask: { fieldPaths: gone },
    updateTransforms: Object.entries(by)
      .filter(([, amount]) => amount !== 0)
      .map(([fieldPath, amount]) => ({ fieldPath, increment: { integerValue: amount } })),
  };
}

function ofDay(day: string): string {
  return `nanoUsdByDay.\`${day}\``;
}
