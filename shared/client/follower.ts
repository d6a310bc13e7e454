/**
 * One job for a user interface, as a store that frameworks subscribe to. To be subscribed to is its life: with the first
 * subscriber it goes on with the job that was kept, with the last one it stops at once; the job itself goes on.
 */
import type { JobsClient } from './client.ts';
import { errorOf, type FollowedJob, IDLE, withEvent, withView } from './followed-job.ts';
import { newJobId } from './job-id.ts';
import { type JobStorage, jobKeeper, type KeptJob } from './kept-job.ts';
import { isPassing } from './requests.ts';
import type { Submission } from './submissions.ts';
import type { JobView } from './views.ts';
import { browserVisibility, type VisibilitySource } from './visibility.ts';

export type JobFollower<Result = unknown> = {
  subscribe(listener: () => void): () => void;
  /** The same object until something changes. */
  getSnapshot(): FollowedJob<Result>;
  /**
   * Submits a job, and follows it; answers its id. While one is pending that goes on instead: a double click is one job.
   * So it is one job, too, when the same is submitted again because no answer came.
   */
  submit(submission: Submission): string;
  /** Ends the job; what is not yet submitted is not submitted. */
  cancel(): void;
  /** Goes on after an error: submits again what was not answered, or follows again. */
  resume(): void;
  /** Back to `idle`: forgets the job, which goes on. */
  reset(): void;
};

export type FollowerOptions = {
  /** Asked for when something is to be sent. */
  client: () => JobsClient;
  /** The name under which the job is kept. */
  key: string;
  /** Where it is kept: `sessionStorage`, or in memory where there is none. */
  storage?: JobStorage | undefined;
  /** How long to follow (120 s), then `wait_timeout`. Counted anew by `resume`, and when somebody comes back to a page. */
  timeoutMs?: number | undefined;
  visibility?: VisibilitySource | undefined;
};

const FOLLOW_MS = 120_000;
const SUBMIT_MS = 30_000;

export function jobFollower<Result = unknown>(options: FollowerOptions): JobFollower<Result> {
  const { client, key, storage, timeoutMs = FOLLOW_MS, visibility = browserVisibility } = options;
  const keeper = jobKeeper(key, storage);
  const listeners = new Set<() => void>();
  /** The job that is not over, as far as anybody here knows. */
  let current = keeper.read();
  let followed: FollowedJob<Result> = current ? beginning(current) : IDLE;
  let submitting: AbortController | undefined;
  let following: AbortController | undefined;
  let stopWatching = () => {};
  let startedMs = 0;

  function show(next: FollowedJob<Result>): void {
    followed = next;
    for (const listener of [...listeners]) listener();
  }
  const change = (changes: Partial<FollowedJob<Result>>) => show({ ...followed, ...changes });
  const isCurrent = (jobId: string) => current?.jobId === jobId;

  function drop(): void {
    keeper.forget(current?.jobId);
    current = undefined;
    following?.abort();
    stopWatching();
  }

  /** Submits a job where that is still to be done, then follows it. */
  function begin(job: KeptJob): void {
    stopWatching();
    startedMs = performance.now();
    if (!job.submission) void follow(job.jobId);
    else if (!submitting) void submit(job.jobId, job.submission);
  }

  /** Goes on without subscribers: people navigate right after the click. */
  async function submit(jobId: string, submission: Submission): Promise<void> {
    const mine = new AbortController();
    submitting = mine;
    try {
      const limits = { signal: mine.signal, cancel: true, timeoutMs: Math.min(SUBMIT_MS, timeoutMs) };
      const { message } = await client().submit(submission, { jobId, ...limits });
      // Another one may be kept by now, of a component that came after this one.
      if (keeper.read()?.jobId === jobId) keeper.keep({ jobId });
      if (!isCurrent(jobId)) return;
      current = { jobId };
      change({ status: 'pending', message });
      void follow(jobId);
    } catch (error) {
      if (!isCurrent(jobId)) return;
      if (!isPassing(error)) drop();
      change({ status: 'idle', error: errorOf(error, jobId), isPending: false });
    } finally {
      if (submitting === mine) submitting = undefined;
    }
  }

  async function follow(jobId: string): Promise<void> {
    following?.abort();
    if (listeners.size === 0) return;
    const mine = new AbortController();
    following = mine;
    const { signal } = mine;
    // React's Strict Mode leaves, and comes back within the same turn.
    await Promise.resolve();
    if (signal.aborted) return;
    try {
      const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs));
      for await (const event of client().stream<Result>(jobId, { signal, timeoutMs: leftMs })) {
        if (signal.aborted) return;
        hear(withEvent(followed, event));
      }
    } catch (error) {
      if (!signal.aborted) lose(jobId, error);
    }
  }

  function hear(next: FollowedJob<Result>): void {
    if (next.job?.is_complete) drop();
    show(next);
  }

  /** There is no way to the job, now or for good. */
  function lose(jobId: string, cause: unknown): void {
    const error = errorOf(cause, jobId);
    if (error.code === 'job_not_found') {
      // Deleted, expired, or somebody else's: nothing to go on with.
      drop();
      show({ ...IDLE, error });
      return;
    }
    change({ error, isPending: false });
    if (error.code !== 'wait_timeout' || visibility.isActive()) return;
    // The time ran out while nobody looked.
    stopWatching = visibility.subscribe(() => {
      if (visibility.isActive()) follower.resume();
    });
  }

  async function cancelJob(jobId: string): Promise<void> {
    try {
      const job = (await client().cancel(jobId)) as JobView<Result>;
      if (!isCurrent(jobId)) return;
      hear(withView(followed, job));
      follower.resume();
    } catch (error) {
      if (!isCurrent(jobId)) return;
      if (errorOf(error).code === 'job_not_found') lose(jobId, error);
      else change({ error: errorOf(error, jobId) });
    }
  }

  const follower: JobFollower<Result> = {
    subscribe(listener) {
      const own = () => listener();
      listeners.add(own);
      if (listeners.size === 1 && current && followed.isPending && !submitting) begin(current);
      return () => {
        listeners.delete(own);
        if (listeners.size > 0) return;
        following?.abort();
        stopWatching();
      };
    },

    getSnapshot: () => followed,

    submit(submission) {
      if (current && followed.isPending) return current.jobId;
      const before = current?.submission && textOf(current.submission);
      const isAgain = before !== undefined && before === textOf(submission);
      current = { jobId: current && isAgain ? current.jobId : newJobId(), submission };
      keeper.keep(current);
      show(beginning(current));
      begin(current);
      return current.jobId;
    },

    cancel() {
      if (!current) return;
      const { jobId, submission } = current;
      if (!submission) return void cancelJob(jobId);
      if (submitting) submitting.abort();
      // It got no answer, and may have arrived all the same.
      else
        client()
          .cancel(jobId)
          .catch(() => {});
      submitting = undefined;
      drop();
      show({ ...IDLE, jobId, status: 'cancelled' });
    },

    resume() {
      if (!current || followed.isPending) return;
      change({ error: undefined, isPending: true, ...(current.submission && { status: 'submitting' }) });
      begin(current);
    },

    reset() {
      submitting = undefined;
      drop();
      show(IDLE);
    },
  };
  return follower;
}

/** As JSON; none of what can't be written: that is told by who submits it. */
function textOf(submission: Submission): string | undefined {
  try {
    return JSON.stringify(submission);
  } catch {
    return undefined;
  }
}

/** What there is to see of a job before anything was heard of it. */
function beginning({ jobId, submission }: KeptJob): FollowedJob<never> {
  return { ...IDLE, jobId, status: submission ? 'submitting' : 'pending', isPending: true };
}
