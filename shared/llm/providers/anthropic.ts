/**
 * Anthropic's Messages API through its SDK, streamed. The SDK's own retries are off: each would be another paid call that
 * nobody recorded.
 */
import Anthropic from '@anthropic-ai/sdk';
import { Stream } from '@anthropic-ai/sdk/core/streaming';
import type { Message, MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages/messages';
import { LEFT, orAborted, untilAborted } from '../../core/aborted.ts';
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart, LlmProvider } from '../../core/llm.ts';
import { toAnthropicBody } from '../transformers/anthropic.ts';
import { callIds } from '../transformers/call-ids.ts';
import { type Transformer, transformed } from '../transformers/transformer.ts';
import { type AnthropicEvent, anthropicAnswer } from './anthropic-answer.ts';
import { classifyAnthropicError, failureOf, type WireError } from './anthropic-errors.ts';
import { withRequestId } from './failures.ts';
import { isHttpResponse } from './http-response.ts';
import { limitedFetch } from './limited-fetch.ts';
import { rateLimitsOf } from './rate-limit-headers.ts';
import { traceHeaders } from './trace-headers.ts';

type CallOptions = { signal: AbortSignal; maxRetries: 0; headers?: { traceparent: string } };

/** What of a client is used: the SDK's own, or one that answers like it, streamed or whole. */
export type AnthropicClient = {
  messages: { create(body: MessageCreateParamsStreaming, options: CallOptions): PromiseLike<unknown> };
};

export type AnthropicOptions = {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
  /** A ready client; its key and address are its own. */
  client?: AnthropicClient | undefined;
  /** `toAnthropicBody` when absent. */
  transform?: Transformer<MessageCreateParamsStreaming> | undefined;
};

/** One call per `generate`. */
export function anthropicProvider(options: AnthropicOptions): LlmProvider {
  const client = options.client ?? anthropicClient(options);
  return {
    async *generate(request, { signal, traceparent }) {
      signal.throwIfAborted();
      const { body, warnings } = transformed(options.transform ?? toAnthropicBody, request);
      const secret = keyOf(client);
      // The SDK listens to the signal it is given, and ends an aborted stream as if it were complete.
      const abort = new AbortController();
      const stop = () => abort.abort(signal.reason);
      signal.addEventListener('abort', stop);
      let requestId: string | undefined;
      try {
        const sent = client.messages.create(body, {
          ...{ signal: abort.signal, maxRetries: 0 as const },
          ...traceHeaders(traceparent),
        });
        const answered = await orAborted(isFromSdk(sent) ? sent.asResponse() : sent, signal);
        const headers = isHttpResponse(answered) ? answered.headers : undefined;
        requestId = headers?.get('request-id') ?? undefined;
        yield { type: 'accepted', providerRequestId: requestId, limits: rateLimitsOf(headers, Date.now()) };
        for (const message of warnings) yield { type: 'warning', message };
        yield* partsOf(answered, anthropicAnswer(callIds(request), secret), { abort, signal, secret });
      } catch (error) {
        signal.throwIfAborted();
        throw withRequestId(classifyAnthropicError(error, secret), requestId);
      } finally {
        signal.removeEventListener('abort', stop);
        // A consumer that stops reading must not leave the provider writing, and charging.
        abort.abort(LEFT);
      }
      signal.throwIfAborted();
    },
  };
}

/** All that the SDK would read from the environment is said: another's token or address must not be used. */
function anthropicClient({ apiKey = '', baseUrl }: AnthropicOptions): Anthropic {
  return new Anthropic({
    ...{ apiKey, authToken: null, baseURL: baseUrl ?? 'https://api.anthropic.com' },
    ...{ maxRetries: 0, fetch: limitedFetch(fetch), logLevel: 'off' },
  });
}

/** The SDK answers a promise that has more to it: the response as soon as its headers are here. */
function isFromSdk(sent: object): sent is { asResponse(): Promise<Response> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

function keyOf(client: object): string | undefined {
  return 'apiKey' in client && typeof client.apiKey === 'string' ? client.apiKey : undefined;
}

type Reading = { abort: AbortController; signal: AbortSignal; secret: string | undefined };

async function* partsOf(
  answered: unknown,
  answer: ReturnType<typeof anthropicAnswer>,
  { abort, signal, secret }: Reading,
): AsyncIterable<LlmPart> {
  if (!isHttpResponse(answered)) {
    if (!isEvents(answered)) yield* answer.partsOfWhole(documentOf(answered, secret));
    else for await (const event of untilAborted(answered, signal)) yield* answer.partsOfEvent(event);
    return;
  }
  const type = answered.headers.get('content-type') ?? '';
  if (type.includes('text/event-stream')) {
    // Raw: the SDK's own reading leaves out pings, by which a model that thinks in silence is known to be alive.
    for await (const { data } of Stream.rawEvents(answered, abort)) {
      if (data !== '') yield* answer.partsOfEvent(JSON.parse(data) as AnthropicEvent);
    }
  } else if (type.includes('json')) {
    yield* answer.partsOfWhole(documentOf(await answered.json(), secret));
  } else {
    throw new ServiceError('provider_error', 'The provider answered with neither events nor JSON.');
  }
}

function isEvents(answered: unknown): answered is AsyncIterable<AnthropicEvent> {
  return typeof answered === 'object' && answered !== null && Symbol.asyncIterator in answered;
}

/** Gateways answer 200 with an error inside. */
function documentOf(document: unknown, secret: string | undefined): Message {
  const { content, error } = (document ?? {}) as { content?: unknown; error?: WireError };
  if (!Array.isArray(content)) throw failureOf(error, secret);
  // What it holds is the vendor's word alone.
  return document as Message;
}
