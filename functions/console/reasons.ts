/** Why jobs and attempts end as they do, in plain words: what happened, and what one can do about it. */

export type Reason = {
  /** What happened, in a few words. */
  title: string;
  /** What to do; absent where there is nothing to do. */
  advice?: string;
};

const TRY_LATER = 'It often passes by itself. Retry the job later.';
const LONGER = 'Retry it, or submit it with a longer';

/** By `error_code`. What is not here has the API's own sentence. */
const REASONS: Readonly<Record<string, Reason>> = {
  auth: { title: 'The provider did not accept the key', advice: "Mend the provider's key, then retry." },
  rate_limited: { title: 'Too many requests', advice: 'Retry later, or ask the provider for a higher limit.' },
  quota_exhausted: { title: "The provider's quota is used up", advice: "Top up the provider's account, then retry." },
  overloaded: { title: 'The provider was overloaded', advice: TRY_LATER },
  network: { title: 'The connection to the provider broke', advice: TRY_LATER },
  timeout: { title: 'The provider did not answer in time', advice: TRY_LATER },
  provider_error: { title: 'The provider had an error', advice: TRY_LATER },
  invalid_request: { title: 'The request is not valid', advice: 'Submit it again, mended.' },
  input_too_large: { title: 'The input is too large', advice: 'Submit it again with less.' },
  content_policy: { title: 'The answer was withheld by a content policy', advice: 'Word the prompt differently.' },
  context_overflow: { title: 'The input is too long for the model', advice: 'Shorten it, or take another model.' },
  answer_truncated: { title: 'The answer was cut off at its limit', advice: 'Allow more tokens, or ask for less.' },
  schema_violation: { title: 'The answer did not fit the schema', advice: 'Make the schema or the prompt simpler.' },
  cost_limit: { title: 'It would have cost more than it may', advice: 'Submit it with a higher max_cost.' },
  insufficient_credits: { title: 'The account has too few credits', advice: 'Grant it more, then retry.' },
  budget_exceeded: { title: "The account's budget is used up", advice: 'Raise the budget, then retry.' },
  subscription_inactive: { title: 'The subscription is not active', advice: 'Renew it, then retry.' },
  unsupported_provider: { title: 'There is no such provider', advice: 'Take another model.' },
  transformation_failed: { title: 'The provider cannot be asked this', advice: 'Take another model.' },
  model_unavailable: { title: 'The model cannot be used', advice: 'See Health for why, or take another model.' },
  response_too_large: { title: 'The answer is too large', advice: 'Ask for less.' },
  result_unstorable: { title: 'The answer could not be stored', advice: 'Ask for less, or for another form.' },
  start_timeout: { title: 'No worker took it in time', advice: `See whether workers run. ${LONGER} start_within.` },
  job_timeout: { title: 'It was not over in time', advice: `${LONGER} timeout.` },
  attempt_timeout: { title: 'The attempt took too long', advice: `${LONGER} attempt_timeout.` },
  idle_timeout: { title: 'The model fell silent', advice: `${LONGER} idle_timeout.` },
  lease_lost: { title: 'The worker was lost', advice: 'Another worker goes on by itself.' },
  drained: { title: 'The worker was shut down', advice: 'Another worker goes on by itself.' },
  crash_loop: { title: 'Its workers died again and again', advice: "Look at the workers' logs before you retry it." },
  cancelled: { title: 'It was cancelled' },
  internal_error: { title: 'The service had an error', advice: 'Look at the logs for this job, then retry it.' },
};

/** Of an `error_code`; of one that is not known here nothing. */
export function reasonOf(code: string): Reason | undefined {
  return Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
}
