/** Reads a provider's parts to the end of the answer, for the worker and for the library alike. */

import type { Usage } from './attempt-record.ts';
import { ServiceError } from './errors.ts';
import type { CallFacts } from './events.ts';
import type { Json } from './job.ts';
import { jsonBytes } from './json-bytes.ts';
import type { Answer, FileSearchResult, FinishReason, LlmPart, ToolCall } from './llm.ts';

/** The largest result, as UTF-8 bytes of its JSON, that is stored. */
export const RESULT_BYTES_MOST = 10 * 1024 * 1024;

/** What is known of a call while it is made; a failed one keeps it. */
export type CallRecord = {
  facts: CallFacts;
  /** What came of the answer's text. */
  text: string;
  /** The provider took the request. */
  accepted?: true | undefined;
  /** The provider does no more: what it counted is all, however the answer ended. */
  isOver?: true | undefined;
};

/**
 * Reads the answer up to its `finish` part, noting what is known of the call as it comes. What comes after the end is not
 * waited for: servers exist that leave the connection open. Throws a `ServiceError` for an answer that is none: cut,
 * withheld, empty or too large.
 */
export async function collect(
  parts: AsyncIterable<LlmPart>,
  record: CallRecord,
  onPart: (part: LlmPart) => void = () => {},
): Promise<Answer> {
  const { facts } = record;
  const toolCalls: ToolCall[] = [];
  const fileSearchResults: FileSearchResult[] = [];
  const warnings: string[] = [];
  let named: { id?: string | undefined; model?: string | undefined } = {};
  let bytes = 0;
  const count = (value: Json) => {
    bytes += jsonBytes(value).length - QUOTES;
    if (bytes > RESULT_BYTES_MOST) throw tooLarge();
  };
  for await (const part of parts) {
    switch (part.type) {
      case 'accepted':
        record.accepted = true;
        if (part.providerRequestId !== undefined) facts.providerRequestId = part.providerRequestId;
        break;
      case 'activity':
        break;
      case 'text-delta':
        count(part.text);
        record.text += part.text;
        break;
      case 'tool-call':
        count({ ...part.call, signature: part.call.signature ?? '' });
        toolCalls.push(part.call);
        break;
      case 'file-search':
        for (const { text } of part.results) count(text);
        fileSearchResults.push(...part.results);
        break;
      case 'response':
        named = { id: part.id ?? named.id, model: part.model ?? named.model };
        break;
      case 'warning':
        warnings.push(part.message);
        break;
      case 'usage':
        facts.usage = countable(part.usage) ?? facts.usage;
        break;
      case 'finish': {
        facts.finishReason = part.reason;
        onPart(part);
        const text = record.text.toWellFormed();
        assertAnswer(text, toolCalls, part.reason);
        return {
          text,
          finishReason: part.reason,
          toolCalls,
          fileSearchResults,
          warnings,
          responseId: named.id,
          model: named.model,
          usage: facts.usage,
        };
      }
    }
    onPart(part);
  }
  throw new ServiceError('network', 'The answer was cut before its end.');
}

/** An answer that is one: neither withheld nor empty. One that ended at the output limit is, and says so. */
function assertAnswer(text: string, toolCalls: readonly ToolCall[], reason: FinishReason): void {
  if (reason === 'content_filter') {
    throw new ServiceError('content_policy', "The answer was withheld by the provider's content policy.");
  }
  if (text !== '' || toolCalls.length > 0) return;
  if (reason === 'length') {
    const sentence = 'The model reached its output limit before it said anything; allow more output (max_tokens).';
    throw new ServiceError('answer_truncated', sentence);
  }
  throw new ServiceError('provider_error', 'The model answered with nothing.');
}

const QUOTES = 2;

function tooLarge(): ServiceError {
  return new ServiceError('response_too_large', `The answer is larger than ${RESULT_BYTES_MOST} bytes.`);
}

/** Servers exist that report text, fractions or nothing as usage; a wrong figure is worse than none. */
export function countable(usage: Usage): Usage | undefined {
  const { inputTokens, outputTokens, totalTokens, cachedInputTokens, reasoningTokens } = usage;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  return {
    inputTokens,
    outputTokens,
    totalTokens: isCount(totalTokens) ? totalTokens : inputTokens + outputTokens,
    cachedInputTokens: isCount(cachedInputTokens) ? cachedInputTokens : undefined,
    reasoningTokens: isCount(reasoningTokens) ? reasoningTokens : undefined,
  };
}

/** Is this a number of tokens? */
export function isCount(tokens: number | undefined): tokens is number {
  return Number.isSafeInteger(tokens) && (tokens ?? -1) >= 0;
}
