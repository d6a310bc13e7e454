/** How an error looks over HTTP: which status a code has, and the one JSON shape of `/api/llm`. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { type ErrorCode, ServiceError } from '../core/errors.ts';
import type { HttpEnv } from './env.ts';

export type ErrorStatus = 400 | 401 | 402 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 429 | 500 | 503;

const STATUS: Partial<Record<ErrorCode, ErrorStatus>> = {
  invalid_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  csrf_failed: 403,
  insufficient_credits: 402,
  budget_exceeded: 402,
  subscription_inactive: 403,
  request_timeout: 408,
  rate_limited: 429,
  auth_unavailable: 503,
  job_not_found: 404,
  batch_not_found: 404,
  account_not_found: 404,
  credits_off: 409,
  route_not_found: 404,
  method_not_allowed: 405,
  result_removed: 404,
  job_not_complete: 409,
  job_not_failed: 409,
  nothing_to_deliver: 409,
  webhooks_off: 409,
  input_removed: 409,
  job_id_taken: 409,
  idempotency_conflict: 409,
  input_too_large: 413,
  unsupported_media_type: 415,
  model_unavailable: 503,
  store_unavailable: 503,
};

export function statusOf(code: ErrorCode): ErrorStatus {
  return STATUS[code] ?? 500;
}

/** Any thrown thing as a `ServiceError`; what is not ours becomes a bare `internal_error` with its cause kept for the log. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof HTTPException && error.status < 500) {
    const what = error.status === 400 ? 'The body is not valid JSON.' : 'The request is malformed.';
    return new ServiceError('invalid_request', what, { cause: error });
  }
  return new ServiceError('internal_error', 'Something broke on our side.', { cause: error });
}

/** When to come again, in the whole seconds that HTTP knows; nothing where there is no reason to. */
export function renderRetryAfter(context: Context, ms: number | undefined): void {
  if (ms !== undefined) context.header('Retry-After', String(Math.max(1, Math.ceil(ms / 1_000))));
}

/** What a client may do about an error, in headers, whichever contract shows it. */
export function renderErrorHeaders(context: Context, error: ServiceError): void {
  renderRetryAfter(context, error.retryAfterMs);
  const challenge = challengeOf(error);
  if (challenge) context.header('WWW-Authenticate', challenge);
}

/** @see https://www.rfc-editor.org/rfc/rfc6750#section-3 */
function challengeOf({ code, fields = {} }: ServiceError): string | undefined {
  const { reason, scope } = fields;
  if (code === 'forbidden' && scope) return `Bearer realm="llm-jobs", error="insufficient_scope", scope="${scope}"`;
  if (code !== 'unauthenticated') return undefined;
  if (reason === 'missing') return 'Bearer realm="llm-jobs"';
  return `Bearer realm="llm-jobs", error="invalid_token", error_description="${reason}"`;
}

/** The error in the words of `/api/llm`. */
export function renderError(context: Context<HttpEnv>, error: ServiceError, status = statusOf(error.code)): Response {
  renderErrorHeaders(context, error);
  const body = {
    success: false,
    error: error.message,
    code: error.code,
    request_id: context.get('requestId'),
    ...(error.details ? { details: error.details } : {}),
    ...error.fields,
  };
  return context.json(body, status);
}
