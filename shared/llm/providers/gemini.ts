/**
 * Gemini through `@google/generative-ai`, streamed. That package is archived upstream; it is named in this file and its
 * transformer alone.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { EnhancedGenerateContentResponse, GoogleGenerativeAI, UsageMetadata } from '@google/generative-ai';
import { ServiceError } from '../../core/errors.ts';
import type { Usage } from '../../core/job.ts';
import type { FinishReason, LlmPart, LlmProvider } from '../../core/llm.ts';
import { toGeminiBody } from '../transformers/gemini.ts';
import { withGrace } from './after-end.ts';
import { retryAfterOf } from './failures.ts';
import { classifyGeminiError } from './gemini-errors.ts';
import { limitedFetch } from './limited-fetch.ts';

/**
 * What our `fetch` saw within a call, for the package passes it on nowhere: what it refused, and how long an answer that
 * was no success asked us to wait.
 */
type Guard = { refusal?: ServiceError; retryAfterMs?: number | undefined };
const guarded = new AsyncLocalStorage<Guard>();
let isGuarding = false;

/** The package takes no `fetch`: within its calls, and nowhere else, the global one is bounded and follows no redirect. */
function guardFetch(): void {
  if (isGuarding) return;
  isGuarding = true;
  const plain = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    const guard = guarded.getStore();
    if (!guard) return plain(url, init);
    const note = (refusal: ServiceError) => {
      guard.refusal = refusal;
    };
    const response = await limitedFetch(plain, note)(url, init);
    if (!response.ok) guard.retryAfterMs = retryAfterOf(response.headers, Date.now());
    return response;
  };
}

export type GeminiOptions = { apiKey?: string | undefined; baseUrl?: string | undefined };

/** What the wire holds beyond the package's types. */
type Chunk = EnhancedGenerateContentResponse & {
  error?: { code?: number; status?: string; message?: string };
  responseId?: string;
};
type WireUsage = UsageMetadata & { thoughtsTokenCount?: number };
type WirePart = { text?: string; thought?: boolean };

/** Finish reasons that withhold the answer; `text()` throws for only three of them. */
const WITHHELD = new Set([
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'IMAGE_SAFETY',
]);

export function geminiProvider(options: GeminiOptions): LlmProvider {
  let client: Promise<GoogleGenerativeAI> | undefined;
  return {
    async *generate(request, { signal }) {
      // The package sends the request all the same when its signal is aborted already.
      signal.throwIfAborted();
      client ??= import('@google/generative-ai').then((sdk) => new sdk.GoogleGenerativeAI(options.apiKey ?? ''));
      guardFetch();
      const model = (await client).getGenerativeModel(
        { model: request.model },
        options.baseUrl ? { baseUrl: options.baseUrl } : {},
      );
      // Its listeners on a signal are never removed, and breaking off the loop does not end the request.
      const abort = new AbortController();
      const stop = () => abort.abort(signal.reason);
      const guard: Guard = {};
      signal.addEventListener('abort', stop);
      try {
        const { stream, response } = await guarded.run(guard, () =>
          model.generateContentStream(toGeminiBody(request), { signal: abort.signal }),
        );
        // The gathered response rejects on its own when the stream breaks.
        response.catch(() => {});
        yield { type: 'accepted' };
        yield* partsOf(stream);
      } catch (error) {
        signal.throwIfAborted();
        throw guard.refusal ?? classifyGeminiError(error, options.apiKey, guard.retryAfterMs);
      } finally {
        signal.removeEventListener('abort', stop);
        abort.abort();
      }
      signal.throwIfAborted();
    },
  };
}

async function* partsOf(stream: AsyncIterable<Chunk>): AsyncIterable<LlmPart> {
  let usage: Usage | undefined;
  let ended: string | undefined;
  for await (const chunk of withGrace(stream, () => ended !== undefined)) {
    if (chunk.error) throw classifyGeminiError(chunk.error);
    // Early chunks leave out the count of output tokens; the last one has everything.
    if (chunk.usageMetadata) usage = toUsage(chunk.usageMetadata);
    const blocked = chunk.promptFeedback?.blockReason;
    const candidate = chunk.candidates?.[0];
    const reason: string | undefined = candidate?.finishReason;
    if (blocked || (reason && WITHHELD.has(reason))) {
      if (usage) yield { type: 'usage', usage };
      throw new ServiceError('content_policy', `Gemini withheld the answer: ${wordOf(blocked ?? reason)}.`);
    }
    const parts = (candidate?.content?.parts ?? []) as WirePart[];
    const text = parts
      .filter((part) => !part.thought)
      .map((part) => part.text ?? '')
      .join('');
    yield text === '' ? { type: 'activity' } : { type: 'text-delta', text };
    if (reason && reason !== 'FINISH_REASON_UNSPECIFIED') ended = reason;
  }
  if (usage) yield { type: 'usage', usage };
  if (ended !== undefined) yield { type: 'finish', reason: toFinishReason(ended) };
}

/** A reason as Google writes them; what stands on the wire may be anything. */
function wordOf(reason: string | undefined): string {
  return /^[A-Z_]{1,40}$/.test(reason ?? '') ? `${reason}` : 'for a reason that we do not know';
}

function toFinishReason(reason: string): FinishReason {
  if (reason === 'STOP') return 'stop';
  if (reason === 'MAX_TOKENS') return 'length';
  throw new ServiceError('provider_error', `Gemini ended the answer: ${wordOf(reason)}.`);
}

/** Thoughts are paid for as output, beside the candidates. */
function toUsage(usage: WireUsage): Usage {
  const thoughts = usage.thoughtsTokenCount ?? 0;
  return {
    inputTokens: usage.promptTokenCount,
    outputTokens: (usage.candidatesTokenCount ?? 0) + thoughts,
    totalTokens: usage.totalTokenCount ?? 0,
    cachedInputTokens: usage.cachedContentTokenCount,
    reasoningTokens: usage.thoughtsTokenCount,
  };
}
