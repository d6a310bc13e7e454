/** What one call may cost, and what it did: by its usage where the provider said it, by estimate where it may have charged without saying so. */

import type { CallRecord } from './answers.ts';
import type { Usage } from './attempt-record.ts';
import type { Cost } from './costs.ts';
import { type FailureCode, ServiceError } from './errors.ts';
import type { JobModel } from './job.ts';
import type { LlmRequest } from './llm.ts';
import type { Pricing } from './pricing.ts';
import { FAILURE_RULES } from './retry.ts';

/**
 * The request, held to what is left of what all calls may cost together; `undefined`: as much as they like. Throws
 * `cost_limit` when that is not enough, or when nobody knows the price.
 */
export async function affordable(
  pricing: Pricing,
  model: Pick<JobModel, 'provider' | 'model'>,
  request: LlmRequest,
  leftNanoUsd: number | undefined,
  atMs: number,
): Promise<LlmRequest> {
  if (leftNanoUsd === undefined) return request;
  const answer = await pricing.cap(model, request, leftNanoUsd, atMs);
  if ('request' in answer) return answer.request;
  throw new ServiceError('cost_limit', answer.refused, { details: [{ path: 'max_cost', message: answer.refused }] });
}

/**
 * The cost of a call that was made at that instant; `error` is what ended it, if anything did. `isCapped`: its request was
 * held to what may be spent, which holds only if a call that nobody measured counts as all that it was allowed.
 */
export async function costOfCall(
  pricing: Pricing,
  model: Pick<JobModel, 'provider' | 'model'>,
  request: LlmRequest,
  { facts, text, accepted, isOver }: CallRecord,
  error: ServiceError | undefined,
  atMs: number,
  isCapped: boolean,
): Promise<Cost> {
  const { usage, finishReason } = facts;
  // Some providers count as they go: without an end, what they counted is not all.
  if (usage && (isOver || finishReason !== undefined)) return { nanoUsd: await pricing.costOf(model, usage, atMs) };
  const isFree = error && FAILURE_RULES[error.code as FailureCode]?.billing === 'none';
  if (isFree && !usage && text === '') return { nanoUsd: 0 };
  const allowed = isCapped && accepted ? (request.maxOutputTokens ?? 0) : 0;
  const likely = likelyUsage(pricing, request, text, usage, allowed);
  return { nanoUsd: await pricing.costOf(model, likely, atMs), isEstimated: true, tokens: likely.totalTokens };
}

function likelyUsage(
  pricing: Pricing,
  request: LlmRequest,
  text: string,
  counted: Usage | undefined,
  allowed: number,
): Usage {
  const inputTokens = counted?.inputTokens ?? pricing.estimateInputTokens(request);
  const outputTokens = Math.max(allowed, counted?.outputTokens ?? 0, pricing.estimateTokens(text));
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}
