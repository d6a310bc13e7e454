/** The records of a job's attempts: how one begins, how it ends. Pure. */
import type { AttemptEnd } from './events.ts';
import { ATTEMPTS_KEPT, type Attempt, type Job, type JobChanges } from './job.ts';

/** Its holder was never heard of again. */
const LOST: AttemptEnd = { outcome: 'lost', errorCode: 'lease_lost' };

/** The fields that a new attempt changes; its record counts its first call before that call is made. */
export function beginAttempt(job: Job, startedAt: number): JobChanges {
  const n = job.attempt + 1;
  const { provider, model } = job.model;
  const attempt: Attempt = { n, startedAt, provider, model, calls: 1 };
  return { attempt: n, attempts: [...job.attempts, attempt].slice(-ATTEMPTS_KEPT) };
}

/** The records, the newest with its end. What its holder says stands above what others thought of it (`lost`). */
export function endAttempt(job: Job, endedAt: number, { notMade, ...end }: AttemptEnd): Attempt[] {
  return job.attempts.map((attempt) => {
    const mayEnd = attempt.n === job.attempt && (attempt.endedAt === undefined || attempt.outcome === 'lost');
    const calls = notMade ? attempt.calls - 1 : attempt.calls;
    // One that was to start after a pause may be broken off within it.
    const startedAt = Math.min(attempt.startedAt, endedAt);
    return mayEnd ? { ...attempt, startedAt, endedAt, errorCode: undefined, ...end, calls } : attempt;
  });
}

/** Has nobody said yet how the newest attempt ended? */
export function isAttemptOpen(job: Job): boolean {
  return job.attempts.some((attempt) => attempt.n === job.attempt && attempt.endedAt === undefined);
}

/** The fields that change when the newest attempt turns out to be lost. */
export function loseAttempt(job: Job, nowMs: number): JobChanges {
  return { attempts: endAttempt(job, nowMs, LOST), losses: (job.losses ?? 0) + 1 };
}
