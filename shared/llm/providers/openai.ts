/**
 * OpenAI's Responses API through its SDK, streamed. The SDK's own retries are off: each would be another paid call that
 * nobody recorded.
 */
import OpenAI from 'openai';
import type { ResponseStreamEvent, ResponseUsage } from 'openai/resources/responses/responses';
import { ServiceError } from '../../core/errors.ts';
import type { Usage } from '../../core/job.ts';
import type { FinishReason, LlmPart, LlmProvider } from '../../core/ports.ts';
import { toResponsesBody } from '../transformers/openai.ts';
import { classifyOpenaiError, failureOf } from './openai-errors.ts';

export function openaiProvider(settings: {
  openaiApiKey?: string | undefined;
  openaiBaseUrl?: string | undefined;
}): LlmProvider {
  const client = new OpenAI({
    apiKey: settings.openaiApiKey,
    ...(settings.openaiBaseUrl ? { baseURL: settings.openaiBaseUrl } : {}),
    maxRetries: 0,
  });

  return {
    async *generate(request, { signal }): AsyncIterable<LlmPart> {
      signal.throwIfAborted();
      try {
        const call = client.responses.create(toResponsesBody(request), { signal });
        const { data: events, request_id } = await call.withResponse();
        yield { type: 'accepted', providerRequestId: request_id ?? undefined };
        for await (const event of events) yield* partsOf(event);
      } catch (error) {
        signal.throwIfAborted();
        throw classifyOpenaiError(error);
      }
      // The SDK ends an aborted stream as if it were complete.
      signal.throwIfAborted();
    },
  };
}

function* partsOf(event: ResponseStreamEvent): Iterable<LlmPart> {
  switch (event.type) {
    case 'response.output_text.delta':
      yield { type: 'text-delta', text: event.delta };
      return;
    case 'response.refusal.done':
      throw new ServiceError('content_policy', `The model refused: ${event.refusal}`);
    case 'error':
      throw failureOf(event.code, event.message);
    case 'response.failed':
      throw failureOf(event.response.error?.code, event.response.error?.message);
    case 'response.completed':
    case 'response.incomplete':
      if (event.response.usage) yield { type: 'usage', usage: toUsage(event.response.usage) };
      // A compatible server may say "completed" of a response that is not.
      if (event.response.status === 'failed')
        throw failureOf(event.response.error?.code, event.response.error?.message);
      yield { type: 'finish', reason: toFinishReason(event.response.incomplete_details?.reason) };
      return;
    default:
      return;
  }
}

function toFinishReason(incomplete: string | undefined): FinishReason {
  if (incomplete === undefined) return 'stop';
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
