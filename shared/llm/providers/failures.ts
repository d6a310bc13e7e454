/** The sentences of our failure classes, and what a provider asks us to wait. */
import { type FailureCode, ServiceError } from '../../core/errors.ts';

/**
 * Sentences are ours: a provider's text may hold a part of the key (OpenAI's 401 does). It is passed on only where the
 * user needs it to mend the request.
 */
const SENTENCES: Partial<Record<FailureCode, string>> = {
  auth: 'The provider does not accept our API key.',
  rate_limited: 'The provider is limiting our requests.',
  quota_exhausted: 'The quota at the provider is used up.',
  overloaded: 'The provider is overloaded or out of order.',
  network: 'The connection to the provider could not be made, or was cut.',
  content_policy: "The request or its answer was withheld by the provider's content policy.",
  context_overflow: "The request is larger than the model's context window.",
  provider_error: 'The provider could not answer.',
};

export type FailureFacts = { cause?: unknown; vendorText?: string | undefined; retryAfterMs?: number | undefined };

/** A failure of a call, in our words. */
export function failure(code: FailureCode, { cause, vendorText, retryAfterMs }: FailureFacts = {}): ServiceError {
  const sentence =
    SENTENCES[code] ?? `The provider refuses the request: ${withoutKeys(vendorText ?? 'it gave no reason')}`;
  return new ServiceError(code, sentence, {
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** What an HTTP status says where nothing else does. */
export function codeOfStatus(status: number | undefined): FailureCode {
  if (status === undefined) return 'provider_error';
  if (status === 401 || status === 403) return 'auth';
  if (status === 429) return 'rate_limited';
  if (status === 408 || status >= 500) return 'overloaded';
  return 'invalid_request';
}

/**
 * How long the provider asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date. What cannot be read
 * is no request to wait.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterOf(headers: Headers | undefined, nowMs: number): number | undefined {
  const milliseconds = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (Number.isFinite(milliseconds)) return Math.max(0, milliseconds);
  const text = headers?.get('retry-after')?.trim() ?? '';
  if (/^-?\d+(\.\d+)?$/.test(text)) return Math.max(0, Number(text) * 1_000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** A vendor's sentence without anything that looks like a key of theirs. */
function withoutKeys(text: string): string {
  return text.replace(/\b(sk-|AIza)[\w*-]{4,}/g, '***');
}
