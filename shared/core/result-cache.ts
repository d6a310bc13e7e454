/**
 * Results for programs that look for `result:{job_id}` in a cache and know nothing of jobs. A copy, for a while, and best
 * effort: the job is the truth, and a cache that is down or hangs never delays or fails one.
 */
import { describeError } from './errors.ts';
import type { Job, JobKey } from './job.ts';
import type { JobType } from './job-type.ts';
import type { Clock, Log } from './ports.ts';
import { within } from './within.ts';

/** No method throws or takes longer than a moment. What cannot be kept is not kept; nobody is told. */
export type ResultCache = {
  /** Keeps a text under a job's name for so long, in place of what was there. */
  put(key: JobKey, text: string, keepMs: number): Promise<void>;
  /** What is kept there; `undefined` when nothing is, or the cache gives no answer. */
  get(key: JobKey): Promise<string | undefined>;
  /** For good: a `put` of this job that comes later, because its worker was slower than its reader, keeps nothing. */
  remove(key: JobKey): Promise<void>;
};

/** A result is in the cache for so long, or until its job expires. */
export const CACHED_MS = 3_600_000;
/** Nobody waits longer for a cache that breaks its word. */
const WAIT_MS = 500;

export type ResultCaching = { resultCache: ResultCache; clock: Clock; log: Log };

/** Puts the result of a job whose end was just written where others look for it. Never throws, never takes long. */
export async function cacheResult(
  options: ResultCaching & { jobTypes: ReadonlyMap<string, JobType> },
  job: Job,
): Promise<void> {
  const { state, store, result, jobType, completedAt = 0, expiresAt = Number.POSITIVE_INFINITY } = job;
  // With `store: false` nothing is kept beside the job.
  if (state !== 'completed' || store === false || result === undefined) return;
  await unhurt(options, job, async () => {
    const text = options.jobTypes.get(jobType)?.cached?.(result) ?? JSON.stringify(result);
    await options.resultCache.put(job, text, Math.min(CACHED_MS, expiresAt - completedAt));
  });
}

/** Takes a deleted job's result back, as far as the cache answers; else it goes by itself. Never throws, never takes long. */
export async function uncacheResult(options: ResultCaching, job: Job): Promise<void> {
  if (job.state === 'completed' && job.store !== false) {
    await unhurt(options, job, async () => options.resultCache.remove(job));
  }
}

async function unhurt({ clock, log }: ResultCaching, { id }: Job, work: () => Promise<void>): Promise<void> {
  const done = work().catch((error: unknown) => {
    log('warning', 'result-cache-failed', { job_id: id, error: describeError(error) });
  });
  await within(clock, WAIT_MS, done);
}
