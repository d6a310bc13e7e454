/** Chat Completions at any `baseURL`: Ollama, vLLM, gateways, most vendors. Streamed; a whole answer is taken, too. */
import type OpenAI from 'openai';
import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import { ServiceError } from '../../core/errors.ts';
import type { Usage } from '../../core/job.ts';
import type { FinishReason, LlmPart, LlmProvider } from '../../core/llm.ts';
import { toChatBody } from '../transformers/openai-chat.ts';
import { withGrace } from './after-end.ts';
import { type OpenaiClientOptions, openaiCall, openaiClient } from './openai-call.ts';

export function openaiCompatibleProvider(options: OpenaiClientOptions): LlmProvider {
  const client = openaiClient(options);
  return {
    async *generate(request, { signal }) {
      let ended: string | undefined;
      let refused = false;
      let reported = false;
      const parts = openaiCall<ChatCompletionChunk, ChatCompletion>({
        client,
        signal,
        secret: options.apiKey,
        send: (api: OpenAI, abort) => api.chat.completions.create(toChatBody(request), { signal: abort }).asResponse(),
        partsOfEvent: ({ choices, usage }) => partsOf(choices?.[0]?.delta, choices?.[0]?.finish_reason, usage),
        partsOfWhole: ({ choices, usage }) => partsOf(choices?.[0]?.message, choices?.[0]?.finish_reason, usage),
      });
      // Usage comes after the finish reason; a server that reports none ends its stream, or leaves it open.
      for await (const part of withGrace(parts, () => ended !== undefined)) {
        yield part;
        if (reported && part.type !== 'usage') break;
      }
      signal.throwIfAborted();
      if (refused) throw new ServiceError('content_policy', 'The model refused to answer.');
      if (ended !== undefined) yield { type: 'finish', reason: toFinishReason(ended) };

      function* partsOf(
        said: Said | undefined,
        reason: string | null | undefined,
        usage: WireUsage,
      ): Iterable<LlmPart> {
        refused ||= Boolean(said?.refusal);
        if (reason) ended = reason;
        // Some servers report a running count with every chunk; the one at the end is the whole.
        reported = ended !== undefined && Boolean(usage);
        if (usage) yield { type: 'usage', usage: toUsage(usage) };
        const text = textOf(said?.content);
        yield text === '' ? { type: 'activity' } : { type: 'text-delta', text };
      }
    },
  };
}

type Said = { content?: unknown; refusal?: string | null };
type WireUsage = ChatCompletion['usage'] | null;

/** Content is text, or a list of parts of which some are text (reasoning models of some vendors). */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  if (!Array.isArray(content))
    throw new ServiceError('provider_error', 'The provider answered with content that is no text.');
  return content
    .map((part: { type?: string; text?: unknown }) => (part.type === 'text' ? String(part.text) : ''))
    .join('');
}

const FINISH_REASONS = new Map<string, FinishReason>([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['end_turn', 'stop'],
  ['tool_calls', 'stop'],
  ['function_call', 'stop'],
  ['length', 'length'],
  ['content_filter', 'content_filter'],
]);

/** Gateways end with words of their own when an answer broke off (`error`, `abort`): that is no success. */
function toFinishReason(reason: string): FinishReason {
  const known = FINISH_REASONS.get(reason);
  if (known) return known;
  throw new ServiceError('provider_error', 'The provider broke off its answer.');
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
