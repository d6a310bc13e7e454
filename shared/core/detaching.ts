/** A provider works on an attempt by itself, in its background mode: nobody holds the job meanwhile. Pure. */
import type { Decision, EventOf } from './events.ts';
import type { Job } from './job.ts';
import { deadlineOf } from './limits.ts';

/** The holder leaves the attempt open, and the job to whoever looks for the answer next. It keeps its slot. */
export function detach(job: Job, { storedAtMs, token, upstream, nextLookAt }: EventOf<'detach'>): Decision {
  if (job.token !== token) return { refused: 'lease-lost' };
  if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
  const wakeAt = Math.min(nextLookAt, deadlineOf(job, storedAtMs).atMs);
  const left = { leaseExpiresAt: null, holder: undefined, nextAttemptAt: nextLookAt, wakeAt, rings: 0 };
  return { changes: { ...left, upstream, version: job.version + 1 } };
}
