/**
 * What was said in a job that was submitted with `store: false`: its input, its result, its chunks, and whatever can be
 * guessed from what is left. It goes a minute after its owner read it, or an hour after the job's end. Pure.
 */
import type { Seen } from './access.ts';
import type { Decision, EventOf } from './events.ts';
import { applyChanges, isTerminal, type Job, type JobChanges } from './job.ts';

/** So long after its end a job waits to be read. */
export const UNREAD_MS = 3_600_000;
/** After its first read a result can be asked for again: an answer may be lost on its way, and is paid for. */
export const READ_GRACE_MS = 60_000;

/** When the payloads of a job that is over at this instant go, and who looks after that; nobody, where they stay. */
export function payloadsAfterEnd(job: Job, endedAt: number, expiresAt = Infinity): JobChanges {
  if (job.store !== false || job.deletedAt !== undefined) return { wakeAt: null };
  const payloadsExpireAt = Math.min(endedAt + UNREAD_MS, expiresAt);
  return { payloadsExpireAt, wakeAt: payloadsExpireAt };
}

/** The owner was given the result. Not a change that a reader sees. */
export function readPayloads(job: Job, { nowMs }: EventOf<'read'>): Decision {
  const readAt = nowMs + READ_GRACE_MS;
  if (!holdsResult(job) || (job.payloadsExpireAt ?? 0) <= readAt) return { refused: 'done' };
  return { changes: { payloadsExpireAt: readAt, wakeAt: readAt } };
}

/** Removes what has to go by now; its writer drops the input with the same write, and the chunks before it. */
export function removePayloads(job: Job, { nowMs }: EventOf<'wake'>): Decision {
  const { payloadsExpireAt, payloadsRemovedAt, deletedAt } = job;
  if (payloadsExpireAt === undefined || payloadsRemovedAt !== undefined || deletedAt !== undefined) {
    return { refused: 'done' };
  }
  return payloadsExpireAt > nowMs ? { refused: 'not-due' } : { changes: removal(job, nowMs) };
}

/** The job as its readers see it: from the instant on at which its payloads go they are gone, however late the sweeper is. */
export function asShown(seen: Seen): Seen {
  const { job, nowMs } = seen;
  const { payloadsExpireAt, payloadsRemovedAt } = job;
  const isLate = payloadsExpireAt !== undefined && payloadsRemovedAt === undefined && payloadsExpireAt <= nowMs;
  return isLate ? { job: applyChanges(job, removal(job, nowMs)), nowMs } : seen;
}

/** Does the job hold a result that goes when it was read? */
export function holdsResult(job: Job): boolean {
  return (
    job.store === false &&
    isTerminal(job.state) &&
    (job.result ?? job.rejectedText ?? job.parts?.result ?? job.parts?.rejectedText) !== undefined &&
    job.deletedAt === undefined
  );
}

/** Has a reader who is given the job its whole answer with it, with nothing left in parts? */
export function isWhole({ result, rejectedText, parts }: Job): boolean {
  return (result ?? rejectedText) !== undefined || (parts?.result ?? parts?.rejectedText) === undefined;
}

function removal(job: Job, nowMs: number): JobChanges {
  // A provider's words may repeat those of the request.
  const error = job.error && {
    code: job.error.code,
    message: 'The message was removed with the input (store: false).',
  };
  // Short texts can be guessed from their fingerprint.
  const payloads = { result: undefined, rejectedText: undefined, parts: undefined, error, fingerprint: '' };
  return { ...payloads, version: job.version + 1, payloadsRemovedAt: nowMs, wakeAt: null };
}
