/** What accounts have to say of a job, where credits are on: may it be taken in, and what does its claim reserve. */
import type { AccountChange, AccountStore } from './accounts.ts';
import type { Hold } from './costs.ts';
import { type Denial, denialAtSubmit, needOf, reserve, subscriptionDenial } from './credits.ts';
import { isUser } from './ids.ts';
import type { Job } from './job.ts';
import type { JobType } from './job-type.ts';
import { type InTurn, turns } from './turns.ts';

/** What a claim reserves, and the change of the account in which it is reserved. */
export type Reserved = { hold: Hold; account: AccountChange };

export type Reserving = {
  /**
   * Why a job may not be taken in; `acceptsEmpty`: too few tokens are no reason. One read. Throws `store_unavailable`.
   */
  denialAtSubmit(job: Job, acceptsEmpty: boolean): Promise<Denial | undefined>;
  /** What the claim of a job reserves, if its account has as much left. One read. Throws `store_unavailable`. */
  reserve(job: Job): Promise<Reserved | { denied: Denial }>;
  /** Of the jobs of one account, one at a time in this process. */
  inTurn<T>(job: Job, work: () => Promise<T>): Promise<T>;
};

export type ReservingOptions = { accounts: Pick<AccountStore, 'get'>; jobTypes: ReadonlyMap<string, JobType> };

/** One for all of a process. */
export function reserving({ accounts, jobTypes }: ReservingOptions): Reserving {
  const inTurn: InTurn = turns();
  // Of what no user can be called there is no account.
  const look = async ({ tenant, user }: Job) => (isUser(user) ? accounts.get({ tenant, user }) : undefined);
  const needed = (job: Job) => needOf(job, jobTypes.get(job.jobType));

  return {
    async denialAtSubmit(job, acceptsEmpty) {
      const found = await look(job);
      return acceptsEmpty ? subscriptionDenial(found) : denialAtSubmit(found, needed(job));
    },
    async reserve(job) {
      const seen = await look(job);
      const decision = reserve(seen, needed(job));
      if ('denied' in decision || !seen) return decision as { denied: Denial };
      return { hold: decision.hold, account: { user: job.user, hold: decision.hold, seen } };
    },
    inTurn: ({ tenant, user }, work) => inTurn(`${tenant}~${user}`, work),
  };
}
