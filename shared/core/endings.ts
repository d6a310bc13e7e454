/** How jobs end: by their holder, by a cancel, by time. Pure. */
import { endAttempt, isAttached, isAttemptOpen, loseAttempt } from './attempts.ts';
import { settlement } from './credits.ts';
import type { CallFacts, Decision, EventOf, FinishOutcome } from './events.ts';
import { applyChanges, isTerminal, type Job, type JobChanges, type JobError, type Json } from './job.ts';
import { CANCEL_GRACE_MS, isLeaseAlive, unheld } from './leases.ts';
import { limitsOf } from './limits.ts';
import type { PartSet } from './part-set.ts';
import { payloadsAfterEnd } from './payloads.ts';
import { keptUntil } from './retention.ts';
import { unparked } from './slots.ts';

/** The holder ends its job. One that meets a cancel ends it `cancelled`, whatever it brings: the cancel came first. */
export function finish(job: Job, { nowMs, outcome }: EventOf<'finish'>): Decision {
  if (job.cancelRequestedAt !== undefined || outcome.state === 'cancelled') {
    return { changes: finished(job, nowMs, 'cancelled', 'cancelled', outcome) };
  }
  if (outcome.state === 'completed') {
    const end = finished(job, nowMs, 'completed', outcome.insteadOf, outcome);
    return { changes: { ...end, ...payload(job, 'result', outcome.result, outcome.apart) } };
  }
  const { error, rejectedText, apart } = outcome;
  const end = finished(job, nowMs, 'failed', error.code, outcome);
  return { changes: { ...end, error, ...payload(job, 'rejectedText', rejectedText, apart) } };
}

function payload(job: Job, field: 'result' | 'rejectedText', value: Json | undefined, apart?: PartSet): JobChanges {
  if (apart) return { parts: { ...job.parts, [field]: apart } };
  return value === undefined ? {} : { [field]: value };
}

/** The answer of an equal job ends it: no call of its own is made. */
export function reuse(job: Job, { nowMs, answer, result, apart }: EventOf<'reuse'>): JobChanges {
  const lost = isAttemptOpen(job) ? loseAttempt(job, nowMs) : {};
  const end = { ...nothingLeft(job, nowMs, lost), state: 'completed', startedAt: job.startedAt ?? nowMs } as const;
  return { ...end, answerOf: answer, ...payload(job, 'result', result, apart) };
}

/** After the doorbell that brings a worker to stop the provider's work, the sweeper rings again. */
const STOP_RING_MS = 5_000;

/**
 * Somebody asks for the end: at once where nobody holds the job, else its holder has to hear of it. What a provider works
 * on by itself a worker has to stop first.
 */
export function cancel(job: Job, { nowMs }: EventOf<'cancel'>): Decision {
  if (!isLeaseAlive(job, nowMs) && isAttached(job)) {
    if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
    const stop = { cancelRequestedAt: nowMs, nextAttemptAt: undefined, wakeAt: nowMs + STOP_RING_MS };
    return { changes: { ...stop, version: job.version + 1 } };
  }
  if (!isLeaseAlive(job, nowMs)) return { changes: endUnheld(job, nowMs, 'cancelled') };
  if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
  const wakeAt = Math.min(job.wakeAt ?? nowMs, nowMs + CANCEL_GRACE_MS);
  return { changes: { version: job.version + 1, cancelRequestedAt: nowMs, cancelFor: job.holder, wakeAt } };
}

/** Nothing of the job is left to read; one that is not over is cancelled, too. What was used stays. */
export function erase(job: Job, event: EventOf<'delete'>): Decision {
  const { nowMs } = event;
  if (job.deletedAt !== undefined) return { refused: 'done' };
  const ended = isTerminal(job.state) ? undefined : cancel(job, { ...event, type: 'cancel' }).changes;
  // A job that an older version ended has no instant at which its document may go.
  const kept = isTerminal(job.state) && job.deleteAt === undefined ? keptUntil(job, nowMs) : undefined;
  const error = job.error && { code: job.error.code, message: 'Deleted' };
  const words = {
    questionId: undefined,
    projectId: undefined,
    tags: undefined,
    metadata: undefined,
    batchId: undefined,
  };
  // Short texts can be guessed from these.
  const hashes = { leads: undefined, fingerprint: '' };
  const payloads = { ...words, result: undefined, rejectedText: undefined, parts: undefined, error, ...hashes };
  const isOver = isTerminal(ended?.state ?? job.state);
  const nothingToWaitFor = isOver ? { wakeAt: null, payloadsExpireAt: undefined } : {};
  return {
    changes: { version: job.version + 1, ...ended, ...kept, ...payloads, ...nothingToWaitFor, deletedAt: nowMs },
  };
}

/** A job that nobody holds, or whose holder does not answer, is over. */
export function endUnheld(job: Job, nowMs: number, state: 'failed' | 'cancelled', error?: JobError): JobChanges {
  const lost = isAttemptOpen(job) ? loseAttempt(job, nowMs) : {};
  return { ...nothingLeft(job, nowMs, lost), state, ...(error ? { error } : {}) };
}

function finished(
  job: Job,
  nowMs: number,
  state: FinishOutcome['state'],
  errorCode: string | undefined,
  { usage, cost, providerRequestId, finishReason, notMade, chunks }: CallFacts,
): JobChanges {
  // Completed in spite of its last call, by a result that no call made.
  const isFree = state === 'completed' && errorCode !== undefined;
  const outcome = isFree ? 'failed' : state;
  const end = { outcome, errorCode, usage, cost, providerRequestId, finishReason, notMade, chunks } as const;
  return { ...nothingLeft(job, nowMs, endAttempt(job, nowMs, end), isFree), state };
}

/** `attempts` are the changes by which its last attempt ended; `isFree`: what it used is not charged. */
function nothingLeft(job: Job, nowMs: number, attempts: JobChanges, isFree = false): JobChanges {
  const gone = { stage: undefined, nextAttemptAt: undefined, cancelFor: undefined };
  const kept = keptUntil(job, nowMs);
  const after = payloadsAfterEnd(job, nowMs, kept.expiresAt);
  const over = { completedAt: nowMs, version: job.version + 1 };
  const settled = settlement(applyChanges(job, attempts), isFree);
  return { ...unheld(job), ...unparked(job), ...gone, ...kept, ...after, ...over, ...attempts, ...settled };
}

/** Why time ended a job, for its user. */
export function timeError(job: Job, code: 'start_timeout' | 'job_timeout' | 'crash_loop'): JobError {
  const { startWithinMs, timeoutMs } = limitsOf(job);
  switch (code) {
    case 'start_timeout':
      return { code, message: `No worker took the job within ${startWithinMs / 1_000} s (start_within).` };
    case 'job_timeout':
      return { code, message: `The job was not over within ${timeoutMs / 1_000} s (timeout).` };
    case 'crash_loop':
      return { code, message: `The job was given up: ${(job.losses ?? 0) + 1} workers were lost while they ran it.` };
  }
}
