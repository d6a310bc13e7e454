/** A provider works on an attempt by itself, in its background mode, whether anybody holds the job or not. Pure. */
import type { Decision, EventOf } from './events.ts';
import type { Job, JobChanges } from './job.ts';
import { renewLease } from './leases.ts';
import { deadlineOf } from './limits.ts';

/** The holder stays for the answer; should it vanish, whoever comes next looks for the same one. */
export function attach(job: Job, event: EventOf<'attach'>): Decision {
  if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
  return renewLease(job, event, begun(job, event));
}

/** The holder leaves the attempt open, and the job to whoever looks for the answer next. It keeps its slot. */
export function detach(job: Job, event: EventOf<'detach'>): Decision {
  const { storedAtMs, token, nextLookAt } = event;
  if (job.token !== token) return { refused: 'lease-lost' };
  if (job.cancelRequestedAt !== undefined) return { refused: 'cancelling' };
  // At the end of its time somebody has to stop the provider.
  const wakeAt = Math.min(nextLookAt, deadlineOf(job, storedAtMs).atMs);
  const left = { leaseExpiresAt: null, holder: undefined, nextAttemptAt: wakeAt, wakeAt, rings: 0 };
  return { changes: { ...left, ...begun(job, event) } };
}

/** Readers see nothing of it but how the provider calls the request. */
function begun(job: Job, { upstream, providerRequestId }: EventOf<'attach' | 'detach'>): JobChanges {
  const isKnown = (n: number, known: string | undefined) => n !== job.attempt || known === providerRequestId;
  if (providerRequestId === undefined || job.attempts.every((one) => isKnown(one.n, one.providerRequestId)))
    return { upstream };
  const attempts = job.attempts.map((one) => (one.n === job.attempt ? { ...one, providerRequestId } : one));
  return { upstream, attempts, version: job.version + 1 };
}
