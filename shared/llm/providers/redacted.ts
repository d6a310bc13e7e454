/** A provider whose failures, warnings and names for things tell none of our keys to those who read about a job. */
import { isServiceError } from '../../core/errors.ts';
import type { LlmPart, LlmProvider } from '../../core/llm.ts';
import { redact } from '../../core/redact.ts';
import { retold } from './failures.ts';

/** Ours have a few words; what a provider adds is bounded where it is taken in. */
const SENTENCE_MOST = 500;
const ID_MOST = 200;

/** The provider; `secrets` are all keys that this process holds. Answers are not touched: they are what was asked for. */
export function redactedProvider(provider: LlmProvider, secrets: readonly string[]): LlmProvider {
  const rethrow = (error: unknown): never => {
    throw redactedError(error, secrets);
  };
  /** By hand, for a generator in between would make more promises of each part. */
  function redacted(partsOf: () => AsyncIterable<LlmPart>): AsyncIterable<LlmPart> {
    return {
      [Symbol.asyncIterator]() {
        let iterator: AsyncIterator<LlmPart> | undefined;
        const leave = async () => await iterator?.return?.();
        return {
          async next() {
            try {
              iterator ??= partsOf()[Symbol.asyncIterator]();
              const step = await iterator.next();
              return step.done ? step : { done: false, value: redactedPart(step.value, secrets) };
            } catch (error) {
              // Whoever is thrown at leaves nobody writing.
              void leave().catch(() => {});
              return rethrow(error);
            }
          },
          return: async () => (await leave()) ?? { done: true, value: undefined },
        };
      },
    };
  }
  const { background } = provider;
  return {
    generate: (request, options) => redacted(() => provider.generate(request, options)),
    background: background && {
      async start(request, options) {
        // The id is what the answer is looked for by, and shown to nobody.
        const started = await background.start(request, options).catch(rethrow);
        const providerRequestId = redactedId(started.providerRequestId, secrets);
        const named = { ...started, providerRequestId };
        const { parts } = named;
        return parts ? { ...named, parts: redacted(() => parts) } : named;
      },
      async look(id, request, options) {
        const seen = await background.look(id, request, options).catch(rethrow);
        return 'parts' in seen ? { parts: redacted(() => seen.parts) } : seen;
      },
      cancel: (id, options) => background.cancel(id, options).catch(rethrow),
    },
  };
}

function redactedPart(part: LlmPart, secrets: readonly string[]): LlmPart {
  switch (part.type) {
    case 'accepted':
      return { ...part, providerRequestId: redactedId(part.providerRequestId, secrets) };
    case 'response':
      return { ...part, id: redactedId(part.id, secrets), model: redactedId(part.model, secrets) };
    case 'warning':
      return { ...part, message: redact(part.message, secrets, SENTENCE_MOST) };
    default:
      return part;
  }
}

function redactedId(id: string | undefined, secrets: readonly string[]): string | undefined {
  // What stands on the wire may be anything.
  return typeof id === 'string' ? redact(id, secrets, ID_MOST) : undefined;
}

/** Its cause stays: nobody is shown it, and logs tell where it came from, not what it says. */
function redactedError(error: unknown, secrets: readonly string[]): unknown {
  if (!isServiceError(error)) return error;
  const message = redact(error.message, secrets, SENTENCE_MOST);
  const requestId = redactedId(error.provider?.requestId, secrets);
  if (message === error.message && requestId === error.provider?.requestId) return error;
  return retold(error, { message, ...(error.provider ? { provider: { ...error.provider, requestId } } : {}) });
}
