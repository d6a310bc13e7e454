/** Chat Completions at any `baseURL`: Ollama, vLLM, gateways, most vendors. Streamed; a whole answer is taken, too. */
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import type { LlmProvider } from '../../core/llm.ts';
import { callIds } from '../transformers/call-ids.ts';
import { toChatBody } from '../transformers/openai-chat.ts';
import { transformed } from '../transformers/transformer.ts';
import { type ChatPiece, chatAnswer } from './chat-answer.ts';
import { type OpenaiOptions, openaiCall, openaiClient } from './openai-call.ts';
import type { RequestOptions } from './sdk-call.ts';

/** What of a client is used: OpenAI's own, or one that answers like it. */
export type ChatClient = {
  chat: {
    completions: { create(body: ChatCompletionCreateParamsStreaming, options: RequestOptions): PromiseLike<unknown> };
  };
};

export type ChatOptions = OpenaiOptions<ChatClient, ChatCompletionCreateParamsStreaming>;

export function openaiCompatibleProvider(options: ChatOptions): LlmProvider {
  const client: ChatClient = options.client ?? openaiClient(options);
  return {
    generate: (request, { signal, traceparent }) =>
      openaiCall<ChatPiece, ChatPiece>(() => {
        signal.throwIfAborted();
        const { body, warnings } = transformed(options.transform ?? toChatBody, request);
        const { partsOf, ...answer } = chatAnswer(callIds(request));
        return {
          ...{ client, signal, traceparent, warnings, ...answer },
          send: (each) => client.chat.completions.create(body, each),
          partsOfEvent: partsOf,
          partsOfWhole: partsOf,
        };
      }),
  };
}
