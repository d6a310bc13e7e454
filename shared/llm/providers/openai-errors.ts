/** What a failure of OpenAI's SDK means, in our classes. */
import { APIConnectionError, APIError, OpenAIError } from 'openai';
import { type FailureCode, ServiceError } from '../../core/errors.ts';
import { codeOfStatus, failure, isConnectionFailure, retryAfterOf, saysContextOverflow } from './failures.ts';
import { type Detail, longest, retryDelayOf } from './gemini-errors.ts';
import { rateLimitsOf, resetOf } from './rate-limit-headers.ts';

/** An error object on the wire; what compatible servers put into it varies. */
export type WireError = { code?: unknown; type?: unknown; message?: unknown };

/** The vendor's words that mean something else than their HTTP status says. */
const BY_WORD = new Map<unknown, FailureCode>([
  ['insufficient_quota', 'quota_exhausted'],
  ['rate_limit_exceeded', 'rate_limited'],
  ['rate_limit_error', 'rate_limited'],
  ['context_length_exceeded', 'context_overflow'],
  ['content_filter', 'content_policy'],
  ['content_policy_violation', 'content_policy'],
  ['invalid_prompt', 'content_policy'],
  ['invalid_api_key', 'auth'],
  ['authentication_error', 'auth'],
  ['server_error', 'overloaded'],
  ['overloaded_error', 'overloaded'],
]);

/** An error thrown by the SDK, as the `ServiceError` of its class; one that stands behind it is found, too. */
export function classifyOpenaiError(error: unknown, secret?: string, nowMs: number = Date.now()): ServiceError {
  if (error instanceof ServiceError) return error;
  // A redirect that was refused, or a token that there was none of, wrapped by the SDK.
  if (error instanceof OpenAIError && error.cause instanceof ServiceError) return error.cause;
  if (error instanceof APIConnectionError) return failure('network', { cause: error });
  if (error instanceof APIError) {
    const { message, headers, status, requestID } = error;
    const limits = rateLimitsOf(headers, nowMs);
    const askedMs = longest(retryAfterOf(headers, nowMs), retryDelayOf(detailsOf(error)));
    const retryAfterMs = askedMs ?? (status === 429 ? resetOf(limits) : undefined);
    return failure(codeOf(error, status) ?? codeOfStatus(status), {
      ...{ cause: error, vendorText: message, secret, retryAfterMs },
      provider: { status, requestId: requestID ?? undefined, limits },
    });
  }
  // Malformed JSON is a SyntaxError, JSON of another shape a TypeError of our own; a socket that was cut is neither.
  return failure(isConnectionFailure(error) ? 'network' : 'provider_error', { cause: error });
}

/** What Google's servers add, whatever protocol they speak. */
function detailsOf({ error }: APIError): Detail[] {
  const { details } = (error ?? {}) as { details?: unknown };
  return Array.isArray(details) ? details : [];
}

/** A failure that the answer itself reported. */
export function failureOf(error: WireError | null | undefined, secret?: string): ServiceError {
  const vendorText = typeof error?.message === 'string' ? error.message : undefined;
  return failure(codeOf(error ?? {}, undefined) ?? 'provider_error', { vendorText, secret });
}

function codeOf({ code, type, message }: WireError, status: number | undefined): FailureCode | undefined {
  const word = BY_WORD.get(code) ?? BY_WORD.get(type);
  if (word) return word;
  if (saysContextOverflow(String(message ?? ''))) return 'context_overflow';
  // Gateways put an HTTP status where OpenAI has a word.
  const numeric = status === undefined && /^\d{3}$/.test(String(code)) ? Number(code) : undefined;
  return numeric === undefined ? undefined : codeOfStatus(numeric);
}
