/** The sentences of our failure classes, and what a provider asks us to wait. */
import { type FailureCode, type ProviderFacts, ServiceError } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import { askedPauseMs } from '../../core/retry-after.ts';

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
  timeout: 'The provider did not answer in time.',
  content_policy: "The request or its answer was withheld by the provider's content policy.",
  context_overflow: "The request is larger than the model's context window.",
  provider_error: 'The provider could not answer.',
};

export type FailureFacts = {
  cause?: unknown;
  vendorText?: string | undefined;
  /** The key that was used: a vendor's text may repeat it. */
  secret?: string | undefined;
  retryAfterMs?: number | undefined;
  /** What the provider answered. */
  provider?: ProviderFacts | undefined;
};

/** A failure of a call, in our words. */
export function failure(
  code: FailureCode,
  { cause, vendorText, secret, retryAfterMs, provider }: FailureFacts = {},
): ServiceError {
  const sentence = SENTENCES[code] ?? `The provider refuses the request: ${shown(vendorText, secret)}`;
  return new ServiceError(code, sentence, {
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(provider === undefined ? {} : { provider }),
  });
}

/** The same failure with another sentence, or with more that is known of the provider's answer. */
export function retold(error: ServiceError, over: { message?: string; provider?: ProviderFacts }): ServiceError {
  const { code, cause, details, retryAfterMs, fields } = error;
  const provider = over.provider ?? error.provider;
  return new ServiceError(code, over.message ?? error.message, {
    ...(cause === undefined ? {} : { cause }),
    ...(details === undefined ? {} : { details }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(provider === undefined ? {} : { provider }),
    ...(fields === undefined ? {} : { fields }),
  });
}

/** The failure, with the id of the answer that it came in, where it does not know one. */
export function withRequestId(error: ServiceError, requestId: string | undefined): ServiceError {
  if (requestId === undefined || error.provider?.requestId !== undefined) return error;
  return retold(error, { provider: { ...error.provider, requestId } });
}

/** What an HTTP status says where nothing else does. */
export function codeOfStatus(status: number | undefined): FailureCode {
  if (status === undefined) return 'provider_error';
  if (status === 401 || status === 403) return 'auth';
  if (status === 402) return 'quota_exhausted';
  if (status === 429) return 'rate_limited';
  if (status === 408 || status === 504) return 'timeout';
  if (status >= 500) return 'overloaded';
  return 'invalid_request';
}

/** Is this the failure of a connection, as Node's `fetch` reports it? Anything else is an answer that made no sense. */
export function isConnectionFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^(UND_ERR|E[A-Z]+$)/.test(cause.code)) return true;
    if (cause instanceof TypeError && /^(terminated|fetch failed)/.test(cause.message)) return true;
  }
  return false;
}

/** A vendor's words for a request that is larger than the model's context window. */
export function saysContextOverflow(text: string | undefined): boolean {
  return /maximum context length|context window|token count.*exceeds/i.test(text ?? '');
}

/** Vendors' headers for a wait in milliseconds: OpenAI's, and Azure's. */
const MILLISECOND_HEADERS = ['retry-after-ms', 'x-ms-retry-after-ms'];

/** How long the provider asks us to wait: in milliseconds, or `Retry-After`; the longest, where it says several. */
export function retryAfterOf(headers: Headers | undefined, nowMs: number): number | undefined {
  const inMilliseconds = MILLISECOND_HEADERS.map((name) => Number.parseFloat(headers?.get(name) ?? ''));
  const standard = askedPauseMs(headers?.get('retry-after'), headers?.get('date'), nowMs);
  const asked = [...inMilliseconds, standard ?? Number.NaN].filter((ms) => Number.isFinite(ms));
  return asked.length === 0 ? undefined : Math.max(0, ...asked);
}

const VENDOR_TEXT_MOST = 300;

/** A vendor's sentence as it may be shown: short, no page, and without anything that is or looks like a key. */
function shown(text: string | undefined, secret: string | undefined): string {
  const clean = redact(text ?? '', secret === undefined ? [] : [secret], VENDOR_TEXT_MOST);
  return clean.trim() === '' || /<\/?[a-z!][^>]*>/i.test(clean) ? 'it gave no reason' : clean;
}
