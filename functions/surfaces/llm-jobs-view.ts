/** A job in the words of `/api/llm`. A field that is `undefined` here is absent from the JSON. */
import type { Seen } from '../../shared/core/access.ts';
import type { Attempt, Usage } from '../../shared/core/attempt-record.ts';
import { billingOf } from '../../shared/core/billing.ts';
import { type Cost, type NanoUsd, type Spent, toUsd } from '../../shared/core/costs.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { limitsOf } from '../../shared/core/limits.ts';
import { pollAfterMs, progressOf } from '../../shared/core/progress.ts';
import { DEFAULT_RETENTION_MS } from '../../shared/core/retention.ts';
import { routeOf } from '../../shared/core/routes.ts';
import { ALL_MODELS } from '../../shared/core/slots.ts';
import { toTime } from '../../shared/core/utc.ts';
import { awaitingMessage, renderCached } from './llm-jobs-cached.ts';
import { renderModelReference, renderRouting } from './llm-jobs-routing-view.ts';
import { renderUrls } from './llm-jobs-urls.ts';

function optionalTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toTime(ms);
}

/** The model as every view shows it. */
export function renderModel({ model }: Job) {
  return renderModelReference(model);
}

/** The status view at this instant: what the seed shows, then what we add. Its reader was shown this progress before. */
export function renderJob({ job, nowMs }: Seen, { shownProgress = 0 }: { shownProgress?: number | undefined } = {}) {
  const usage = totalUsage(job);
  const waitsUntil = waitingUntil(job, nowMs);
  return {
    success: true as const,
    job_id: job.id,
    job_type: job.jobType,
    status: job.state,
    is_complete: isTerminal(job.state),
    created_at: toTime(job.createdAt),
    started_at: optionalTime(job.startedAt),
    completed_at: optionalTime(job.completedAt),
    processing_time: processingTime(job),
    result_data: job.result,
    result_bytes: job.parts?.result?.bytes,
    error_message: job.error?.message,
    error_code: job.error?.code,
    model: renderModel(job),
    question_id: job.questionId,
    ...renderOwn(job),
    ...renderLinks(job),
    progress: progressOf(job, nowMs, shownProgress),
    stage: waitsUntil === undefined ? job.stage : 'waiting',
    message: waitsUntil === undefined ? messageOf(job) : waitingMessage(job),
    next_attempt_at: optionalTime(waitsUntil),
    cancel_requested_at: isTerminal(job.state) ? undefined : optionalTime(job.cancelRequestedAt),
    billing: isTerminal(job.state) ? billingOf(job) : undefined,
    ...renderLimits(job),
    ttl_seconds: (job.retentionMs ?? DEFAULT_RETENTION_MS) / 1_000,
    // The sweeper may be late; readers are not given them since then.
    payloads_removed_at: job.payloadsRemovedAt === undefined ? undefined : optionalTime(job.payloadsExpireAt),
    expires_at: optionalTime(job.expiresAt),
    poll_after_ms: pollAfterMs(job, nowMs),
    version: job.version,
    ...renderCached(job),
    attempts: job.attempts.map(renderAttempt),
    usage: usage && renderUsage(usage),
    ...renderSpent(job),
    urls: renderUrls(job),
  };
}

/** The view of a single job, with what only its own readers are shown: the answer that could not be used. */
export function renderWhole(seen: Seen, options: Parameters<typeof renderJob>[1] = {}) {
  return { ...renderJob(seen, options), rejected_text: seen.job.rejectedText };
}

/** What changes by time alone. */
export function renderProgress({ job, nowMs }: Seen) {
  return { progress: progressOf(job, nowMs), message: messageOf(job) };
}

/** What a submit answers: the job as it was taken in, and where to follow it. */
export function renderSubmitted({ job, nowMs }: Seen) {
  return {
    success: true as const,
    job_id: job.id,
    status: job.state,
    message: 'Job submitted successfully. Use job_id to poll for results.',
    job_type: job.jobType,
    created_at: toTime(job.createdAt),
    model: renderModel(job),
    ...renderOwn(job),
    ...renderLinks(job),
    poll_after_ms: pollAfterMs(job, nowMs),
    urls: renderUrls(job),
  };
}

/** What the submitter said of the job. */
export function renderOwn(job: Job) {
  const { tags, metadata, batchId, projectId, nanoUsdMost, stream, store } = job;
  const max_cost = nanoUsdMost === undefined ? undefined : toUsd(nanoUsdMost);
  return { tags, metadata, batch_id: batchId, project_id: projectId, max_cost, stream, store, ...renderRouting(job) };
}

function renderLinks({ redriveOf, redrivenAs }: Job) {
  return { retry_of: redriveOf, retried_as: redrivenAs };
}

/** Seconds from the first claim to the end. */
export function processingTime({ startedAt, completedAt }: Job): number | undefined {
  if (startedAt === undefined || completedAt === undefined) return undefined;
  return Math.max(0, completedAt - startedAt) / 1_000;
}

/** Until when a job waits for its next attempt, or its first, with or without somebody who holds it. */
function waitingUntil(job: Job, nowMs: number): number | undefined {
  const { state, nextAttemptAt, leaseExpiresAt, parkedFor, upstream } = job;
  // What a provider works on by itself waits for its answer, not for another try.
  if (parkedFor !== undefined || upstream !== undefined) return undefined;
  if (isTerminal(state) || nextAttemptAt === undefined) return undefined;
  return leaseExpiresAt === null || nextAttemptAt > nowMs ? nextAttemptAt : undefined;
}

function waitingMessage({ state, attempts }: Job): string {
  if (state === 'pending') return 'Waiting: no model of this job may be called now';
  const ended = attempts.findLast((attempt) => attempt.endedAt !== undefined);
  return `Waiting to try again (${ended?.errorCode ?? 'interrupted'})`;
}

function parkedMessage(job: Job): string {
  const whose = job.parkedFor === ALL_MODELS ? '' : ` on ${routeOf(job).model.name}`;
  return `Waiting for a slot: as many jobs${whose} are running as may`;
}

/** The four clocks, in seconds. */
function renderLimits(job: Job) {
  const { startWithinMs, timeoutMs, attemptTimeoutMs, idleTimeoutMs } = limitsOf(job);
  return {
    start_within: startWithinMs / 1_000,
    timeout: timeoutMs / 1_000,
    attempt_timeout: attemptTimeoutMs / 1_000,
    idle_timeout: idleTimeoutMs / 1_000,
  };
}

function messageOf(job: Job): string {
  if (job.parkedFor !== undefined) return awaitingMessage(job) ?? parkedMessage(job);
  switch (job.state) {
    case 'pending':
      return 'Waiting for a worker';
    case 'processing':
      return job.cancelRequestedAt === undefined
        ? `Waiting for ${routeOf(job).model.name} to answer`
        : 'Being cancelled';
    case 'completed':
      return job.payloadsRemovedAt === undefined ? 'Done' : 'Done; the result was removed (store: false)';
    case 'failed':
      return 'Failed';
    case 'cancelled':
      return 'Cancelled';
  }
}

function renderAttempt(attempt: Attempt) {
  return {
    n: attempt.n,
    started_at: toTime(attempt.startedAt),
    ended_at: optionalTime(attempt.endedAt),
    provider: attempt.provider,
    model: attempt.model,
    outcome: attempt.outcome,
    error_code: attempt.errorCode,
    provider_request_id: attempt.providerRequestId,
    finish_reason: attempt.finishReason,
    calls: attempt.calls,
    usage: attempt.usage && renderUsage(attempt.usage),
    ...renderCost(attempt.cost),
  };
}

function renderUsage(usage: Usage) {
  return {
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    total_tokens: usage.totalTokens,
    cached_input_tokens: usage.cachedInputTokens,
    reasoning_tokens: usage.reasoningTokens,
  };
}

/** What the job cost so far: nobody knows, when nobody knows what one of its attempts did. */
function renderSpent({ spent, attempts, answerOf }: Job) {
  if (answerOf && !spent) return { cost: 0 };
  const isKnown = spent !== undefined && (spent.nanoUsd > 0 || spent.unpriced > 0 || attempts.some(({ cost }) => cost));
  if (!isKnown) return {};
  const isEstimated = spent.estimatedNanoUsd > 0 || attempts.some(({ cost }) => cost?.isEstimated);
  return renderCost({ nanoUsd: spent.unpriced > 0 ? null : spent.nanoUsd, isEstimated: isEstimated || undefined });
}

function renderCost(cost: Cost | undefined) {
  return { cost: cost && usdOrNull(cost.nanoUsd), cost_estimated: cost?.isEstimated };
}

function usdOrNull(nanoUsd: NanoUsd): number | null {
  return nanoUsd === null ? null : toUsd(nanoUsd);
}

/** What all attempts together used, as far as the provider said: also those of which no record is kept. */
function totalUsage({ spent, attempts }: Job): Usage | undefined {
  const [first, ...rest] = attempts.flatMap(({ usage }) => usage ?? []);
  const recorded = first && rest.reduce(addUsage, first);
  // In documents of older versions there are the records alone.
  return spent ? usageIn(spent, recorded) : recorded;
}

function usageIn(spent: Spent, recorded: Usage | undefined): Usage | undefined {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = spent;
  if (recorded === undefined && inputTokens + outputTokens === 0) return undefined;
  return {
    ...{ inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
    cachedInputTokens: recorded?.cachedInputTokens === undefined ? cachedInputTokens || undefined : cachedInputTokens,
    reasoningTokens: recorded?.reasoningTokens === undefined ? reasoningTokens || undefined : reasoningTokens,
  };
}

function addUsage(left: Usage, right: Usage): Usage {
  return {
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    totalTokens: left.totalTokens + right.totalTokens,
    cachedInputTokens: addKnown(left.cachedInputTokens, right.cachedInputTokens),
    reasoningTokens: addKnown(left.reasoningTokens, right.reasoningTokens),
  };
}

function addKnown(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined ? right : left + (right ?? 0);
}
