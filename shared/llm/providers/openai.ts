/**
 * OpenAI's Responses API through its SDK, streamed. The SDK's own retries are off: each would be another paid call that
 * nobody recorded.
 */
import type OpenAI from 'openai';
import type {
  ResponseStreamEvent,
  ResponseUsage,
  Response as WholeResponse,
} from 'openai/resources/responses/responses';
import { ServiceError } from '../../core/errors.ts';
import type { Usage } from '../../core/job.ts';
import type { FinishReason, LlmPart, LlmProvider } from '../../core/ports.ts';
import { toResponsesBody } from '../transformers/openai.ts';
import { type OpenaiClientOptions, openaiCall, openaiClient } from './openai-call.ts';
import { failureOf } from './openai-errors.ts';

export function openaiProvider(options: OpenaiClientOptions): LlmProvider {
  const client = openaiClient(options);
  return {
    generate: (request, { signal }) =>
      openaiCall<ResponseStreamEvent, WholeResponse>({
        client,
        signal,
        send: (api: OpenAI, abort) => api.responses.create(toResponsesBody(request), { signal: abort }).asResponse(),
        partsOfEvent,
        partsOfWhole,
      }),
  };
}

function* partsOfEvent(event: ResponseStreamEvent): Iterable<LlmPart> {
  switch (event.type) {
    case 'response.output_text.delta':
      yield { type: 'text-delta', text: event.delta };
      return;
    case 'response.refusal.done':
      throw new ServiceError('content_policy', 'The model refused to answer.');
    case 'error':
      throw failureOf(event.code, event.message);
    case 'response.failed':
    case 'response.completed':
    case 'response.incomplete':
      yield* endOf(event.response);
      return;
    default:
      yield { type: 'activity' };
  }
}

/** A compatible server may answer a streaming request with one JSON document. */
function* partsOfWhole(response: WholeResponse): Iterable<LlmPart> {
  for (const item of response.output ?? []) {
    if (item.type !== 'message') continue;
    for (const content of item.content) {
      if (content.type === 'refusal') throw new ServiceError('content_policy', 'The model refused to answer.');
      yield { type: 'text-delta', text: content.text };
    }
  }
  yield* endOf(response);
}

/** Usage first, so that a failure keeps it. The status inside decides: servers exist that say "completed" of a failure. */
function* endOf(response: WholeResponse): Iterable<LlmPart> {
  if (response.usage) yield { type: 'usage', usage: toUsage(response.usage) };
  switch (response.status) {
    case 'completed':
    case undefined:
      yield { type: 'finish', reason: 'stop' };
      return;
    case 'incomplete':
      yield { type: 'finish', reason: toFinishReason(response.incomplete_details?.reason) };
      return;
    default:
      throw failureOf(response.error?.code, response.error?.message);
  }
}

function toFinishReason(incomplete: string | undefined): FinishReason {
  return incomplete === 'content_filter' ? 'content_filter' : 'length';
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
