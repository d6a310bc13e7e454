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
import type { FinishReason, LlmPart, LlmProvider } from '../../core/llm.ts';
import { toResponsesBody } from '../transformers/openai.ts';
import { type OpenaiClientOptions, openaiCall, openaiClient } from './openai-call.ts';
import { failureOf } from './openai-errors.ts';

export function openaiProvider(options: OpenaiClientOptions): LlmProvider {
  const client = openaiClient(options);
  return {
    generate(request, { signal }) {
      // Said before the end, thrown at the end: a refusal is paid for, and its usage comes last.
      const said: Said = { refusal: false, text: false };
      return openaiCall<ResponseStreamEvent, WholeResponse>({
        client,
        signal,
        secret: options.apiKey,
        send: (api: OpenAI, abort) => api.responses.create(toResponsesBody(request), { signal: abort }).asResponse(),
        partsOfEvent: (event) => partsOfEvent(event, said),
        partsOfWhole: (response) => partsOfWhole(response, said),
      });
    },
  };
}

/** What was said before the end: a refusal, or any text. */
type Said = { refusal: boolean; text: boolean };

const STATUS_OF = {
  'response.completed': 'completed',
  'response.incomplete': 'incomplete',
  'response.failed': 'failed',
} as const;

function* partsOfEvent(event: ResponseStreamEvent, said: Said): Iterable<LlmPart> {
  switch (event.type) {
    case 'response.output_text.delta':
      said.text = true;
      yield { type: 'text-delta', text: textOf(event.delta) };
      return;
    case 'error':
      throw failureOf(event);
    case 'response.failed':
    case 'response.completed':
    case 'response.incomplete':
      yield* endOf({ ...event.response, status: event.response.status ?? STATUS_OF[event.type] }, said);
      return;
    default:
      said.refusal ||= event.type === 'response.refusal.done';
      yield { type: 'activity' };
  }
}

/** A compatible server may answer a streaming request with one JSON document, and leave its status out. */
function partsOfWhole(response: WholeResponse, said: Said): Iterable<LlmPart> {
  return endOf({ ...response, status: response.status ?? 'completed' }, said);
}

/**
 * The end of an answer: its text where none was streamed, its usage, so that a failure keeps it, and how it ended. The
 * status inside decides: servers exist that say "completed" of a failure.
 */
function* endOf(response: WholeResponse, said: Said): Iterable<LlmPart> {
  for (const item of response.output ?? []) {
    if (item.type !== 'message') continue;
    for (const content of item.content) {
      if (content.type === 'refusal') said.refusal = true;
      else if (!said.text) yield { type: 'text-delta', text: textOf(content.text) };
    }
  }
  if (response.usage) yield { type: 'usage', usage: toUsage(response.usage) };
  if (response.error) throw failureOf(response.error);
  if (said.refusal) throw new ServiceError('content_policy', 'The model refused to answer.');
  switch (response.status) {
    case 'completed':
      yield { type: 'finish', reason: 'stop' };
      return;
    case 'incomplete':
      yield { type: 'finish', reason: toFinishReason(response.incomplete_details?.reason) };
      return;
    default:
      throw failureOf(response.error);
  }
}

function textOf(text: unknown): string {
  if (typeof text === 'string') return text;
  throw new ServiceError('provider_error', 'The provider answered with content that is no text.');
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
