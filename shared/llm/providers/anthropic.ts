/**
 * Anthropic's Messages API through its SDK, streamed. The SDK's own retries are off: each would be another paid call that
 * nobody recorded.
 */
import Anthropic from '@anthropic-ai/sdk';
import { Stream } from '@anthropic-ai/sdk/core/streaming';
import type { Message, MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages/messages';
import type { LlmProvider } from '../../core/llm.ts';
import { toAnthropicBody } from '../transformers/anthropic.ts';
import { callIds } from '../transformers/call-ids.ts';
import { type Transformer, transformed } from '../transformers/transformer.ts';
import { type AnthropicEvent, anthropicAnswer } from './anthropic-answer.ts';
import { classifyAnthropicError, failureOf, type WireError } from './anthropic-errors.ts';
import { isHttpResponse } from './http-response.ts';
import { limitedFetch } from './limited-fetch.ts';
import { keyOf, partsOfCall, type RequestOptions } from './sdk-call.ts';

/** What of a client is used: the SDK's own, or one that answers like it, streamed or whole. */
export type AnthropicClient = {
  messages: { create(body: MessageCreateParamsStreaming, options: RequestOptions): PromiseLike<unknown> };
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
    generate: (request, { signal, traceparent }) =>
      partsOfCall<AnthropicEvent>(() => {
        signal.throwIfAborted();
        const { body, warnings } = transformed(options.transform ?? toAnthropicBody, request);
        const secret = keyOf(client);
        const { partsOfWhole, ...answer } = anthropicAnswer(callIds(request), secret);
        return {
          ...{ signal, traceparent, warnings, ...answer, eventsIn },
          vendor: { classify: (error) => classifyAnthropicError(error, secret), requestIdOf },
          send: (each) => client.messages.create(body, each),
          partsOfDocument: (document) => partsOfWhole(documentOf(document, secret)),
        };
      }),
  };
}

/** All that the SDK would read from the environment is said: another's token or address must not be used. */
function anthropicClient({ apiKey = '', baseUrl }: AnthropicOptions): Anthropic {
  return new Anthropic({
    ...{ apiKey, authToken: null, baseURL: baseUrl ?? 'https://api.anthropic.com' },
    ...{ maxRetries: 0, fetch: limitedFetch(fetch), logLevel: 'off' },
  });
}

function requestIdOf(answer: unknown): string | undefined {
  return isHttpResponse(answer) ? (answer.headers.get('request-id') ?? undefined) : undefined;
}

/** Raw: the SDK's own reading leaves out pings, by which a model that thinks in silence is known to be alive. */
async function* eventsIn(response: Response, abort: AbortController): AsyncGenerator<AnthropicEvent> {
  for await (const { data } of Stream.rawEvents(response, abort)) {
    if (data !== '') yield JSON.parse(data) as AnthropicEvent;
  }
}

/** Gateways answer 200 with an error inside. */
function documentOf(document: unknown, secret: string | undefined): Message {
  const { content, error } = (document ?? {}) as { content?: unknown; error?: WireError };
  if (!Array.isArray(content)) throw failureOf(error, secret);
  // What it holds is the vendor's word alone.
  return document as Message;
}
