/**
 * Gemini through `@google/generative-ai`, streamed. That package is archived upstream; it is named in the files of this
 * provider and of its transformer alone.
 */

import { LEFT, orAborted, untilAborted } from '../../core/aborted.ts';
import type { LlmPart, LlmProvider } from '../../core/llm.ts';
import { callIds } from '../transformers/call-ids.ts';
import { type GeminiBody, toGeminiBody } from '../transformers/gemini.ts';
import { type Transformer, transformed } from '../transformers/transformer.ts';
import { withGrace } from './after-end.ts';
import { withRequestId } from './failures.ts';
import { type GeminiAnswer, type GeminiChunk, geminiAnswer } from './gemini-answer.ts';
import { classifyGeminiError } from './gemini-errors.ts';
import { type FetchWatch, guardedFetch } from './gemini-fetch.ts';
import { keyOf } from './sdk-call.ts';
import { traceHeaders } from './trace-headers.ts';

type CallOptions = { signal: AbortSignal; customHeaders?: { traceparent: string } };

/** What of a client is used: the package's own, or one that answers like it, streamed or whole. */
export type GeminiClient = {
  getGenerativeModel(params: { model: string }, options?: { baseUrl?: string }): GeminiModel;
};
type GeminiModel = {
  generateContentStream?(body: GeminiBody, options: CallOptions): PromiseLike<unknown>;
  generateContent?(body: GeminiBody, options: CallOptions): PromiseLike<unknown>;
};

export type GeminiOptions = {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
  /** A ready client; its key is its own. */
  client?: GeminiClient | undefined;
  /** `toGeminiBody` when absent. */
  transform?: Transformer<GeminiBody> | undefined;
};

/** What a call answers, streamed or whole. */
type Answered = { stream?: AsyncIterable<GeminiChunk>; response?: PromiseLike<GeminiChunk> | GeminiChunk };

export function geminiProvider(options: GeminiOptions): LlmProvider {
  let loaded: Promise<GeminiClient> | undefined;
  const load = async (): Promise<GeminiClient> => {
    const { GoogleGenerativeAI } = await import('@google/generative-ai');
    return new GoogleGenerativeAI(options.apiKey ?? '');
  };
  return {
    async *generate(request, { signal, traceparent }) {
      // The package sends the request all the same when its signal is aborted already.
      signal.throwIfAborted();
      const { body, warnings } = transformed(options.transform ?? toGeminiBody, request);
      loaded ??= options.client ? Promise.resolve(options.client) : load();
      const client = await loaded;
      const model = client.getGenerativeModel(
        { model: request.model },
        options.baseUrl ? { baseUrl: options.baseUrl } : {},
      );
      // Its listeners on a signal are never removed, and breaking off the loop does not end the request.
      const abort = new AbortController();
      const stop = () => abort.abort(signal.reason);
      const watch: FetchWatch = { headers: {} };
      signal.addEventListener('abort', stop);
      try {
        const { headers: customHeaders } = traceHeaders(traceparent);
        const each = { signal: abort.signal, ...(customHeaders ? { customHeaders } : {}) };
        const sent = guardedFetch(watch, () => send(model, body, each));
        const answered = await orAborted(sent, signal);
        yield { type: 'accepted', providerRequestId: watch.headers.requestId };
        for (const message of warnings) yield { type: 'warning', message };
        yield* partsOf(answered, geminiAnswer(callIds(request)), signal);
      } catch (error) {
        signal.throwIfAborted();
        const { refusal, headers } = watch;
        throw withRequestId(refusal ?? classifyGeminiError(error, keyOf(client), headers), headers.requestId);
      } finally {
        signal.removeEventListener('abort', stop);
        abort.abort(LEFT);
      }
      signal.throwIfAborted();
    },
  };
}

async function send(model: GeminiModel, body: GeminiBody, options: CallOptions): Promise<Answered> {
  const sent = model.generateContentStream?.(body, options) ?? model.generateContent?.(body, options);
  // What a client brings beside what we read is its own affair.
  const answered = (await sent) as Answered | undefined;
  // The gathered response of a stream rejects on its own when the stream breaks.
  if (answered?.stream) void Promise.resolve(answered.response).catch(() => {});
  return answered ?? {};
}

async function* partsOf(
  { stream, response }: Answered,
  answer: GeminiAnswer,
  signal: AbortSignal,
): AsyncIterable<LlmPart> {
  if (stream) {
    const chunks = withGrace(untilAborted(stream, signal), answer.isEnded);
    for await (const chunk of chunks) yield* answer.partsOf(chunk);
    yield* answer.end();
  } else if (response) {
    yield* answer.partsOf(await response);
    yield* answer.end('STOP');
  }
}
