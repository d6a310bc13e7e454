/** What one call of a job is expected to use, when the job is submitted. */
import type { CallEstimate } from './costs.ts';
import { invalidRequest } from './errors.ts';
import type { JobModel } from './job.ts';
import type { LlmRequest } from './llm.ts';
import type { Clock } from './ports.ts';
import type { Pricing } from './pricing.ts';

/** Of a call whose output limit nobody gave. */
const OUTPUT_TOKENS_ASSUMED = 1_000;

/** `inputTokens`: where they were counted before. Throws `invalid_request` when even that is more than the job may cost. */
export async function callEstimateOf(
  { pricing, clock }: { pricing: Pricing; clock: Clock },
  request: LlmRequest,
  model: JobModel,
  nanoUsdMost: number | undefined,
  inputTokens = pricing.estimateInputTokens(request),
): Promise<CallEstimate> {
  const atMs = clock.nowMs();
  let limited = request;
  if (nanoUsdMost !== undefined) {
    const answer = await pricing.cap(model, request, nanoUsdMost, atMs, inputTokens);
    if ('refused' in answer) throw invalidRequest([{ path: 'max_cost', message: answer.refused }]);
    // Of a call that is lost nobody knows what it used: what a job may cost holds only if it counts as all it might.
    limited = answer.request;
  }
  const outputTokens = limited.maxOutputTokens ?? OUTPUT_TOKENS_ASSUMED;
  const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  return { inputTokens, outputTokens, nanoUsd: await pricing.costOf(model, usage, atMs) };
}
