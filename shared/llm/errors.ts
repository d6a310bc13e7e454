/**
 * The error hierarchy of seed 003 over our one error class: which code belongs to which of its names. What a failed call is
 * known to be stands in the error itself: `code`, `provider` (HTTP status, request id), `retryAfterMs`.
 */
import { type ErrorCode, type FailureCode, isServiceError, type ServiceError } from '../core/errors.ts';
import { FAILURE_RULES } from '../core/retry.ts';

const VALIDATION: readonly ErrorCode[] = ['invalid_request', 'cost_limit', 'input_too_large'];
const PROVIDER: readonly ErrorCode[] = ['unsupported_provider', 'model_unavailable'];
const API_CALL: readonly ErrorCode[] = [
  ...(['auth', 'rate_limited', 'quota_exhausted', 'overloaded', 'network', 'timeout', 'context_overflow'] as const),
  ...(['content_policy', 'provider_error', 'response_too_large', 'attempt_timeout', 'idle_timeout'] as const),
  ...(['answer_truncated', 'schema_violation'] as const),
];

const among =
  (codes: readonly ErrorCode[]) =>
  (error: unknown): error is ServiceError =>
    isServiceError(error) && codes.includes(error.code);

/** Any failure of the module (`LLMServiceError`). */
export const isLlmServiceError = (error: unknown): error is ServiceError => isServiceError(error);
/** Everything that has to do with the provider (`ProviderError`): there is none, it cannot be used, or its call failed. */
export const isProviderError = (error: unknown): error is ServiceError =>
  among([...PROVIDER, ...API_CALL])(error) || isRefusedByProvider(error);
/** There is no such provider (`UnsupportedProviderError`). */
export const isUnsupportedProviderError = among(['unsupported_provider']);
/** The request is wrong (`ValidationError`); `details` names the fields. */
export const isValidationError = (error: unknown): error is ServiceError =>
  among(VALIDATION)(error) && !isRefusedByProvider(error);
/** The request could not be put into the provider's words (`TransformationError`). */
export const isTransformationError = among(['transformation_failed']);
/** A call was made, and failed (`APICallError`). */
export const isApiCallError = (error: unknown): error is ServiceError =>
  among(API_CALL)(error) || isRefusedByProvider(error);

/** Could the same call succeed at another time? */
export function isRetryable(error: unknown): boolean {
  if (!isServiceError(error)) return false;
  const rule = FAILURE_RULES[error.code as FailureCode]?.sameRoute;
  return rule === 'retry' || rule === 'wait';
}

/** `invalid_request` may be ours, or what the provider answered. */
function isRefusedByProvider(error: unknown): boolean {
  return isServiceError(error, 'invalid_request') && error.provider !== undefined;
}
