/** What stands before a claim: an equal job may have the answer, and the provider may have to be left alone for now. */
import type { EventOf } from './events.ts';
import type { Json } from './job.ts';
import type { StoredJob } from './ports.ts';
import type { Pass } from './routing.ts';

type Instead<T extends 'defer' | 'reuse' | 'park'> = Omit<EventOf<T>, 'nowMs' | 'storedAtMs'>;

/**
 * - A claim may be written: `pass` is the right to its call, on one of the job's routes (absent: on any), `leads` the key
 *   under which equal jobs wait for its answer.
 * - `instead`: this is written in its place.
 * - `again`: time went by meanwhile, so the job must be looked at again.
 */
export type Gated =
  | { pass?: Pass | undefined; leads?: string | undefined }
  | { instead: Instead<'defer'> | Instead<'reuse'> | Instead<'park'> }
  | { again: true };

/** Asked with a job that could be claimed now. Throws `store_unavailable`. */
export type Gate = (found: StoredJob, input: Json) => Promise<Gated>;
