/** None of a job's routes may be called now: it waits, without an attempt. Pure. */
import { isAttemptOpen, loseAttempt } from './attempts.ts';
import type { EventOf } from './events.ts';
import { isTerminal, type Job, type JobChanges } from './job.ts';
import { unheld } from './leases.ts';
import { deadlineOf } from './limits.ts';
import { unparked } from './slots.ts';

/** Does nobody work on the job because it is not to be called for before a later instant? */
export function isPutOff({ state, leaseExpiresAt, nextAttemptAt = 0, upstream }: Job, nowMs: number): boolean {
  return !isTerminal(state) && leaseExpiresAt === null && upstream === undefined && nextAttemptAt > nowMs;
}

/** Nobody is to call before that instant; the sweeper rings then. */
export function defer(job: Job, { nowMs, storedAtMs, nextAttemptAt, leads }: EventOf<'defer'>): JobChanges {
  const lost = isAttemptOpen(job) ? loseAttempt(job, nowMs) : {};
  const wakeAt = Math.min(nextAttemptAt, deadlineOf(job, storedAtMs).atMs);
  const stage = job.state === 'pending' ? undefined : 'waiting';
  const waiting = { stage, nextAttemptAt, wakeAt, rings: 0, version: job.version + 1 };
  return { ...lost, ...unheld(job), ...unparked(job), ...waiting, ...(leads === undefined ? {} : { leads }) };
}
