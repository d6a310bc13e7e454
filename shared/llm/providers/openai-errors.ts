/**
 * What a failure of OpenAI's SDK means, in our classes. Sentences are ours: a provider's text may hold a part of the
 * key (its 401 does) and is passed on only where the user needs it to mend the request.
 */
import { APIConnectionError, APIError } from 'openai';
import { type FailureCode, ServiceError } from '../../core/errors.ts';

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
export function classifyOpenaiError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (error instanceof APIConnectionError) return failure('network', error);
  if (error instanceof APIError) {
    const code = error.code ? BY_CODE[error.code] : undefined;
    return failure(code ?? byStatus(error.status), error, error.message);
  }
  // A socket cut within a stream is a TypeError ("terminated"), a broken frame a SyntaxError.
  return failure('network', error);
}

/** A failure that the stream itself reported. */
export function failureOf(code: string | null | undefined, message: string | undefined): ServiceError {
  return failure((code ? BY_CODE[code] : undefined) ?? 'provider_error', undefined, message);
}

function byStatus(status: number | undefined): FailureCode {
  if (status === undefined) return 'provider_error';
  if (status === 401 || status === 403) return 'auth';
  if (status === 429) return 'rate_limited';
  if (status === 408 || status >= 500) return 'overloaded';
  return 'invalid_request';
}

function failure(code: FailureCode, cause: unknown, vendorText?: string): ServiceError {
  const sentence = SENTENCES[code] ?? `The provider refuses the request: ${vendorText ?? 'it gave no reason'}`;
  return new ServiceError(code, sentence, cause === undefined ? {} : { cause });
}
