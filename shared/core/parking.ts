/** Waiting for a slot, or for the answer to an equal job: a job is put aside without an attempt, and gets its turn. Pure. */
import { isAttemptOpen, loseAttempt } from './attempts.ts';
import type { Decision, EventOf } from './events.ts';
import type { Job } from './job.ts';
import { awaitsAnswer } from './leading.ts';
import { isLeaseAlive, unheld } from './leases.ts';
import { deadlineOf } from './limits.ts';
import { unparked } from './slots.ts';
import { isOverdue, RING_GRACE_MS, rung } from './waking.ts';

/** What readers are shown while a job is parked. */
const PARKED_STAGES = { slot: 'waiting_for_slot', answer: 'waiting_for_answer' } as const;

/**
 * No slot is free, or an equal job will have the answer: the job waits, and the sweeper rings as it does for a backlog, in
 * case nobody else does.
 */
export function park(job: Job, event: EventOf<'park'>): Decision {
  const { nowMs, storedAtMs, parkedFor, route, leads } = event;
  if (isLeaseAlive(job, nowMs)) return { refused: 'leased' };
  // One that is parked may have to wait for something else, whatever its time.
  if (job.parkedFor === undefined && isOverdue(job, event)) return { refused: 'overdue' };
  if ((job.nextAttemptAt ?? 0) > nowMs) return { refused: 'not-due' };
  const lost = isAttemptOpen(job) ? loseAttempt(job, nowMs) : {};
  const stage = PARKED_STAGES[awaitsAnswer({ parkedFor }) ? 'answer' : 'slot'];
  return {
    changes: {
      ...{ ...lost, ...unheld(job), ...rung(job, nowMs, deadlineOf(job, storedAtMs).atMs) },
      ...{ parkedAt: job.parkedAt ?? nowMs, parkedFor, stage, version: job.version + 1 },
      ...(route === undefined ? {} : { route }),
      ...(leads === undefined ? {} : { leads }),
    },
  };
}

/** A slot is kept for the job; the doorbell that brings a worker has the grace of a first one. */
export function promote(job: Job, { nowMs, storedAtMs, slotUntil }: EventOf<'promote'>): Decision {
  if (job.parkedFor === undefined) return { refused: 'not-parked' };
  if (isLeaseAlive(job, nowMs)) return { refused: 'leased' };
  const wakeAt = Math.min(nowMs + RING_GRACE_MS, deadlineOf(job, storedAtMs).atMs);
  const stage = job.state === 'pending' ? undefined : 'waiting';
  return { changes: { ...unparked(job), slotUntil, stage, wakeAt, version: job.version + 1 } };
}
