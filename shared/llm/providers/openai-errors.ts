/** What a failure of OpenAI's SDK means, in our classes. */
import { APIConnectionError, APIError } from 'openai';
import { type FailureCode, ServiceError } from '../../core/errors.ts';
import { codeOfStatus, failure, retryAfterOf } from './failures.ts';

/** The vendor's error codes that mean something else than their HTTP status says. */
const BY_CODE: Record<string, FailureCode> = {
  insufficient_quota: 'quota_exhausted',
  rate_limit_exceeded: 'rate_limited',
  context_length_exceeded: 'context_overflow',
  content_filter: 'content_policy',
  content_policy_violation: 'content_policy',
  invalid_prompt: 'content_policy',
  invalid_api_key: 'auth',
  server_error: 'overloaded',
};

/** An error thrown by the SDK, as the `ServiceError` of its class. */
export function classifyOpenaiError(error: unknown, nowMs: number = Date.now()): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof APIConnectionError) return failure('network', { cause: error });
  if (error instanceof APIError) {
    const code = (error.code ? BY_CODE[error.code] : undefined) ?? codeOfStatus(error.status);
    return failure(code, { cause: error, vendorText: error.message, retryAfterMs: retryAfterOf(error.headers, nowMs) });
  }
  // Malformed JSON, in a frame or as the whole answer.
  if (error instanceof SyntaxError) return failure('provider_error', { cause: error });
  // A socket cut within a stream is a TypeError ("terminated").
  return failure('network', { cause: error });
}

/** A failure that the answer itself reported. */
export function failureOf(code: string | null | undefined, message: string | undefined): ServiceError {
  return failure((code ? BY_CODE[code] : undefined) ?? 'provider_error', { vendorText: message });
}
