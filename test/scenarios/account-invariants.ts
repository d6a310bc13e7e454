/** I6, the money: what must hold of an account at every commit, and when all of its jobs are over. */
import { expect } from 'vitest';
import type { Account, AccountStore } from '../../shared/core/accounts.ts';
import type { Amounts } from '../../shared/core/costs.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';

const AMOUNTS = ['tokens', 'nanoUsd'] as const;

/** What does not hold of an account, by itself: `granted` are the tokens that it was given. */
export function brokenAccount(account: Account, granted: number, overrun = Number.POSITIVE_INFINITY): string[] {
  const { user, balance, reserved, charged, nanoUsdByDay } = account;
  const days = Object.values(nanoUsdByDay);
  const sum = (name: 'reserved' | 'charged') => days.reduce((total, day) => total + day[name], 0);
  const broken = (isBroken: boolean, what: string) =>
    isBroken ? [`I6 ${user}: ${what} ${JSON.stringify(account)}`] : [];
  return [
    ...broken(balance + charged.tokens !== granted, `balance and charges are not the ${granted} granted`),
    ...broken(
      AMOUNTS.some((name) => reserved[name] < 0 || charged[name] < 0),
      'less than nothing is held or charged',
    ),
    ...broken(reserved.tokens + charged.tokens > granted + overrun, `more than was granted and ${overrun} over`),
    ...broken(sum('reserved') !== reserved.nanoUsd, 'the days do not add up to what is held'),
    ...broken(sum('charged') !== charged.nanoUsd, 'the days do not add up to what was charged'),
  ];
}

/** What does not hold of an account and all of its jobs, as they are at one instant. */
export function brokenLedger(account: Account, jobs: readonly Job[], granted: number): string[] {
  const { user, reserved, charged } = account;
  const sum = (amounts: readonly Amounts[], name: 'tokens' | 'nanoUsd') =>
    amounts.reduce((total, amount) => total + amount[name], 0);
  const holds = jobs.flatMap(({ hold, settled }) => (hold && !settled ? hold : []));
  const ledger = jobs.flatMap(({ settled }) => settled ?? []);
  const overrun = ledger.reduce((total, one) => total + Math.max(0, one.charged.tokens - one.released.tokens), 0);
  const wrong = jobs.filter(
    ({ hold, settled, state, attempt }) =>
      (hold === undefined) !== (attempt === 0) || (settled !== undefined) !== (hold !== undefined && isTerminal(state)),
  );
  const charges = ledger.map((settled) => settled.charged);
  return [
    ...brokenAccount(account, granted, overrun),
    ...AMOUNTS.filter((name) => sum(holds, name) !== reserved[name]).map(
      (name) => `I6 ${user}: ${name} held by jobs: ${sum(holds, name)}, by the account: ${reserved[name]}`,
    ),
    ...AMOUNTS.filter((name) => sum(charges, name) !== charged[name]).map(
      (name) => `I6 ${user}: ${name} in the ledger: ${sum(charges, name)}, in the account: ${charged[name]}`,
    ),
    ...wrong.map(({ id, state }) => `I6 ${id}: ${state}, and its hold is not as it should be`),
  ];
}

export type AccountCheck = {
  /** The store, with I6 looked at after every commit. */
  store: JobStore;
  /** Gives tokens. */
  grant(user: string, tokens: number): Promise<void>;
  /** At the end: nothing is broken, and, when all jobs are over, nothing is held. */
  check(): Promise<void>;
  /** How often it was looked at. */
  looks(): number;
};

/** `isAtomic`: the store answers in one turn, so that two looks at once are of one instant. */
export function accountCheck(store: JobStore, accounts: AccountStore, tenant: string, isAtomic: boolean): AccountCheck {
  /** Tokens that were given, and those among them whose grant was answered. */
  const granted = new Map<string, number>();
  const answered = new Map<string, number>();
  const found = new Set<string>();
  let looks = 0;

  async function look(user: string): Promise<void> {
    const least = answered.get(user) ?? 0;
    const [seen, jobs] = await Promise.all([
      accounts.get({ tenant, user }),
      isAtomic ? store.list({ tenant, user, limit: 20_000, offset: 0 }) : [],
    ]);
    const most = granted.get(user) ?? 0;
    if (!seen) return;
    // A grant that is under way may have been given.
    const held = seen.account.balance + seen.account.charged.tokens;
    const tokens = !isAtomic && held >= least && held <= most ? held : most;
    looks += 1;
    const all = jobs.map(({ job }) => job);
    const broken = isAtomic ? brokenLedger(seen.account, all, tokens) : brokenAccount(seen.account, tokens);
    for (const sentence of broken) found.add(sentence);
  }

  return {
    store: {
      ...store,
      async update(key, revision, changes, options) {
        const answer = await store.update(key, revision, changes, options);
        const user = options?.account?.user ?? changes.settled?.user;
        if ('written' in answer && user !== undefined) await look(user);
        return answer;
      },
    },
    async grant(user, tokens) {
      const given = accounts.grant({ tenant, user }, { id: crypto.randomUUID(), tokens });
      // A store that answers in one turn has it already.
      granted.set(user, (granted.get(user) ?? 0) + tokens);
      await given;
      answered.set(user, (answered.get(user) ?? 0) + tokens);
    },
    async check() {
      for (const [user, tokens] of granted) {
        const jobs = (await store.list({ tenant, user, limit: 20_000, offset: 0 })).map(({ job }) => job);
        const account = (await accounts.get({ tenant, user }))?.account;
        if (!account) continue;
        for (const sentence of brokenLedger(account, jobs, tokens)) found.add(sentence);
        if (jobs.every(({ state }) => isTerminal(state))) {
          expect(account.reserved, `held by ${user} when all is over`).toEqual({ tokens: 0, nanoUsd: 0 });
        }
      }
      expect([...found]).toEqual([]);
    },
    looks: () => looks,
  };
}
