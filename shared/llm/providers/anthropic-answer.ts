/** An answer of the Messages API, event by event, as our parts. */
import type { Message, MessageDeltaUsage, RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages/messages';
import type { Usage } from '../../core/attempt-record.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FinishReason, LlmPart } from '../../core/llm.ts';
import { failureOf, type WireError } from './anthropic-errors.ts';
import { partsOfCalls } from './tool-calls.ts';

/** What stands in the stream: the SDK's types leave two events out. */
export type AnthropicEvent = RawMessageStreamEvent | { type: 'ping' } | { type: 'error'; error?: WireError };

const FINISH_REASONS = new Map<string | null | undefined, FinishReason>([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['tool_use', 'tool_calls'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
]);

/** Servers that only speak like Anthropic leave parts of it out. */
type Counts = { readonly [key in keyof MessageDeltaUsage]?: MessageDeltaUsage[key] | undefined };

/** Reads one answer; `nextId` names calls without an id, `secret` is kept out of an error's text. */
export function anthropicAnswer(nextId: () => string, secret?: string) {
  const calls = new Map<number, { id: string; name: string; input: unknown; json: string }>();
  let counts: Counts = {};
  let stopReason: string | null | undefined;
  let isComplete = false;

  function* partsOfUsage(more: Counts | null | undefined): Iterable<LlmPart> {
    if (!more) return;
    // Each tells the sums so far; what it leaves out was told before.
    const told = Object.entries(more).filter(([, value]) => value !== null && value !== undefined);
    counts = { ...counts, ...Object.fromEntries(told) };
    yield { type: 'usage', usage: toUsage(counts) };
  }

  function* partsOfEnd(): Iterable<LlmPart> {
    // Thrown at the end: a refusal is paid for, and its usage comes with it.
    if (stopReason === 'refusal') throw new ServiceError('content_policy', 'The model refused to answer.');
    const reason = FINISH_REASONS.get(stopReason);
    if (!reason) throw new ServiceError('provider_error', 'The provider broke off its answer.');
    const called = [...calls.values()].map(({ id, name, input, json }) => ({
      ...{ id: id || nextId(), name },
      arguments: json === '' ? JSON.stringify(input ?? {}) : json,
    }));
    yield* partsOfCalls(called, reason === 'length');
    isComplete = true;
    yield { type: 'finish', reason };
  }

  return {
    *partsOfEvent(event: AnthropicEvent): Iterable<LlmPart> {
      switch (event.type) {
        case 'message_start': {
          const { id, model, usage } = event.message;
          yield { type: 'response', id, model };
          yield* partsOfUsage(usage);
          return;
        }
        case 'content_block_start': {
          const { content_block: block, index } = event;
          if (block.type === 'tool_use') calls.set(index, { ...block, json: '' });
          if (block.type === 'text' && block.text) yield { type: 'text-delta', text: block.text };
          break;
        }
        case 'content_block_delta': {
          const call = calls.get(event.index);
          if (event.delta.type === 'input_json_delta' && call) call.json += event.delta.partial_json;
          if (event.delta.type === 'text_delta') yield { type: 'text-delta', text: textOf(event.delta.text) };
          break;
        }
        case 'message_delta':
          stopReason = event.delta.stop_reason ?? stopReason;
          yield* partsOfUsage(event.usage);
          return;
        case 'message_stop':
          yield* partsOfEnd();
          return;
        case 'error':
          throw failureOf(event.error, secret);
      }
      yield { type: 'activity' };
    },
    /** Was all told that there is to tell? */
    isComplete: () => isComplete,
    /** The same answer as one document, which a client of a user may bring. */
    *partsOfWhole(message: Message): Iterable<LlmPart> {
      yield { type: 'response', id: message.id, model: message.model };
      for (const [index, block] of message.content.entries()) {
        if (block.type === 'text') yield { type: 'text-delta', text: textOf(block.text) };
        if (block.type === 'tool_use') calls.set(index, { ...block, json: '' });
      }
      stopReason = message.stop_reason;
      yield* partsOfUsage(message.usage);
      yield* partsOfEnd();
    },
  };
}

function textOf(text: unknown): string {
  if (typeof text === 'string') return text;
  throw new ServiceError('provider_error', 'The provider answered with content that is no text.');
}

/** What was read from the cache, and written to it, is counted apart from the input there. */
function toUsage(counts: Counts): Usage {
  const { input_tokens: input, cache_read_input_tokens: read, cache_creation_input_tokens: written } = counts;
  const inputTokens = (input ?? 0) + (read ?? 0) + (written ?? 0);
  const outputTokens = counts.output_tokens ?? 0;
  return {
    ...{ inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
    cachedInputTokens: read ?? undefined,
    reasoningTokens: counts.output_tokens_details?.thinking_tokens,
  };
}
