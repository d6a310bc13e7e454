/** What time does to a job: it ends it, puts it off, or says that it must be rung. Pure. */
import { hasLostHolder, isAttached, loseHolder } from './attempts.ts';
import { endUnheld, timeError } from './endings.ts';
import type { Decision, EventOf, NowAndBirth } from './events.ts';
import { isTerminal, type Job, type JobChanges } from './job.ts';
import { heldUntil, isLeaseAlive, unheld } from './leases.ts';
import { deadlineOf } from './limits.ts';
import { backoffMs } from './retry.ts';

/** After a submit, how long the doorbell that it published has before the sweeper rings again. */
export const RING_GRACE_MS = 30_000;
/** A job that took this many workers with it is not given to another one. */
export const LOSSES_MOST = 8;
const RING_PAUSE_LEAST_MS = 60_000;
const RING_PAUSE_MOST_MS = 900_000;
/** From the second loss on, so that a job that kills its workers does not meet the same neighbours each time. */
const LOSS_PAUSE_LEAST_MS = 2_000;
const LOSS_PAUSE_MOST_MS = 60_000;

/**
 * Is there no attempt to start, or to go on with, because the job must end or pause first? It was cancelled while its
 * holder died, its time is over, or it has lost more than one worker.
 */
export function isOverdue(job: Job, event: NowAndBirth): boolean {
  if (endingOf(job, event) !== undefined) return true;
  return hasLostHolder(job) && (job.losses ?? 0) > 0 && !mustStop(job, event);
}

/** Ends the job, or changes when it is looked at next; `isForWorker` says whether its doorbell must be rung. */
export function wake(job: Job, event: EventOf<'wake'>): Decision {
  const { nowMs, storedAtMs, random } = event;
  // A job that a worker has to stop is rung until it must be over, whatever became of the provider's work.
  const deadlineMs = mustStop(job, event) ? heldUntil(job, storedAtMs) : deadlineOf(job, storedAtMs).atMs;
  // A holder that lets that instant pass is dead, or cannot be heard.
  if (isLeaseAlive(job, nowMs) && heldUntil(job, storedAtMs) > nowMs) return { refused: 'leased' };
  const ending = endingOf(job, event);
  if (ending === 'cancelled') return { changes: endUnheld(job, nowMs, 'cancelled') };
  if (ending) return { changes: endUnheld(job, nowMs, 'failed', timeError(job, ending)) };
  if (job.wakeAt === null || job.wakeAt > nowMs) return { refused: 'not-due' };
  if (hasLostHolder(job)) {
    const losses = job.losses ?? 0;
    const isUrgent = losses === 0 || mustStop(job, event);
    const pauseMs = isUrgent ? 0 : random * backoffMs(losses, LOSS_PAUSE_LEAST_MS, LOSS_PAUSE_MOST_MS);
    // The lost attempt may have been one that still waited for what a provider asked.
    const pausedUntil = Math.max(job.nextAttemptAt ?? 0, nowMs + Math.ceil(pauseMs));
    // At the end of its time somebody has to stop the provider.
    const nextAttemptAt = isAttached(job) ? Math.min(pausedUntil, Math.max(nowMs, deadlineMs)) : pausedUntil;
    const next = nextAttemptAt > nowMs ? { wakeAt: Math.min(nextAttemptAt, deadlineMs) } : rung(job, nowMs, deadlineMs);
    const left = { leaseExpiresAt: null, holder: undefined };
    const waiting = isAttached(job) ? left : { ...unheld(job), stage: 'waiting', version: job.version + 1 };
    return { changes: { ...loseHolder(job, nowMs), ...waiting, nextAttemptAt, ...next } };
  }
  return { changes: rung(job, nowMs, deadlineMs) };
}

/** Is it time for a worker to look? Otherwise a doorbell would be answered with `not-due` or `done`. */
export function isForWorker(job: Job, nowMs: number): boolean {
  return !isTerminal(job.state) && (job.nextAttemptAt ?? 0) <= nowMs;
}

/** Ring k of an unclaimed job comes min(2^k, 15) minutes after the one before: a backlog is not re-published every minute. */
export function rung(job: Job, nowMs: number, deadlineMs: number): JobChanges {
  const pauseMs = backoffMs(job.rings, RING_PAUSE_LEAST_MS, RING_PAUSE_MOST_MS);
  return { rings: job.rings + 1, wakeAt: Math.min(nowMs + pauseMs, deadlineMs) };
}

/** Has somebody to stop the provider's work, before the job ends without? It was cancelled, or its time is over. */
function mustStop(job: Job, { nowMs, storedAtMs }: NowAndBirth): boolean {
  const isOver = job.cancelRequestedAt !== undefined || deadlineOf(job, storedAtMs).atMs <= nowMs;
  return isAttached(job) && isOver && heldUntil(job, storedAtMs) > nowMs;
}

function endingOf(job: Job, event: NowAndBirth) {
  const { nowMs, storedAtMs } = event;
  const isLoop = hasLostHolder(job) && (job.losses ?? 0) + 1 >= LOSSES_MOST;
  if (mustStop(job, event) && !isLoop) return undefined;
  if (job.cancelRequestedAt !== undefined) return 'cancelled';
  const deadline = deadlineOf(job, storedAtMs);
  if (deadline.atMs <= nowMs) return deadline.code;
  return isLoop ? 'crash_loop' : undefined;
}
