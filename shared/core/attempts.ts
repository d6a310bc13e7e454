/** The records of a job's attempts: how one begins, how it ends. Pure. */

import { ATTEMPTS_KEPT, type Attempt } from './attempt-record.ts';
import { type Cost, NOTHING_SPENT, type Spent } from './costs.ts';
import type { AttemptEnd } from './events.ts';
import type { Job, JobChanges } from './job.ts';
import { routeOf } from './routes.ts';

/** The fields that a new attempt changes; its record counts its first call before that call is made. */
export function beginAttempt(job: Job, startedAt: number): JobChanges {
  const n = job.attempt + 1;
  const { provider, model } = routeOf(job).model;
  const attempt: Attempt = { n, startedAt, provider, model, calls: 1 };
  return { attempt: n, attempts: [...job.attempts, attempt].slice(-ATTEMPTS_KEPT) };
}

/** The records, the newest with its end. What its holder says stands above what others thought of it (`lost`). */
export function endAttempt(
  job: Job,
  endedAt: number,
  { notMade, firstTokenMs: _logged, ...end }: AttemptEnd,
): JobChanges {
  // In documents of older versions the records are all there is.
  let spent = job.spent ?? job.attempts.map(spentBy).reduce((left, right) => addSpent(left, right), NOTHING_SPENT);
  const attempts = job.attempts.map((attempt) => {
    const mayEnd = attempt.n === job.attempt && (attempt.endedAt === undefined || attempt.outcome === 'lost');
    const calls = notMade ? attempt.calls - 1 : attempt.calls;
    // One that was to start after a pause may be broken off within it.
    const startedAt = Math.min(attempt.startedAt, endedAt);
    if (!mayEnd) return attempt;
    const ended: Attempt = { ...attempt, startedAt, endedAt, errorCode: undefined, ...end, calls };
    // One that was thought lost was counted by estimate.
    spent = addSpent(addSpent(spent, spentBy(attempt), -1), spentBy(ended));
    return ended;
  });
  // Whatever the provider works on still, nobody waits for it any more.
  return { attempts, spent, ...(job.upstream === undefined ? {} : { upstream: undefined }) };
}

function spentBy({ usage, cost }: Attempt): Spent {
  const nanoUsd = cost?.nanoUsd ?? 0;
  return {
    inputTokens: usage?.inputTokens ?? 0,
    outputTokens: usage?.outputTokens ?? 0,
    cachedInputTokens: usage?.cachedInputTokens ?? 0,
    reasoningTokens: usage?.reasoningTokens ?? 0,
    nanoUsd,
    estimatedNanoUsd: cost?.isEstimated ? nanoUsd : 0,
    unpriced: cost?.nanoUsd === null ? 1 : 0,
  };
}

function addSpent(left: Spent, right: Spent, times: 1 | -1 = 1): Spent {
  const names = Object.keys(NOTHING_SPENT) as (keyof Spent)[];
  // A newer version may sum up more.
  return { ...left, ...(Object.fromEntries(names.map((name) => [name, left[name] + times * right[name]])) as Spent) };
}

/** Has nobody said yet how the newest attempt ended? */
export function isAttemptOpen(job: Job): boolean {
  return job.attempts.some((attempt) => attempt.n === job.attempt && attempt.endedAt === undefined);
}

/** Does the provider work on the newest attempt by itself, and will somebody look for its answer? */
export function isAttached(job: Job): boolean {
  return job.upstream !== undefined && isAttemptOpen(job);
}

/** Of a job whose lease is not alive: did its holder vanish within an attempt? A job that was left to its provider has none. */
export function hasLostHolder(job: Job): boolean {
  return isAttemptOpen(job) && !(isAttached(job) && job.leaseExpiresAt === null);
}

/** The fields that change when its holder was never heard of again. What the provider works on by itself is not lost with it. */
export function loseHolder(job: Job, nowMs: number): JobChanges {
  return isAttached(job) ? { losses: (job.losses ?? 0) + 1 } : loseAttempt(job, nowMs);
}

/** The fields that change when nobody will ever hear of its newest attempt: nobody knows what the call used. */
export function loseAttempt(job: Job, nowMs: number): JobChanges {
  const lost = endAttempt(job, nowMs, { outcome: 'lost', errorCode: 'lease_lost', cost: likelyCost(job) });
  return { ...lost, losses: (job.losses ?? 0) + 1 };
}

/** What a call cost of which nothing is known but what it was expected to use. */
export function likelyCost(job: Job): Cost {
  return { nanoUsd: routeOf(job).callEstimate?.nanoUsd ?? null, isEstimated: true };
}
