/** What a job takes of its user's account: what it reserves, whether that is there, and what it is charged in the end. Pure. */
import { availableTokens, periodEndsAt, periodSums, type StoredAccount } from './accounts.ts';
import type { Attempt } from './attempt-record.ts';
import { billingOfAttempt } from './billing.ts';
import { type Amounts, type Hold, type NanoUsd, NOTHING_SPENT, toUsd } from './costs.ts';
import type { ErrorCode } from './errors.ts';
import type { Job, JobChanges } from './job.ts';
import type { JobType } from './job-type.ts';
import { routeName, routesOf } from './routes.ts';
import { dayOf, toTime } from './utc.ts';

/** What a job needs, and what for, as people read it. */
export type Need = { tokens: number; nanoUsd: NanoUsd; purpose: string };

/** Why a job gets nothing of an account, in a sentence for its user. */
export type Denial = {
  code: Extract<ErrorCode, 'subscription_inactive' | 'insufficient_credits' | 'budget_exceeded'>;
  message: string;
};

const NOTHING: Amounts = { tokens: 0, nanoUsd: 0 };

/** What a job reserves: what its type says, else what one call is expected to use on the dearest of its routes. */
export function needOf(job: Job, type: Pick<JobType, 'credits'> | undefined): Need {
  const calls = routesOf(job).map(({ callEstimate }) => callEstimate);
  const prices = calls.map((call) => call?.nanoUsd ?? null);
  const nanoUsd = prices.every((price) => price !== null) ? Math.max(...prices) : null;
  return { tokens: Math.max(...calls.map(tokensOfCall)), purpose: 'this job', ...type?.credits, nanoUsd };
}

/** The job's hold, if its account has as much left; no account is one without a subscription. */
export function reserve(found: StoredAccount | undefined, need: Need): { hold: Hold } | { denied: Denial } {
  const inactive = subscriptionDenial(found);
  if (!found || inactive) return { denied: inactive ?? INACTIVE };
  const { account, readAtMs } = found;
  const available = availableTokens(account);
  if (available < need.tokens) return { denied: tooFew(need, available) };
  const overBudget = budgetDenial(found, need.nanoUsd);
  if (overBudget) return { denied: overBudget };
  return { hold: { tokens: need.tokens, nanoUsd: need.nanoUsd ?? 0, day: dayOf(readAtMs) } };
}

/** Why a job that nobody has to wait for would get nothing: what others hold may come back, and is not counted. */
export function denialAtSubmit(found: StoredAccount | undefined, need: Need): Denial | undefined {
  const decision = reserve(found && { ...found, account: unreserved(found.account) }, need);
  return 'denied' in decision ? decision.denied : undefined;
}

/** Why nothing at all may be submitted. */
export function subscriptionDenial(found: StoredAccount | undefined): Denial | undefined {
  return found?.account.subscription === 'active' ? undefined : INACTIVE;
}

/** The field by which a job that ends gives its hold back and is charged; `isFree`: it has a result that no call made. */
export function settlement(job: Job, isFree: boolean): JobChanges {
  if (!job.hold || job.settled) return {};
  const { day, ...released } = job.hold;
  return { settled: { user: job.user, day, released, charged: isFree ? NOTHING : chargedFor(job) } };
}

/** What the calls of a job used; one that nobody measured to its end, and that may be charged, as much as is likely. */
function chargedFor(job: Job): Amounts {
  const { attempts, spent = NOTHING_SPENT } = job;
  const expected = (attempt: Attempt) => {
    const route = routesOf(job).find(({ model }) => routeName(model) === routeName(attempt));
    return tokensOfCall((route ?? job).callEstimate);
  };
  const unmeasured = (attempt: Attempt) => {
    const { usage, cost } = attempt;
    if (usage) return Math.max(0, (cost?.tokens ?? 0) - usage.inputTokens - usage.outputTokens);
    return billingOfAttempt(attempt) === 'none' ? 0 : (cost?.tokens ?? expected(attempt));
  };
  const measured = spent.inputTokens + spent.outputTokens;
  const tokens = attempts.reduce((sum, attempt) => sum + unmeasured(attempt), measured);
  return { tokens, nanoUsd: spent.nanoUsd };
}

function tokensOfCall(callEstimate: Job['callEstimate']): number {
  return (callEstimate?.inputTokens ?? 0) + (callEstimate?.outputTokens ?? 0);
}

const INACTIVE: Denial = {
  code: 'subscription_inactive',
  message: 'Subscription is not active. Renew your subscription to continue.',
};

function tooFew({ tokens, purpose }: Need, available: number): Denial {
  const message = `You need at least ${tokens} tokens for ${purpose}. Available: ${Math.max(0, available)}`;
  return { code: 'insufficient_credits', message };
}

function budgetDenial({ account, readAtMs }: StoredAccount, nanoUsd: NanoUsd): Denial | undefined {
  const { budget } = account;
  if (!budget) return undefined;
  const { period } = budget;
  const denied = (message: string): Denial => ({ code: 'budget_exceeded', message });
  const whole = `the budget of ${dollars(budget.nanoUsd)} for this ${period}`;
  if (nanoUsd === null) return denied(`The price of this model is not known, and ${whole} must be kept.`);
  const { reserved, charged } = periodSums(account, period, readAtMs);
  const left = budget.nanoUsd - reserved - charged;
  if (nanoUsd <= left) return undefined;
  const resets = toTime(periodEndsAt(period, readAtMs));
  return denied(
    `This job may cost ${dollars(nanoUsd)}, and ${dollars(Math.max(0, left))} are left of ${whole}. It resets at ${resets}.`,
  );
}

/** Without an exponent, however little it is. */
function dollars(nanoUsd: number): string {
  return `${toUsd(nanoUsd)
    .toFixed(9)
    .replace(/\.?0+$/, '')} US dollars`;
}

function unreserved(account: StoredAccount['account']): StoredAccount['account'] {
  const days = Object.entries(account.nanoUsdByDay).map(([day, { charged }]) => [day, { reserved: 0, charged }]);
  return { ...account, reserved: NOTHING, nanoUsdByDay: Object.fromEntries(days) };
}
