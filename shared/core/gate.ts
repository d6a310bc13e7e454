/** What stands before a claim: an equal job may have the answer, and the provider may have to be left alone for now. */
import type { EventOf } from './events.ts';
import type { Job, Json } from './job.ts';
import type { StoredJob } from './ports.ts';
import type { Pass } from './routing.ts';

/** What happens in place of a claim, before it is known when. */
export type Instead<T extends 'defer' | 'reuse' | 'park' | 'deny'> = Omit<EventOf<T>, 'nowMs' | 'storedAtMs'>;

/**
 * - A claim may be written: `pass` is the right to its call, on one of the job's routes (absent: on any), `leads` the key
 *   under which it answers equal jobs.
 * - `instead`: this is written in its place. `after` is called with the job as it is then, written or not, unless that is
 *   not known; it never throws.
 * - `refused`: nothing is written. `draining`: another instance must be asked.
 * - `again`: time went by meanwhile, so the job must be looked at again.
 */
export type Gated =
  | { pass?: Pass | undefined; leads?: string | undefined }
  | { instead: Instead<'defer'> | Instead<'reuse'> | Instead<'park'>; after?: (job: Job) => Promise<void> }
  | { refused: 'parked' | 'draining' }
  | { again: true };

/** Asked with a job that could be claimed now; `stop`: this process takes no more jobs. Throws `store_unavailable`. */
export type Gate = (found: StoredJob, input: Json, stop?: AbortSignal) => Promise<Gated>;

/** One gate after the other: whether an equal job has the answer, then whether a route may be called. */
export function gateOf({ sharing, routing }: { sharing?: Gate | undefined; routing?: Gate | undefined }): Gate {
  return async (found, input, stop) => {
    const shared = (await sharing?.(found, input, stop)) ?? {};
    if ('instead' in shared || 'refused' in shared || 'again' in shared) return shared;
    const routed = (await routing?.(found, input, stop)) ?? {};
    if ('instead' in routed && routed.instead.type === 'defer')
      return { ...routed, instead: { ...routed.instead, leads: shared.leads } };
    return 'instead' in routed || 'refused' in routed || 'again' in routed ? routed : { ...shared, ...routed };
  };
}
