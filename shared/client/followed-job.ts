/** A job as a user interface shows it, and what becomes of that with each thing heard. Pure. */
import { LlmJobsError } from './errors.ts';
import type { JobEvent } from './streaming.ts';
import type { JobStatus, JobView } from './views.ts';

export type FollowedJob<Result = unknown> = Readonly<{
  /** From `submit` on, before anything is sent. */
  jobId: string | undefined;
  /** The job as it was last heard of. */
  job: JobView<Result> | undefined;
  status: 'idle' | 'submitting' | JobStatus;
  /** 0 to 100, never backwards. */
  progress: number;
  /** A sentence on what the job does. */
  message: string;
  /** The answer so far, of a job that is streamed. */
  text: string;
  /** Of a completed job. */
  result: Result | undefined;
  /** A failed job's `error_code` and `error_message`, or what stands between us and the job. */
  error: LlmJobsError | undefined;
  /** Is it being submitted or followed? */
  isPending: boolean;
}>;

/** Before anything was submitted. */
export const IDLE: FollowedJob<never> = {
  ...{ jobId: undefined, job: undefined, status: 'idle', progress: 0, message: '', text: '' },
  ...{ result: undefined, error: undefined, isPending: false },
};

/** With what an event of its stream says. */
export function withEvent<Result>(followed: FollowedJob<Result>, event: JobEvent<Result>): FollowedJob<Result> {
  switch (event.type) {
    case 'progress':
      return { ...followed, progress: Math.max(followed.progress, event.progress), message: event.message };
    case 'delta':
    case 'reset':
      return { ...followed, text: event.soFar };
    case 'snapshot':
      return { ...withView(followed, event.job), text: event.soFar };
    case 'status':
    case 'done':
      return withView(followed, event.job as JobView<Result>);
  }
}

/** With a view of it. */
export function withView<Result>(followed: FollowedJob<Result>, job: JobView<Result>): FollowedJob<Result> {
  // What a cancel is answered is newer than what the stream says after it.
  if (job.version < (followed.job?.version ?? 0)) return followed;
  const { status, message, is_complete, error_code, error_message, job_id: jobId } = job;
  const hasFailed = status === 'failed';
  return {
    ...{ ...followed, jobId, job, status, message },
    progress: Math.max(followed.progress, job.progress),
    result: job.result_data,
    error: hasFailed ? new LlmJobsError(error_code ?? status, error_message ?? message, { jobId }) : undefined,
    isPending: followed.isPending && !is_complete,
  };
}

/** An error, also of what the client does not throw itself: its `token` function may. */
export function errorOf(cause: unknown, jobId?: string): LlmJobsError {
  if (cause instanceof LlmJobsError) return cause;
  return new LlmJobsError('unexpected', cause instanceof Error ? cause.message : String(cause), { cause, jobId });
}
