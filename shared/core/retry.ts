/**
 * The retry policy: what each class of failure means for another call, and how long to wait before it. The only place
 * that decides; every SDK's own retries are off, for each would be a paid call that nobody recorded.
 */
import type { FailureCode, ServiceError } from './errors.ts';

export type FailureRule = {
  /**
   * For the same model at the same provider. `retry`: another attempt may succeed. `wait`: the provider did no work and
   * asked for patience, so no attempt is used up. `repair`: the model is asked to mend its answer. `never`: the same
   * call would fail again.
   */
  sameRoute: 'retry' | 'wait' | 'repair' | 'never';
  /** May another model or provider succeed where this one failed? */
  otherRoute: boolean;
  /** `none`: refused before any work, so nothing can have been charged. `possible`: nobody knows. */
  billing: 'none' | 'possible';
};

const refused = { sameRoute: 'never', otherRoute: true, billing: 'none' } as const;
const broken = { sameRoute: 'retry', otherRoute: true, billing: 'possible' } as const;
const over = { sameRoute: 'never', otherRoute: false, billing: 'possible' } as const;

/** Every class, closed: a new one does not compile until it is decided here. */
export const FAILURE_RULES: Readonly<Record<FailureCode, FailureRule>> = {
  rate_limited: { sameRoute: 'wait', otherRoute: true, billing: 'none' },
  quota_exhausted: refused,
  auth: refused,
  model_unavailable: refused,
  context_overflow: refused,
  cost_limit: { ...refused, otherRoute: false },
  insufficient_credits: { ...refused, otherRoute: false },
  budget_exceeded: { ...refused, otherRoute: false },
  subscription_inactive: { ...refused, otherRoute: false },
  unsupported_provider: { ...refused, otherRoute: false },
  transformation_failed: { ...refused, otherRoute: false },
  invalid_request: { ...refused, otherRoute: false },
  content_policy: { ...refused, billing: 'possible' },
  overloaded: broken,
  network: broken,
  timeout: broken,
  provider_error: broken,
  attempt_timeout: broken,
  idle_timeout: broken,
  lease_lost: { ...broken, otherRoute: false },
  drained: { ...broken, otherRoute: false },
  schema_violation: { ...over, sameRoute: 'repair', otherRoute: true },
  answer_truncated: over,
  response_too_large: over,
  result_unstorable: over,
  internal_error: over,
  start_timeout: { ...over, billing: 'none' },
  job_timeout: over,
  crash_loop: over,
  cancelled: over,
};

/** How a job type's failed attempts are tried again. Data. */
export type RetryPolicy = {
  /** The longest pause before each further attempt, in milliseconds: as many attempts more as there are pauses. */
  pausesMs: readonly number[];
  /** How often a provider may refuse the job for now (`wait`); such attempts use up none of the others. */
  refusalsMost: number;
  /** `full`: anything between nothing and the pause, so that jobs that failed together do not come back together. */
  jitter: 'full' | 'none';
  /** Up to this long the worker waits with the lease in its hand; for longer it hands the job back. */
  waitInPlaceMostMs: number;
  /** Whoever asks for a longer pause is not asked again; absent: any pause is waited. */
  pauseMostMs?: number;
};

/** Five attempts, about seven seconds of pauses. */
export const DEFAULT_RETRY: RetryPolicy = {
  pausesMs: [1_000, 2_000, 4_000, 8_000],
  refusalsMost: 100,
  jitter: 'full',
  waitInPlaceMostMs: 30_000,
};

/** Before the call after a refusal that names no time; doubles with each. */
const REFUSAL_PAUSE_LEAST_MS = 1_000;
const REFUSAL_PAUSE_MOST_MS = 60_000;

/** What failed attempts of a job count. */
export type Tries = {
  failures: number;
  refusals: number;
  repairs: number;
  /** How many repairs the job type allows this job. */
  repairsMost: number;
};

export type NextTry =
  | { again: false }
  | {
      again: true;
      /** Never shorter than the provider asked for. */
      pauseMs: number;
      inPlace: boolean;
      counts: 'failures' | 'refusals' | 'repairs';
    };

/** Decides what follows a failed attempt. `random` is between 0 and 1. Pure. */
export function nextTry(
  policy: RetryPolicy,
  { code, retryAfterMs: askedMs = 0 }: Pick<ServiceError, 'code' | 'retryAfterMs'>,
  tries: Tries,
  random: number,
): NextTry {
  const rule = code in FAILURE_RULES ? FAILURE_RULES[code as FailureCode].sameRoute : 'never';
  if (rule === 'never') return { again: false };
  if (rule === 'repair') {
    return tries.repairs < tries.repairsMost
      ? { again: true, pauseMs: 0, inPlace: true, counts: 'repairs' }
      : { again: false };
  }
  if (rule === 'wait' && tries.refusals >= policy.refusalsMost) return { again: false };
  const ceilingMs =
    rule === 'wait'
      ? backoffMs(tries.refusals, REFUSAL_PAUSE_LEAST_MS, REFUSAL_PAUSE_MOST_MS)
      : policy.pausesMs[tries.failures];
  if (ceilingMs === undefined) return { again: false };
  // Jitter on top of what was asked for: whoever was refused together was asked to come back together.
  const pauseMs = policy.jitter === 'full' ? askedMs + random * ceilingMs : Math.max(askedMs, ceilingMs);
  if (pauseMs > (policy.pauseMostMs ?? Infinity)) return { again: false };
  const inPlace = pauseMs <= policy.waitInPlaceMostMs;
  return { again: true, pauseMs: Math.ceil(pauseMs), inPlace, counts: rule === 'wait' ? 'refusals' : 'failures' };
}

/** Doubles with each time, from the least to the most. */
export function backoffMs(times: number, leastMs: number, mostMs: number): number {
  return Math.min(leastMs * 2 ** times, mostMs);
}
