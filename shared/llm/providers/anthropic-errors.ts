/**
 * What a failure of Anthropic's SDK means, in our classes.
 *
 * @see https://platform.claude.com/docs/en/api/errors
 */
import { AnthropicError, APIConnectionError, APIError } from '@anthropic-ai/sdk';
import { type FailureCode, ServiceError } from '../../core/errors.ts';
import { codeOfStatus, failure, isConnectionFailure, retryAfterOf, saysContextOverflow } from './failures.ts';
import { rateLimitsOf, resetOf } from './rate-limit-headers.ts';

/** An error object on the wire; what stands there may be anything. */
export type WireError = { type?: unknown; message?: unknown };

const BY_TYPE = new Map<unknown, FailureCode>([
  ['authentication_error', 'auth'],
  ['permission_error', 'auth'],
  ['billing_error', 'quota_exhausted'],
  ['rate_limit_error', 'rate_limited'],
  ['overloaded_error', 'overloaded'],
  ['api_error', 'overloaded'],
  ['timeout_error', 'timeout'],
  ['invalid_request_error', 'invalid_request'],
  ['not_found_error', 'invalid_request'],
  ['request_too_large', 'invalid_request'],
]);

/** An error thrown by the SDK, as the `ServiceError` of its class; one that stands behind it is found, too. */
export function classifyAnthropicError(error: unknown, secret?: string, nowMs: number = Date.now()): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof AnthropicError && error.cause instanceof ServiceError) return error.cause;
  if (error instanceof APIConnectionError) return failure('network', { cause: error });
  if (error instanceof APIError) {
    const { status, headers, type, apiMessage, requestID } = error;
    const vendorText = apiMessage ?? undefined;
    const limits = rateLimitsOf(headers, nowMs);
    const retryAfterMs = retryAfterOf(headers, nowMs) ?? (status === 429 ? resetOf(limits) : undefined);
    return failure(codeOf({ type, message: apiMessage }) ?? codeOfStatus(status), {
      ...{ cause: error, vendorText, secret, retryAfterMs },
      provider: { status, requestId: requestID ?? undefined, limits },
    });
  }
  return failure(isConnectionFailure(error) ? 'network' : 'provider_error', { cause: error });
}

/** A failure that the answer itself reported. */
export function failureOf(error: WireError | null | undefined, secret?: string): ServiceError {
  const vendorText = typeof error?.message === 'string' ? error.message : undefined;
  return failure(codeOf(error ?? {}) ?? 'provider_error', { vendorText, secret });
}

function codeOf({ type, message }: WireError): FailureCode | undefined {
  const text = typeof message === 'string' ? message : '';
  const code = BY_TYPE.get(type);
  if (code !== undefined && code !== 'invalid_request') return code;
  if (/prompt is too long|exceed context limit/i.test(text) || saysContextOverflow(text)) return 'context_overflow';
  // A used-up balance is a 400 there, beside the 402.
  return /credit balance is too low/i.test(text) ? 'quota_exhausted' : code;
}
