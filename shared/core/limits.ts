/** The four clocks of a job: their ranges, their defaults, and the instants that follow from them. */
import type { Job, Limits } from './job.ts';

/** The least and the most that may be asked for, in seconds. */
export const LIMIT_RANGES: Readonly<Record<keyof Limits, readonly [least: number, most: number]>> = {
  startWithinMs: [1, 604_800],
  timeoutMs: [1, 604_800],
  // Pub/Sub delivers again after 600 s; what an attempt does must be over by then.
  attemptTimeoutMs: [1, 540],
  // Node's `fetch` ends a silent connection after 300 s, without saying why.
  idleTimeoutMs: [1, 290],
};

const DAY_MS = 86_400_000;

/** For a job type that has no reason for others. Reasoning models are silent for minutes. */
export const DEFAULT_LIMITS: Limits = {
  startWithinMs: DAY_MS,
  timeoutMs: DAY_MS,
  attemptTimeoutMs: 540_000,
  idleTimeoutMs: 240_000,
};

/** The clocks of a job. */
export function limitsOf(job: Job): Limits {
  return job.limits ?? DEFAULT_LIMITS;
}

/** When a job that is not over has to end, by the store's clock: `start_timeout` holds until it is claimed. */
export function deadlineOf(job: Job, storedAtMs: number): { atMs: number; code: 'start_timeout' | 'job_timeout' } {
  const { startWithinMs, timeoutMs } = limitsOf(job);
  return job.state === 'pending' && startWithinMs < timeoutMs
    ? { atMs: storedAtMs + startWithinMs, code: 'start_timeout' }
    : { atMs: storedAtMs + timeoutMs, code: 'job_timeout' };
}
