/**
 * Documents of versions of this service that are newer than this one. Two versions run side by side while one takes over
 * from the other: what the older one does not know it shows as far as it can, and does not change.
 */
import { ServiceError } from './errors.ts';
import { JOB_STATES, type Job } from './job.ts';

/**
 * Of the shape of a job's document. It rises when older versions may not change what newer ones write; a field that they
 * can leave alone needs no new number.
 */
export const SCHEMA_VERSION = 1;

/** Is this job not ours to change? */
export function isOfNewerVersion({ schemaVersion, state }: Job): boolean {
  return schemaVersion > SCHEMA_VERSION || !JOB_STATES.includes(state);
}

/** Another instance may be of that version. */
const RETRY_AFTER_MS = 5_000;

/** Asked to change one. */
export function newerVersion(): ServiceError {
  const sentence = 'The job was written by a newer version of this service. Try again.';
  return new ServiceError('store_unavailable', sentence, { retryAfterMs: RETRY_AFTER_MS });
}
