/** A job in the words of seed 001: exactly its fields. A field that is `undefined` here is absent from the JSON. */
import type { Seen } from '../../shared/core/access.ts';
import type { Job, JobState, Json } from '../../shared/core/job.ts';
import type { ModelCatalog } from '../../shared/core/llm.ts';
import type { SeenWithInput } from '../../shared/core/reading.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';

const STATUS = {
  pending: 'pending',
  processing: 'running',
  completed: 'completed',
  failed: 'failed',
  // Its clients know no other end.
  cancelled: 'failed',
} as const satisfies Record<JobState, string>;

/** Is this a job of this contract: one prompt, answered by text? What was removed may have been one. */
export function isStreamingJob({ job, input }: SeenWithInput): boolean {
  if (job.jobType !== generalLlmRequest.name) return false;
  if (input === undefined) return job.store === false;
  return promptIn(input) !== undefined && fieldsOf(input).response_schema === undefined;
}

/** The prompt in the input of a job. */
export function promptIn(input: Json | undefined): string | undefined {
  const { prompt } = fieldsOf(input);
  return typeof prompt === 'string' ? prompt : undefined;
}

/** The job as every route shows it. */
export function renderJob(seen: Seen, prompt: string | undefined, models: ModelCatalog) {
  const { job } = seen;
  return {
    id: job.id,
    prompt,
    provider: job.model.provider,
    model: askedModel(job, models),
    status: STATUS[job.state],
    result: textOf(job),
    metrics: metricsOf(job),
    createdAt: toTime(job.createdAt),
    updatedAt: toTime(updatedAt(seen)),
  };
}

/** The whole answer of a job that is completed. */
export function textOf({ state, result }: Job): string | undefined {
  const text = fieldsOf(result).result;
  return state === 'completed' && typeof text === 'string' ? text : undefined;
}

/** What a completed job took: from its first claim to its end, and the tokens of its answer. */
export function metricsOf({ state, createdAt, startedAt = createdAt, completedAt = startedAt, attempts }: Job) {
  if (state !== 'completed') return undefined;
  return { durationMs: Math.max(0, completedAt - startedAt), tokenCount: attempts.at(-1)?.usage?.outputTokens };
}

/** Why a job that is over has no answer. */
export function renderFailure({ state, error }: Job) {
  if (error) return { error: error.message, code: error.code };
  return state === 'cancelled'
    ? { error: 'The job was cancelled.', code: 'cancelled' }
    : { error: 'The job failed.', code: 'internal_error' };
}

/** A retired name runs as another model, and is shown as it was asked for. */
function askedModel({ model }: Job, models: ModelCatalog): string {
  return models.list().find(({ runs }) => runs.id === model.id)?.reference ?? model.model;
}

/** When the job last changed, as far as its document says. */
function updatedAt({ job, nowMs }: Seen): number {
  const { createdAt, startedAt = createdAt, completedAt = startedAt } = job;
  const ofAttempts = job.attempts.flatMap((attempt) => [attempt.startedAt, attempt.endedAt ?? attempt.startedAt]);
  // One that waits for its start begins later.
  return Math.max(createdAt, startedAt, completedAt, ...ofAttempts.filter((atMs) => atMs <= nowMs));
}

/** `2025-06-26T15:30:00.000Z`, as seed 001 writes times. */
function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

function fieldsOf(value: Json | undefined): { [name: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
