/**
 * OpenAI's Responses API through its SDK, streamed. The SDK's own retries are off: each would be another paid call that
 * nobody recorded.
 */
import type {
  ResponseCreateParamsStreaming,
  ResponseStreamEvent,
  Response as WholeResponse,
} from 'openai/resources/responses/responses';
import type { LlmProvider } from '../../core/llm.ts';
import { callIds } from '../transformers/call-ids.ts';
import { toResponsesBody } from '../transformers/openai.ts';
import { transformed } from '../transformers/transformer.ts';
import { type BackgroundClient, responsesBackground } from './openai-background.ts';
import { type OpenaiOptions, openaiCall, openaiClient } from './openai-call.ts';
import { responsesAnswer } from './responses-answer.ts';
import type { RequestOptions } from './sdk-call.ts';

/** What of a client is used: OpenAI's own, or one that answers like it. */
export type ResponsesClient = {
  responses: { create(body: ResponseCreateParamsStreaming, options: RequestOptions): PromiseLike<unknown> };
};

export type ResponsesOptions = OpenaiOptions<ResponsesClient, ResponseCreateParamsStreaming>;

export function openaiProvider(options: ResponsesOptions): LlmProvider {
  const client: ResponsesClient = options.client ?? openaiClient(options);
  const transform = options.transform ?? toResponsesBody;
  return {
    background: hasBackground(client) ? responsesBackground(client, transform) : undefined,
    generate: (request, { signal, traceparent }) =>
      openaiCall<ResponseStreamEvent, WholeResponse>(() => {
        signal.throwIfAborted();
        const { body, warnings } = transformed(transform, request);
        return {
          ...{ client, signal, traceparent, warnings, ...responsesAnswer(callIds(request)) },
          send: (each) => client.responses.create(body, each),
        };
      }),
  };
}

/** What answers like OpenAI's client may do less than it. */
function hasBackground(client: object): client is BackgroundClient {
  const { responses } = client as { responses?: Partial<BackgroundClient['responses']> };
  return typeof responses?.retrieve === 'function' && typeof responses.cancel === 'function';
}
