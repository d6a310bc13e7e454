/** Waiting for a job's end by long polls: each is held by the server until the job has changed. */
import { LlmJobsError } from './errors.ts';
import { persist, type Try } from './persisting.ts';
import { notOurs, objectIn, type Send, within } from './requests.ts';
import type { EndedJob, JobView } from './views.ts';
import type { VisibilitySource } from './visibility.ts';

export type WaitOptions = {
  /** Stops waiting; the job goes on. */
  signal?: AbortSignal;
  /** With `true` the signal cancels the job, too. */
  cancel?: boolean;
  /** How long to wait (10 minutes); `Infinity`: as long as it takes. Then `wait_timeout`; the job goes on. */
  timeoutMs?: number;
  /** Hears of each change, and of the progress every few seconds. */
  onUpdate?: (job: JobView) => void;
};

export const WAIT_MS = 600_000;
/** How long the server may hold an answer. Many proxies cut what is silent for a minute, some for half of one. */
const HOLD_SECONDS = 25;
/** For whoever shows the progress, which alone does not end a held answer. */
const HOLD_SECONDS_SHOWN = 3;
/** What an answer may take beside what it is held for, */
const ANSWER_MS = 10_000;
/** and one that has begun to come: it may be large. */
export const BODY_MS = 60_000;

/** The job when it is over, however it ended. Asks first after `firstAfterMs`. */
export function waitFor<Result>(
  send: Send,
  visibility: VisibilitySource,
  jobId: string,
  { signal, timeoutMs = WAIT_MS, onUpdate }: WaitOptions,
  firstAfterMs = 0,
): Promise<EndedJob<Result>> {
  const timedOut = (cause?: LlmJobsError) => waitTimeout(jobId, cause);
  return persist(longPoll<Result>(send, jobId, onUpdate), { signal, timeoutMs, visibility, firstAfterMs, timedOut });
}

/** One long poll after the other; what did not change is not sent again. */
export function longPoll<Result>(
  send: Send,
  jobId: string,
  onUpdate?: (job: JobView<Result>) => void,
): Try<EndedJob<Result>> {
  const holdSeconds = onUpdate ? HOLD_SECONDS_SHOWN : HOLD_SECONDS;
  const path = `/api/llm/jobs/${jobId}/status/?wait=${holdSeconds}`;
  let entityTag: string | undefined;

  return (stop, pace) =>
    within(holdSeconds * 1_000 + ANSWER_MS, stop, jobId, async (limited, extend) => {
      const headers: Record<string, string> = entityTag === undefined ? {} : { 'If-None-Match': entityTag };
      const response = await send({ path, headers, jobId }, limited, pace);
      if (response.status === 304) return { againAfterMs: undefined };
      extend(BODY_MS);
      const job = viewIn<Result>(await objectIn(response, limited, jobId), response, jobId);
      limited.throwIfAborted();
      if (job.is_complete) return { done: job as EndedJob<Result> };
      entityTag = response.headers.get('etag') ?? undefined;
      onUpdate?.(job);
      return { againAfterMs: job.poll_after_ms };
    });
}

/** The error when the time is up before the job is over. */
export function waitTimeout(jobId: string, cause: LlmJobsError | undefined): LlmJobsError {
  const sentence = 'The job is not over yet. It goes on: wait again with its id.';
  return new LlmJobsError('wait_timeout', sentence, { cause, jobId, retryAfterMs: cause?.retryAfterMs });
}

/** An answer as the view of this job. */
export function viewIn<Result>(body: object, response: Response, jobId: string): JobView<Result> {
  const { status, is_complete } = body as Partial<JobView>;
  const isView = isAbout(body, jobId) && typeof status === 'string' && typeof is_complete === 'boolean';
  if (!isView) throw notOurs(jobId, response);
  return body as JobView<Result>;
}

/** Is it about this job? The answer to a retry is about another one, and says so in `retry_of`. */
export function isAbout(body: Partial<JobView>, jobId: string, field: 'job_id' | 'retry_of' = 'job_id'): boolean {
  const { [field]: id, poll_after_ms = 0 } = body;
  return id === jobId.toLowerCase() && typeof poll_after_ms === 'number';
}
