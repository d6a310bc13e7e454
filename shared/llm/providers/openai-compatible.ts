/** Chat Completions at any `baseURL`: Ollama, vLLM, gateways, most vendors. Streamed; a whole answer is taken, too. */
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import type { LlmProvider } from '../../core/llm.ts';
import { callIds } from '../transformers/call-ids.ts';
import { toChatBody } from '../transformers/openai-chat.ts';
import { transformed } from '../transformers/transformer.ts';
import { withGrace } from './after-end.ts';
import { type ChatPiece, chatAnswer } from './chat-answer.ts';
import { type OpenaiOptions, openaiCall, openaiClient, type RequestOptions } from './openai-call.ts';

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
    async *generate(request, { signal, traceparent }) {
      signal.throwIfAborted();
      const { body, warnings } = transformed(options.transform ?? toChatBody, request);
      const answer = chatAnswer(callIds(request));
      const parts = openaiCall<ChatPiece, ChatPiece>(() => ({
        ...{ client, signal, traceparent, warnings },
        send: (each) => client.chat.completions.create(body, each),
        partsOfEvent: answer.partsOf,
        partsOfWhole: answer.partsOf,
        isComplete: answer.isComplete,
      }));
      // Usage comes after the finish reason; a server that reports none ends its stream, or leaves it open.
      for await (const part of withGrace(parts, answer.isEnded)) {
        yield part;
        if (answer.isComplete()) break;
      }
      signal.throwIfAborted();
      yield* answer.end();
    },
  };
}
