/**
 * A breaker: what keeps calls from a route on which they fail. Closed, open, then half-open: one call at a time, the
 * probe, tells whether the route is back. Instants are of a monotonic clock. Pure.
 */
export type Breaker =
  /** `failures` in a row, of no more than these two jobs that are told apart. */
  | { is: 'closed'; failures: number; jobs: readonly string[] }
  /** Opened for `openMs`; when that is over, the next call is a probe. */
  | { is: 'open'; untilMs: number; openMs: number }
  /** `untilMs`: a probe that was not heard of by then is none. */
  | { is: 'probing'; untilMs: number; openMs: number };

/** What a call says of its route. `unused`: nothing. */
export type Verdict = 'alive' | 'failed' | 'unused';

export const CLOSED: Breaker = { is: 'closed', failures: 0, jobs: [] };

/** So many failures in a row open it, … */
export const FAILURES_TO_OPEN = 5;
/** … provided that they are not all of one job, whose own fault they may be. */
const JOBS_TO_OPEN = 2;
export const OPEN_LEAST_MS = 30_000;
export const OPEN_MOST_MS = 300_000;
/** Whoever meets a probe under way looks again after this long. */
const PROBE_LOOK_MS = 10_000;
/** Longer than any attempt. */
const PROBE_MOST_MS = 600_000;

/** How long no call may be made, counted from that instant. */
export function closedFor(breaker: Breaker, atMs: number): number {
  switch (breaker.is) {
    case 'closed':
      return 0;
    case 'open':
      return Math.max(0, breaker.untilMs - atMs);
    case 'probing':
      return breaker.untilMs <= atMs ? 0 : PROBE_LOOK_MS;
  }
}

/** A call may be made at that instant, and will be. */
export function letThrough(breaker: Breaker, atMs: number): Breaker {
  if (breaker.is === 'closed') return breaker;
  return { is: 'probing', untilMs: atMs + PROBE_MOST_MS, openMs: breaker.openMs };
}

/** A call has ended. Only its probe says of an open breaker that the route fails still; any answer says that it is back. */
export function heard(
  breaker: Breaker,
  verdict: Verdict,
  { jobId, isProbe, nowMs }: { jobId: string; isProbe: boolean; nowMs: number },
): Breaker {
  if (verdict === 'alive') return CLOSED;
  if (breaker.is === 'closed') return verdict === 'failed' ? failedOnceMore(breaker, jobId, nowMs) : breaker;
  if (!isProbe || breaker.is === 'open') return breaker;
  if (verdict === 'unused') return { ...breaker, is: 'open', untilMs: nowMs };
  return opened(Math.min(breaker.openMs * 2, OPEN_MOST_MS), nowMs);
}

function failedOnceMore(breaker: Extract<Breaker, { is: 'closed' }>, jobId: string, nowMs: number): Breaker {
  const failures = breaker.failures + 1;
  const jobs = [...new Set([...breaker.jobs, jobId])].slice(0, JOBS_TO_OPEN);
  const opens = failures >= FAILURES_TO_OPEN && jobs.length >= JOBS_TO_OPEN;
  return opens ? opened(OPEN_LEAST_MS, nowMs) : { is: 'closed', failures, jobs };
}

function opened(openMs: number, nowMs: number): Breaker {
  return { is: 'open', untilMs: nowMs + openMs, openMs };
}
