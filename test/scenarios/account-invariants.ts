/** I6, the money, looked at after every commit, and when all jobs are over. */
import { expect } from 'vitest';
import type { AccountStore } from '../../shared/core/accounts.ts';
import { isTerminal } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { brokenAccount, brokenLedger } from '../support/account-rules.ts';

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
