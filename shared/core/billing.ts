/** May a provider have charged for a job? Read off its attempts. Pure. */

import type { Attempt } from './attempt-record.ts';
import type { FailureCode } from './errors.ts';
import type { Job } from './job.ts';
import { FAILURE_RULES } from './retry.ts';

/**
 * `none`: no call was made, or each was refused before any work. `final`: what was used is known. `possible`: a call was
 * broken off or lost, and nobody knows what the provider makes of it.
 */
export type Billing = 'none' | 'possible' | 'final';

/** What is known of a job's charges so far. */
export function billingOf({ attempts, attempt }: Job): Billing {
  const kinds = attempts.map(billingOfAttempt);
  // Of the oldest attempts of a job with very many no record is kept.
  if (kinds.includes('possible') || attempt > attempts.length) return 'possible';
  return kinds.includes('final') ? 'final' : 'none';
}

/** What is known of the charges of one attempt. */
export function billingOfAttempt({ calls, usage, finishReason, errorCode }: Attempt): Billing {
  // Some providers count as they go: without an end, what they counted is not all.
  if (usage && finishReason !== undefined) return 'final';
  if (calls === 0) return 'none';
  return (errorCode && FAILURE_RULES[errorCode as FailureCode]?.billing) || 'possible';
}
