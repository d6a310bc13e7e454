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
      let refused = false;
      let reported = false;
      const parts = openaiCall<ChatCompletionChunk, ChatCompletion>({
        client,
        signal,
        send: (api: OpenAI, abort) => api.chat.completions.create(toChatBody(request), { signal: abort }).asResponse(),
        partsOfEvent: ({ choices, usage }) => partsOf(choices?.[0]?.delta, choices?.[0]?.finish_reason, usage),
        partsOfWhole: ({ choices, usage }) => partsOf(choices?.[0]?.message, choices?.[0]?.finish_reason, usage),
      });
      for await (const part of parts) {
        yield part;
        // Usage comes after the finish reason; with both the answer is whole, even if the stream stays open.
        if (reported && reason !== undefined) break;
      }
      if (refused) throw new ServiceError('content_policy', 'The model refused to answer.');
      // A server that reports no usage ends its stream instead: with a reason, or the answer was cut.
      if (reason !== undefined) yield { type: 'finish', reason };

      function* partsOf(said: Said | undefined, ended: string | null | undefined, usage: WireUsage): Iterable<LlmPart> {
        refused ||= Boolean(said?.refusal);
        yield said?.content ? { type: 'text-delta', text: said.content } : { type: 'activity' };
        if (ended) reason = toFinishReason(ended);
        if (!usage) return;
        reported = true;
        yield { type: 'usage', usage: toUsage(usage) };
      }
    },
  };
}

type Said = { content?: string | null; refusal?: string | null };
type WireUsage = ChatCompletion['usage'] | null;

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
