/** The response of seed 003: what a call brought, in the words of requests. */

import { type Cost, toUsd } from '../core/costs.ts';
import type { Json } from '../core/job.ts';
import type { Answer, JsonObject } from '../core/llm.ts';
import { renderToolCall } from './messages.ts';
import { parseStructured } from './structured/parse.ts';
import type { Validate } from './structured/validator.ts';

export type FileSearchRow = { text: string; score?: number; file_id?: string; filename?: string };

/** What a call brought. */
export type LlmCallResponse = {
  message: string;
  response_id?: string | undefined;
  model: string;
  /** Absent where the provider said nothing. */
  input_tokens?: number | undefined;
  output_tokens?: number | undefined;
  total_tokens?: number | undefined;
  /** A part of the input tokens. */
  cached_input_tokens?: number | undefined;
  /** A part of the output tokens. */
  reasoning_tokens?: number | undefined;
  file_search_results: FileSearchRow[];
  tool_calls: ReturnType<typeof renderToolCall>[];
  finish_reason: Answer['finishReason'];
  /** With `response_schema`: the answer as that value. */
  parsed?: unknown;
  /** In US dollars; `null` when the price is not known. */
  cost: number | null;
  /** The provider did not say what was used. */
  cost_estimated?: true | undefined;
  /** What was not done as asked. */
  warnings: string[];
};

/** An answer that can be used: as text, or as the value that its schema asks for. */
export type Usable = { answer: Answer; parsed?: unknown };

/** Checks an answer by the schema that it was asked for. Throws `answer_truncated` where its end is missing. */
export async function usable(answer: Answer, validate: Validate | undefined): Promise<Usable | { violation: string }> {
  // A model that calls a tool answers in a later turn.
  if (!validate || answer.toolCalls.length > 0) return { answer };
  const parsed = await parseStructured(answer, validate);
  if ('violation' in parsed) return parsed;
  const warnings = parsed.wasRepaired
    ? [...answer.warnings, 'The answer was not valid JSON; it was repaired.']
    : answer.warnings;
  return { answer: { ...answer, warnings }, parsed: parsed.value };
}

/** All of a response but what it cost, which its caller knows. */
export function renderAnswer({ answer, parsed }: Usable, model: string): Omit<LlmCallResponse, 'cost'> {
  const { text, responseId, usage, fileSearchResults, toolCalls, finishReason, warnings } = answer;
  return {
    message: text,
    response_id: responseId,
    model: answer.model ?? model,
    input_tokens: usage?.inputTokens,
    output_tokens: usage?.outputTokens,
    total_tokens: usage?.totalTokens,
    cached_input_tokens: usage?.cachedInputTokens,
    reasoning_tokens: usage?.reasoningTokens,
    file_search_results: fileSearchResults.map(({ text: passage, score, fileId, fileName }) => ({
      text: passage,
      ...(score === undefined ? {} : { score }),
      ...(fileId === undefined ? {} : { file_id: fileId }),
      ...(fileName === undefined ? {} : { filename: fileName }),
    })),
    tool_calls: toolCalls.map(renderToolCall),
    finish_reason: finishReason,
    ...(parsed === undefined ? {} : { parsed }),
    warnings: [...warnings],
  };
}

/** What a job's result holds beside its text: what there is of it. */
export function renderBesides(usableAnswer: Usable): JsonObject {
  const { finish_reason, tool_calls, file_search_results, warnings } = renderAnswer(usableAnswer, '');
  const besides = {
    ...(finish_reason === 'stop' ? {} : { finish_reason }),
    ...(tool_calls.length > 0 ? { tool_calls } : {}),
    ...(file_search_results.length > 0 ? { file_search_results } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
  return besides as JsonObject;
}

export function renderCost({ nanoUsd, isEstimated }: Cost): Pick<LlmCallResponse, 'cost' | 'cost_estimated'> {
  const cost = nanoUsd === null ? null : toUsd(nanoUsd);
  return isEstimated ? { cost, cost_estimated: true } : { cost };
}

/** A value without the fields that hold nothing, as JSON writes it. */
export function toJson(value: object): Json {
  // A text is JSON as it is: a long one is not written and read again for that. Each keeps its place.
  const fields = Object.entries(value);
  const texts = fields.filter(([, field]) => typeof field === 'string');
  const others = fields.map(([name, field]) => [name, typeof field === 'string' ? '' : field]);
  return { ...JSON.parse(JSON.stringify(Object.fromEntries(others))), ...Object.fromEntries(texts) };
}
