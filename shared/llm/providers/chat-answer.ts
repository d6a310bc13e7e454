/** An answer in Chat Completions, streamed or whole, as our parts. */
import type { ChatCompletion } from 'openai/resources/chat/completions';
import type { Usage } from '../../core/attempt-record.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FinishReason, LlmPart } from '../../core/llm.ts';
import { type CallDelta, callGatherer, partsOfCalls } from './tool-calls.ts';

/** What an answer, or a piece of one, holds as far as we read it. Servers leave out, and add, what they like. */
export type ChatPiece = {
  id?: string;
  model?: string;
  choices?: readonly { delta?: Said; message?: Said; finish_reason?: string | null }[];
  usage?: ChatCompletion['usage'] | null;
};
type Said = { content?: unknown; refusal?: string | null; tool_calls?: readonly CallDelta[] | null };

export type ChatAnswer = {
  /** The parts of one piece; usage comes last. */
  partsOf(piece: ChatPiece): Iterable<LlmPart>;
  /** Was its finish reason read? Usage may still come. */
  isEnded(): boolean;
  /** Was its usage read, too? */
  isComplete(): boolean;
  /** Its calls and how it ended; nothing for an answer that was cut. Throws for one that is no success. */
  end(): Iterable<LlmPart>;
};

/** Reads one answer; `nextId` names calls without an id. */
export function chatAnswer(nextId: () => string): ChatAnswer {
  const gatherer = callGatherer(nextId);
  let ended: string | undefined;
  let isRefused = false;
  let isReported = false;
  let isNamed = false;
  return {
    isEnded: () => ended !== undefined,
    isComplete: () => isReported,
    *partsOf({ id, model, choices, usage }) {
      const choice = choices?.[0];
      const said = choice?.delta ?? choice?.message;
      isRefused ||= Boolean(said?.refusal);
      ended = choice?.finish_reason || ended;
      for (const call of said?.tool_calls ?? []) gatherer.add(call);
      if (!isNamed && (id || model)) {
        isNamed = true;
        yield { type: 'response', id: id || undefined, model: model || undefined };
      }
      const text = textOf(said?.content);
      yield text === '' ? { type: 'activity' } : { type: 'text-delta', text };
      // Some servers report a running count with every chunk; the one at the end is the whole.
      isReported = ended !== undefined && Boolean(usage);
      if (usage) yield { type: 'usage', usage: toUsage(usage) };
    },
    *end() {
      if (isRefused) throw new ServiceError('content_policy', 'The model refused to answer.');
      if (ended === undefined) return;
      const reason = toFinishReason(ended);
      const calls = gatherer.calls();
      yield* partsOfCalls(calls, reason === 'length');
      // Servers exist that say "stop" beside calls, and "tool_calls" beside none.
      yield { type: 'finish', reason: reason === 'stop' && calls.length > 0 ? 'tool_calls' : reason };
    },
  };
}

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
  // Google's servers count thoughts in the total alone, and charge for them.
  const beyondPrompt = usage.total_tokens - usage.prompt_tokens;
  return {
    inputTokens: usage.prompt_tokens,
    outputTokens: beyondPrompt > usage.completion_tokens ? beyondPrompt : usage.completion_tokens,
    totalTokens: usage.total_tokens,
    cachedInputTokens: usage.prompt_tokens_details?.cached_tokens,
    reasoningTokens: usage.completion_tokens_details?.reasoning_tokens,
  };
}
