/**
 * What a failure of `@google/generative-ai` means, in our classes. Its errors have no headers, and `name` is always
 * `Error`; what is left are `status`, `errorDetails` and, for a few, only the message.
 */
import { type FailureCode, ServiceError } from '../../core/errors.ts';
import { codeOfStatus, failure, saysContextOverflow } from './failures.ts';

/** A detail of an error of Google's. */
export type Detail = { '@type'?: string; reason?: string; retryDelay?: string; violations?: { quotaId?: string }[] };
/** Thrown by the package it has `errorDetails`; within a stream the same list is `details`. */
type GeminiError = {
  status?: number | string;
  code?: number;
  message?: string;
  errorDetails?: Detail[];
  details?: Detail[];
};

/** What the headers of an answer said, which the package passes on nowhere. */
export type GeminiHeaders = { retryAfterMs?: number | undefined; requestId?: string | undefined };

/**
 * An error of the package, or an error object in the stream, as the `ServiceError` of its class. Where the answer's headers
 * asked for another wait than its body, the longer counts.
 */
export function classifyGeminiError(error: unknown, secret?: string, headers: GeminiHeaders = {}): ServiceError {
  if (error instanceof ServiceError) return error;
  const known = (error ?? {}) as GeminiError;
  const status = typeof known.status === 'number' ? known.status : known.code;
  if (status === undefined) return failure(isUnreadable(error) ? 'provider_error' : 'network', { cause: error });
  const details = known.errorDetails ?? known.details ?? [];
  return failure(codeOf(status, details, known.message ?? ''), {
    cause: error,
    vendorText: known.message,
    secret,
    retryAfterMs: longest(retryDelayOf(details), headers.retryAfterMs),
    provider: { status, requestId: headers.requestId },
  });
}

function codeOf(status: number, details: Detail[], message: string): FailureCode {
  // A bad key is a 400 there.
  if (details.some((detail) => detail.reason === 'API_KEY_INVALID')) return 'auth';
  if (status === 400 && saysContextOverflow(message)) return 'context_overflow';
  // A quota per day does not come back within a job's patience, one per minute does.
  const violations = details.flatMap((detail) => detail.violations ?? []);
  if (violations.some(({ quotaId }) => /PerDay/i.test(quotaId ?? ''))) return 'quota_exhausted';
  return codeOfStatus(status);
}

/** How long `google.rpc.RetryInfo` ("34.4s") asks us to wait, in milliseconds. */
export function retryDelayOf(details: Detail[]): number | undefined {
  const delay = details.find((detail) => detail['@type']?.endsWith('google.rpc.RetryInfo'))?.retryDelay;
  const seconds = Number.parseFloat(delay ?? '');
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : undefined;
}

/** The longest of the waits that were asked for. */
export function longest(...waits: (number | undefined)[]): number | undefined {
  const asked = waits.filter((wait) => wait !== undefined);
  return asked.length === 0 ? undefined : Math.max(...asked);
}

/** JSON that cannot be parsed has no class of its own: the package says so in its message alone. */
function isUnreadable(error: unknown): boolean {
  return error instanceof SyntaxError || (error instanceof Error && /pars(e|ing)/i.test(error.message));
}
