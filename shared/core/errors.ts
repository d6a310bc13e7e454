/**
 * The one error class of the project and its closed list of codes.
 *
 * Expected outcomes (a lease that is taken, a job that is over) are return values; a `ServiceError` is a request that
 * cannot be served, an attempt that failed, or a dependency that gave no answer. Whoever throws one decides the code
 * where the cause is known; how a code looks on the wire is decided in `shared/http/errors.ts`.
 */

import type { ProviderLimits } from './llm.ts';

/** What went wrong with a request. */
export type RequestErrorCode =
  | 'invalid_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'csrf_failed'
  | 'rate_limited'
  | 'request_timeout'
  | 'auth_unavailable'
  | 'job_not_found'
  | 'batch_not_found'
  | 'account_not_found'
  | 'credits_off'
  | 'job_not_complete'
  | 'job_not_failed'
  | 'nothing_to_deliver'
  | 'webhooks_off'
  | 'result_removed'
  | 'input_removed'
  | 'job_id_taken'
  | 'idempotency_conflict'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'unsupported_media_type'
  | 'input_too_large'
  | 'insufficient_credits'
  | 'budget_exceeded'
  | 'subscription_inactive'
  | 'model_unavailable'
  | 'store_unavailable'
  | 'internal_error';

/**
 * Why an attempt, or a job, failed: stored with it and shown as `error_code`. What each means for another attempt is
 * decided in `retry.ts`.
 */
export type FailureCode =
  | 'auth'
  | 'rate_limited'
  | 'quota_exhausted'
  | 'overloaded'
  | 'network'
  | 'timeout'
  | 'invalid_request'
  | 'content_policy'
  | 'context_overflow'
  | 'answer_truncated'
  | 'schema_violation'
  | 'cost_limit'
  | 'insufficient_credits'
  | 'budget_exceeded'
  | 'subscription_inactive'
  | 'unsupported_provider'
  | 'transformation_failed'
  | 'provider_error'
  | 'model_unavailable'
  | 'response_too_large'
  | 'result_unstorable'
  | 'start_timeout'
  | 'job_timeout'
  | 'attempt_timeout'
  | 'idle_timeout'
  | 'lease_lost'
  | 'crash_loop'
  | 'cancelled'
  | 'drained'
  | 'internal_error';

export type ErrorCode = RequestErrorCode | FailureCode;

/** One wrong field: where it is (`input_data.full_input`) and what would be right. */
export type FieldError = { path: string; message: string };

/** What is known of a provider's refusal. */
export type ProviderFacts = {
  status?: number | undefined;
  requestId?: string | undefined;
  /** What it says of its limits. */
  limits?: ProviderLimits | undefined;
};

export type ServiceErrorOptions = {
  cause?: unknown;
  /** The wrong fields of a request. */
  details?: FieldError[];
  /** The soonest time at which trying again makes sense. */
  retryAfterMs?: number;
  /** Of a failed call: what the provider answered. */
  provider?: ProviderFacts;
  /** More facts for the caller, shown beside the message (`{ status: 'processing' }`). */
  fields?: Record<string, string>;
};

/** An error whose `message` may be shown to the user as it stands: no internals, no keys, no prompts. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly details: FieldError[] | undefined;
  readonly retryAfterMs: number | undefined;
  readonly provider: ProviderFacts | undefined;
  readonly fields: Record<string, string> | undefined;

  constructor(code: ErrorCode, message: string, options: ServiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ServiceError';
    this.code = code;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
    this.provider = options.provider;
    this.fields = options.fields;
  }
}

/** Is this error a `ServiceError`, and (when given) one with this code? */
export function isServiceError(error: unknown, code?: ErrorCode): error is ServiceError {
  return error instanceof ServiceError && (code === undefined || error.code === code);
}

const FRAMES_LOGGED = 5;

/** Where an error came from, for a log: never its message, which may hold anything. */
export function framesOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  // A message may have lines that look like frames.
  const frames = (error.stack ?? '')
    .replace(error.message, '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  return [error.name, ...frames.slice(0, FRAMES_LOGGED).map((frame) => frame.trim())].join(' ');
}
/**
 * What an error is, for a log: our code, then how the cause names itself. Never a message, which may hold anything: a
 * prompt, a key, a whole answer.
 */
export function describeError(error: unknown): string {
  if (!isServiceError(error)) return framesOf(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.code;
  const { code } = cause as { code?: unknown };
  const word = typeof code === 'number' || (typeof code === 'string' && /^\w{1,40}$/.test(code)) ? ` ${code}` : '';
  return `${error.code} (${cause.name}${word})`;
}

/** A request whose fields are wrong; the sentence names them, the details say what would be right. */
export function invalidRequest(details: FieldError[]): ServiceError {
  const sentence = details.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new ServiceError('invalid_request', sentence, { details });
}
