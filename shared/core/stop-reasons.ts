/** Why the work on a job stops before its call has ended. */
import { ServiceError } from './errors.ts';

const SENTENCES = {
  lease_lost: 'The lease of this attempt was lost.',
  cancelled: 'The job was cancelled.',
  drained: 'The worker was told to stop.',
  job_timeout: 'The time of the job is over.',
} as const;

export type StopCode = keyof typeof SENTENCES;

/** The reason of the signal that ends the work. */
export function stopReason(code: StopCode): ServiceError {
  return new ServiceError(code, SENTENCES[code]);
}
