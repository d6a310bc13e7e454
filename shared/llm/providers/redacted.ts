/** A provider whose failures, and whose headers, tell none of our keys to those who read about a job. */
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { LlmPart, LlmProvider } from '../../core/llm.ts';
import { redact } from '../../core/redact.ts';

/** Ours have a few words; what a provider adds is bounded where it is taken in. */
const SENTENCE_MOST = 500;
const REQUEST_ID_MOST = 200;

/** The provider; `secrets` are all keys that this process holds. Answers are not touched: they are what was asked for. */
export function redactedProvider(provider: LlmProvider, secrets: readonly string[]): LlmProvider {
  return {
    async *generate(request, options) {
      try {
        for await (const part of provider.generate(request, options)) yield redactedPart(part, secrets);
      } catch (error) {
        throw redactedError(error, secrets);
      }
    },
  };
}

function redactedPart(part: LlmPart, secrets: readonly string[]): LlmPart {
  if (part.type !== 'accepted' || part.providerRequestId === undefined) return part;
  return { ...part, providerRequestId: redact(part.providerRequestId, secrets, REQUEST_ID_MOST) };
}

/** Its cause stays: nobody is shown it, and logs tell where it came from, not what it says. */
function redactedError(error: unknown, secrets: readonly string[]): unknown {
  if (!isServiceError(error)) return error;
  const { code, message, cause, details, retryAfterMs, fields } = error;
  const clean = redact(message, secrets, SENTENCE_MOST);
  if (clean === message) return error;
  return new ServiceError(code, clean, {
    ...(cause === undefined ? {} : { cause }),
    ...(details === undefined ? {} : { details }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(fields === undefined ? {} : { fields }),
  });
}
