/** Accounts of users: what is kept of one, what follows from it, and the port behind which they are kept. */
import type { Amounts, Hold } from './costs.ts';
import { dayOf } from './utc.ts';

export const SUBSCRIPTIONS = ['active', 'inactive'] as const;
export type Subscription = (typeof SUBSCRIPTIONS)[number];

export const BUDGET_PERIODS = ['day', 'month'] as const;
/** Of UTC, by the store's clock. */
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];
export type Budget = { nanoUsd: number; period: BudgetPeriod };

export type AccountKey = { tenant: string; user: string };
/** What an administrator says of an account. */
export type AccountSettings = { subscription: Subscription; budget?: Budget | undefined };

/** Money of the jobs that reserved it on one day: what they still hold, and what those that ended were charged. */
export type DaySums = { reserved: number; charged: number };

export type Account = AccountKey &
  AccountSettings & {
    /** Tokens granted minus tokens charged; below 0 after a call that used more than it reserved. */
    balance: number;
    /** What jobs that are not over hold. */
    reserved: Amounts;
    /** What all jobs that ended were charged together. */
    charged: Amounts;
    /** By day, like `2025-01-18`; at least two months of them. */
    nanoUsdByDay: Readonly<Record<string, DaySums>>;
  };

/** An account as the store held it at `readAtMs`; `revision` names that state of it. */
export type StoredAccount = { account: Account; revision: string; readAtMs: number };

/** What the commit that changes a job reserves for it, provided that the account is still as it was `seen`. */
export type AccountChange = { user: string; hold: Hold; seen: StoredAccount };

/** Where accounts live. Methods answer within a few seconds or throw `store_unavailable`. */
export type AccountStore = {
  /** As new as the last acknowledged write; `undefined` when there is none. One read. */
  get(key: AccountKey): Promise<StoredAccount | undefined>;
  /** Creates an account that has nothing, or changes the settings of the one that is there, and nothing else of it. */
  put(key: AccountKey, settings: AccountSettings): Promise<void>;
  /**
   * Adds tokens to an account, once for each id, whatever else is written to it meanwhile. `exists`: a grant of this id was
   * given before, of so many tokens; nothing was changed.
   */
  grant(
    key: AccountKey,
    grant: { id: string; tokens: number },
  ): Promise<{ granted: true } | { refused: 'exists'; tokens: number } | { refused: 'missing' }>;
};

const DAY_MS = 86_400_000;
/** A month's budget looks at 31 days. */
const DAYS_KEPT = 62;

/** An account that has nothing. */
export function newAccount({ tenant, user }: AccountKey, settings: AccountSettings): Account {
  const nothing = { tokens: 0, nanoUsd: 0 };
  return { ...{ tenant, user, ...settings }, balance: 0, reserved: nothing, charged: nothing, nanoUsdByDay: {} };
}

/** Tokens that no job holds. */
export function availableTokens({ balance, reserved }: Account): number {
  return balance - reserved.tokens;
}

/** What was reserved and charged in the budget's period that this instant is in. */
export function periodSums({ nanoUsdByDay }: Account, period: BudgetPeriod, nowMs: number): DaySums {
  const today = dayOf(nowMs);
  const begins = period === 'day' ? today : today.slice(0, 'YYYY-MM'.length);
  const days = Object.entries(nanoUsdByDay).filter(([day]) => day.startsWith(begins));
  const sum = (name: keyof DaySums) => days.reduce((total, [, sums]) => total + sums[name], 0);
  return { reserved: sum('reserved'), charged: sum('charged') };
}

/** When the period that this instant is in ends. */
export function periodEndsAt(period: BudgetPeriod, nowMs: number): number {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  return period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
}

/** Days that no budget looks at any more, and of which no job holds anything. */
export function oldDays({ nanoUsdByDay }: Account, nowMs: number): string[] {
  const first = dayOf(nowMs - DAYS_KEPT * DAY_MS);
  const days = Object.entries(nanoUsdByDay);
  return days.filter(([day, { reserved }]) => day < first && reserved === 0).map(([day]) => day);
}
