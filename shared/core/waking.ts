/** What time does to a job: it ends it, puts it off, or says that it must be rung. Pure. */
import { isAttemptOpen, loseAttempt } from './attempts.ts';
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
 * Is there no attempt to start, because the job must end or pause first? It was cancelled while its holder died, its
 * time is over, or it has lost more than one worker.
 */
export function isOverdue(job: Job, event: NowAndBirth): boolean {
  return endingOf(job, event) !== undefined || (isAttemptOpen(job) && (job.losses ?? 0) > 0);
}

/** Ends the job, or changes when it is looked at next; `isForWorker` says whether its doorbell must be rung. */
export function wake(job: Job, event: EventOf<'wake'>): Decision {
  const { nowMs, storedAtMs, random } = event;
  const deadlineMs = deadlineOf(job, storedAtMs).atMs;
  // A holder that lets that instant pass is dead, or cannot be heard.
  if (isLeaseAlive(job, nowMs) && heldUntil(job, storedAtMs) > nowMs) return { refused: 'leased' };
  const ending = endingOf(job, event);
  if (ending === 'cancelled') return { changes: endUnheld(job, nowMs, 'cancelled') };
  if (ending) return { changes: endUnheld(job, nowMs, 'failed', timeError(job, ending)) };
  if (job.wakeAt === null || job.wakeAt > nowMs) return { refused: 'not-due' };
  if (isAttemptOpen(job)) {
    const losses = job.losses ?? 0;
    const pauseMs = losses === 0 ? 0 : random * backoffMs(losses, LOSS_PAUSE_LEAST_MS, LOSS_PAUSE_MOST_MS);
    // The lost attempt may have been one that still waited for what a provider asked.
    const nextAttemptAt = Math.max(job.nextAttemptAt ?? 0, nowMs + Math.ceil(pauseMs));
    const next = nextAttemptAt > nowMs ? { wakeAt: Math.min(nextAttemptAt, deadlineMs) } : rung(job, nowMs, deadlineMs);
    const waiting = { ...unheld(job), stage: 'waiting', nextAttemptAt, version: job.version + 1 };
    return { changes: { ...loseAttempt(job, nowMs), ...waiting, ...next } };
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

function endingOf(job: Job, { nowMs, storedAtMs }: NowAndBirth) {
  if (job.cancelRequestedAt !== undefined) return 'cancelled';
  const deadline = deadlineOf(job, storedAtMs);
  if (deadline.atMs <= nowMs) return deadline.code;
  return isAttemptOpen(job) && (job.losses ?? 0) + 1 >= LOSSES_MOST ? 'crash_loop' : undefined;
}
