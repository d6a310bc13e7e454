/** An answer of the Responses API, streamed or whole, as our parts. */
import type {
  ResponseFileSearchToolCall,
  ResponseFunctionToolCall,
  ResponseOutputItem,
  ResponseStreamEvent,
  ResponseUsage,
  Response as WholeResponse,
} from 'openai/resources/responses/responses';
import type { Usage } from '../../core/attempt-record.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FileSearchResult, FinishReason, LlmPart, ToolCall } from '../../core/llm.ts';
import { failureOf } from './openai-errors.ts';
import { partsOfCalls } from './tool-calls.ts';

export type ResponsesAnswer = {
  partsOfEvent(event: ResponseStreamEvent): Iterable<LlmPart>;
  /** A compatible server may answer a streaming request with one JSON document, and leave its status out. */
  partsOfWhole(response: WholeResponse): Iterable<LlmPart>;
  /** Was its end told? */
  isComplete(): boolean;
};

const STATUS_OF = {
  'response.completed': 'completed',
  'response.incomplete': 'incomplete',
  'response.failed': 'failed',
} as const;

/** Reads one answer; `nextId` names calls without an id. */
export function responsesAnswer(nextId: () => string): ResponsesAnswer {
  // Said before the end, thrown at the end: a refusal is paid for, and its usage comes last.
  let isRefused = false;
  let hasText = false;
  let isComplete = false;
  let named = '';
  /** What was done before the end: servers exist whose last event repeats none of it. */
  const done: ResponseOutputItem[] = [];

  function* nameOf({ id, model }: { id?: string; model?: string }): Iterable<LlmPart> {
    const name = JSON.stringify([id, model]);
    if (name === named || (!id && !model)) return;
    named = name;
    yield { type: 'response', id: id || undefined, model: model || undefined };
  }

  /**
   * The end of an answer: its text where none was streamed, what was found and called, its usage, so that a failure keeps
   * it, and how it ended. The status inside decides: servers exist that say "completed" of a failure.
   */
  function* endOf(response: WholeResponse): Iterable<LlmPart> {
    yield* nameOf(response);
    const items = response.output?.length ? response.output : done;
    const isCut = response.status === 'incomplete';
    const calls: ToolCall[] = [];
    let text = '';
    for (const item of items) {
      if (item.type === 'file_search_call') yield* partsOfSearch(item);
      else if (item.type === 'function_call') calls.push(toToolCall(item, nextId));
      else if (item.type === 'message') {
        for (const content of item.content) {
          if (content.type === 'refusal') isRefused = true;
          else if (!hasText) text += textOf(content.text);
        }
      }
    }
    if (items.length === 0 && !hasText && response.output_text) text = textOf(response.output_text);
    if (text !== '') yield { type: 'text-delta', text };
    if (response.usage) yield { type: 'usage', usage: toUsage(response.usage) };
    if (response.error) throw failureOf(response.error);
    if (isRefused) throw new ServiceError('content_policy', 'The model refused to answer.');
    if (response.status !== 'completed' && !isCut) throw failureOf(response.error);
    const reason = isCut ? cutReason(response.incomplete_details?.reason) : 'stop';
    yield* partsOfCalls(calls, isCut);
    isComplete = true;
    yield { type: 'finish', reason: reason === 'stop' && calls.length > 0 ? 'tool_calls' : reason };
  }

  return {
    *partsOfEvent(event) {
      switch (event.type) {
        case 'response.output_text.delta':
          hasText = true;
          yield { type: 'text-delta', text: textOf(event.delta) };
          return;
        case 'error':
          throw failureOf(event);
        case 'response.failed':
        case 'response.completed':
        case 'response.incomplete':
          yield* endOf({ ...event.response, status: event.response.status ?? STATUS_OF[event.type] });
          return;
        case 'response.created':
          yield* nameOf(event.response);
          break;
        case 'response.output_item.done':
          done.push(event.item);
          break;
        case 'response.refusal.done':
          isRefused = true;
          break;
      }
      yield { type: 'activity' };
    },
    partsOfWhole: (response) => endOf({ ...response, status: response.status ?? 'completed' }),
    isComplete: () => isComplete,
  };
}

function* partsOfSearch({ results }: ResponseFileSearchToolCall): Iterable<LlmPart> {
  if (!results) return;
  yield {
    type: 'file-search',
    results: results.map(
      ({ text, score, file_id, filename }): FileSearchResult => ({
        text: text ?? '',
        ...(score === undefined ? {} : { score }),
        ...(file_id === undefined ? {} : { fileId: file_id }),
        ...(filename === undefined ? {} : { fileName: filename }),
      }),
    ),
  };
}

function toToolCall({ call_id, id, name, arguments: json }: ResponseFunctionToolCall, nextId: () => string): ToolCall {
  return { id: call_id || id || nextId(), name, arguments: json };
}

function textOf(text: unknown): string {
  if (typeof text === 'string') return text;
  throw new ServiceError('provider_error', 'The provider answered with content that is no text.');
}

/** Why an answer is not whole. A reason that we do not know is no success. */
function cutReason(reason: string | undefined): FinishReason {
  if (reason === 'content_filter') return 'content_filter';
  if (reason === undefined || reason === 'max_output_tokens') return 'length';
  throw new ServiceError('provider_error', 'The provider broke off its answer.');
}

function toUsage(usage: ResponseUsage): Usage {
  return {
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
    totalTokens: usage.total_tokens,
    // Compatible servers leave the details out.
    cachedInputTokens: usage.input_tokens_details?.cached_tokens,
    reasoningTokens: usage.output_tokens_details?.reasoning_tokens,
  };
}
