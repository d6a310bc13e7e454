/** Leases: who holds a job and until when, and what a holder may change without ending its job. Pure. */
import { beginAttempt, endAttempt, hasLostHolder, isAttached, loseHolder } from './attempts.ts';
import type { Decision, EventOf, FailedAttempt, Lease, NowAndBirth } from './events.ts';
import { applyChanges, type Job, type JobChanges } from './job.ts';
import { deadlineOf, limitsOf } from './limits.ts';
import { slotGivenBack, unparked } from './slots.ts';
import { countFailed } from './tries.ts';

/** After the end of a lease, or of the job's time, how long the sweeper leaves its holder the chance to finish. */
export const LEASE_GRACE_MS = 1_000;
/** After a cancel, how long the holder has to end the job; longer than a heartbeat, by which it hears of it at last. */
export const CANCEL_GRACE_MS = 30_000;
/**
 * After the end of the job's time, how long a worker has to stop what the provider works on by itself: a sweep that rings
 * comes within a minute.
 */
export const UPSTREAM_GRACE_MS = 90_000;

/** Nobody holds the job. Token and sequence stay: they tell a writer whether a write of unknown fate was its own. */
export function unheld(job: Job): JobChanges {
  return { leaseExpiresAt: null, holder: undefined, ...slotGivenBack(job) };
}

/** Does the job's lease hold at this instant? */
export function isLeaseAlive(job: Job, nowMs: number): boolean {
  return job.leaseExpiresAt !== null && job.leaseExpiresAt > nowMs;
}

/** A claim: a new lease, and a new attempt that records its call, unless the provider works on the one before by itself. */
export function takeLease(job: Job, event: EventOf<'claim'>): Decision {
  const { nowMs, token, stage, holder, route } = event;
  const lost = hasLostHolder(job) ? loseHolder(job, nowMs) : {};
  const before = { ...lost, ...onRoute(job, route) };
  const begun = () => ({
    ...{ ...before, ...beginAttempt(applyChanges(job, before), nowMs), ...unparked(job) },
    ...({ state: 'processing', version: job.version + 1, startedAt: job.startedAt ?? nowMs, stage } as const),
  });
  return {
    changes: {
      ...(isAttached(job) ? lost : begun()),
      ...leaseUntil(job, event),
      ...{ token, holder, sequence: 0, rings: 0, nextAttemptAt: undefined },
      ...(event.slotUntil === undefined ? {} : { slotUntil: event.slotUntil }),
      ...(event.hold === undefined ? {} : { hold: event.hold }),
      ...(event.leads === undefined ? {} : { leads: event.leads }),
    },
  };
}

/** The lease goes on, and with it whatever `also` changes. */
export function renewLease(
  job: Job,
  event: EventOf<'renew' | 'stage' | 'retry' | 'attach'>,
  also: JobChanges = {},
): Decision {
  if (job.token !== event.token) return { refused: 'lease-lost' };
  if (!isLeaseAlive(job, event.nowMs)) return { refused: 'lease-ended' };
  return { changes: { ...leaseUntil(job, event), ...also } };
}

/** Readers see what is done now; the lease goes on. */
export function changeStage(job: Job, event: EventOf<'stage'>): Decision {
  return renewLease(job, event, { stage: event.stage, version: job.version + 1 });
}

/** One write for a pause and the attempt after it: recorded before its call is made, and readers see that it waits. */
export function retryUnderLease(job: Job, event: EventOf<'retry'>): Decision {
  const { nowMs, ended, nextAttemptAt, route } = event;
  if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
  const closed = { ...closeAttempt(job, nowMs, ended), ...onRoute(job, route) };
  return renewLease(job, event, {
    ...closed,
    ...beginAttempt(applyChanges(job, closed), nextAttemptAt),
    nextAttemptAt,
  });
}

/** The holder gives its lease up; the job waits for its next attempt. */
export function handBack(job: Job, event: EventOf<'hand-back'>): Decision {
  const { nowMs, storedAtMs, token, ended, nextAttemptAt, route } = event;
  if (job.token !== token) return { refused: 'lease-lost' };
  if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
  const wakeAt = Math.min(nextAttemptAt, deadlineOf(job, storedAtMs).atMs);
  const waiting = { stage: 'waiting', nextAttemptAt, wakeAt, rings: 0, ...onRoute(job, route) };
  return { changes: { ...closeAttempt(job, nowMs, ended), ...unheld(job), ...waiting } };
}

/** The route of the attempt that comes next; absent: the same. */
export function onRoute(job: Job, route = job.route ?? 0): JobChanges {
  return route === (job.route ?? 0) ? {} : { route };
}

/** A lease, and when to look after it: at its end, or sooner where a cancel or a deadline waits for its holder. */
function leaseUntil(job: Job, { nowMs, storedAtMs, leaseMs }: NowAndBirth & Lease): JobChanges {
  const leaseExpiresAt = nowMs + leaseMs;
  return { leaseExpiresAt, wakeAt: Math.min(leaseExpiresAt + LEASE_GRACE_MS, heldUntil(job, storedAtMs)) };
}

/** When the holder of a job, however alive its lease is, must have ended it: after a cancel, or after the job's time. */
export function heldUntil(job: Job, storedAtMs: number): number {
  const cancelBy = job.cancelRequestedAt === undefined ? Infinity : job.cancelRequestedAt + CANCEL_GRACE_MS;
  const graceMs = isAttached(job) ? UPSTREAM_GRACE_MS : LEASE_GRACE_MS;
  return Math.min(cancelBy, storedAtMs + limitsOf(job).timeoutMs + graceMs);
}

function closeAttempt(job: Job, nowMs: number, failed: FailedAttempt): JobChanges {
  const { counts, isOut, retryAt, ...ended } = failed;
  return { version: job.version + 1, ...endAttempt(job, nowMs, ended), ...countFailed(job, failed) };
}
