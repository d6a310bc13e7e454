/** Chat Completions at any `baseURL`: Ollama, vLLM, gateways, most vendors. Streamed; a whole answer is taken, too. */
import type OpenAI from 'openai';
import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import { ServiceError } from '../../core/errors.ts';
import type { Usage } from '../../core/job.ts';
import type { FinishReason, LlmPart, LlmProvider } from '../../core/ports.ts';
import { toChatBody } from '../transformers/openai-chat.ts';
import { type OpenaiClientOptions, openaiCall, openaiClient } from './openai-call.ts';

export function openaiCompatibleProvider(options: OpenaiClientOptions): LlmProvider {
  const client = openaiClient(options);
  return {
    async *generate(request, { signal }) {
      let reason: FinishReason | undefined;
      const parts = openaiCall<ChatCompletionChunk, ChatCompletion>({
        client,
        signal,
        send: (api: OpenAI, abort) => api.chat.completions.create(toChatBody(request), { signal: abort }).asResponse(),
        *partsOfEvent(chunk) {
          const choice = chunk.choices?.[0];
          if (choice?.delta?.refusal) throw refused();
          if (choice?.delta?.content) yield { type: 'text-delta', text: choice.delta.content };
          else yield { type: 'activity' };
          if (choice?.finish_reason) reason = toFinishReason(choice.finish_reason);
          if (chunk.usage) yield { type: 'usage', usage: toUsage(chunk.usage) };
        },
        *partsOfWhole(completion) {
          const choice = completion.choices?.[0];
          if (choice?.message?.refusal) throw refused();
          if (choice?.message?.content) yield { type: 'text-delta', text: choice.message.content };
          if (choice?.finish_reason) reason = toFinishReason(choice.finish_reason);
          if (completion.usage) yield { type: 'usage', usage: toUsage(completion.usage) };
        },
      });
      yield* parts;
      // Usage comes after the finish reason, so the end of the stream is the end of the answer: with a reason, or cut.
      if (reason !== undefined) yield { type: 'finish', reason } satisfies LlmPart;
    },
  };
}

function refused(): ServiceError {
  return new ServiceError('content_policy', 'The model refused to answer.');
}

function toFinishReason(reason: string): FinishReason {
  if (reason === 'length') return 'length';
  return reason === 'content_filter' ? 'content_filter' : 'stop';
}

function toUsage(usage: NonNullable<ChatCompletion['usage']>): Usage {
  return {
    inputTokens: usage.prompt_tokens,
    outputTokens: usage.completion_tokens,
    totalTokens: usage.total_tokens,
    cachedInputTokens: usage.prompt_tokens_details?.cached_tokens,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens,
  };
}
