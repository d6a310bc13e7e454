/**
 * What follows a failed attempt: another one on the same route, one on another route, or none. Short waits stay, longer
 * ones go to another route that may be called now, and where there is none the job comes back later. Pure.
 *
 * A job ends. On each of its routes it makes at most 1 + `pausesMs.length` + `refusalsMost` + `repairsMost` attempts, of
 * one call each: whatever fails is counted for its route, and a route whose count is used up, or that said "never", is out
 * for good. So no job makes more calls than that times the number of its routes, those that are lost with their workers
 * or taken back from them (`released`) not counted.
 */
import type { RouteTries } from './attempt-record.ts';
import type { FailureCode, ServiceError } from './errors.ts';
import { FAILURE_RULES, type NextTry, nextTry, type RetryPolicy } from './retry.ts';

/** Up to this long a job waits for its own route though another one may be called. */
export const SHORT_WAIT_MS = 5_000;
/** So many failures on a route send the job to another one. */
const FAILURES_TO_LEAVE = 2;

export type FailedStory = {
  error: Pick<ServiceError, 'code' | 'retryAfterMs'>;
  /** The route of the attempt that failed. */
  route: number;
  /** On each route of the job, before this attempt failed. */
  tries: readonly RouteTries[];
  /** How many repairs the job type allows this job. */
  repairsMost: number;
  /** The store's time. */
  nowMs: number;
  /** How long a route must not be called, as far as this process knows. */
  closedMs: (route: number) => number;
};

/**
 * `counts`: as what the failed attempt counts, `isOut`: its route is out for this job, `restMs`: so long this job leaves it
 * alone. `none`: the job fails.
 */
export type NextStep = { counts?: Counted; isOut?: true; restMs?: number } & (
  | { next: 'none' }
  | { next: 'attempt'; route: number; pauseMs: number; inPlace: boolean }
);
type Counted = Extract<NextTry, { again: true }>['counts'];
type Way = { route: number; waitMs: number };

/** Decides what follows a failed attempt. `random` is between 0 and 1. */
export function nextStep(policy: RetryPolicy, story: FailedStory, random: number): NextStep {
  const { error, route, tries, repairsMost, closedMs } = story;
  const { failures = 0, refusals = 0, repairs = 0 } = tries[route] ?? {};
  const own = nextTry(policy, error, { failures, refusals, repairs, repairsMost }, random);
  const facts: Pick<NextStep, 'counts' | 'isOut' | 'restMs'> = own.again
    ? { counts: own.counts, restMs: own.pauseMs }
    : { isOut: true };
  const stay = own.again ? { route, waitMs: Math.max(own.pauseMs, closedMs(route)) } : undefined;
  const others = mayHelp(error.code, route) ? othersOf(story) : [];
  const isPatient = own.again && (own.counts !== 'failures' || failures + 1 < FAILURES_TO_LEAVE);
  const staysShortly = stay !== undefined && isPatient && stay.waitMs <= SHORT_WAIT_MS;
  const free = others.find(({ waitMs }) => waitMs === 0);
  const way = staysShortly ? stay : (free ?? soonest(stay ? [stay, ...others] : others));
  if (!way) return { ...facts, next: 'none' };
  const inPlace = way.waitMs <= policy.waitInPlaceMostMs;
  return { ...facts, next: 'attempt', route: way.route, pauseMs: Math.ceil(way.waitMs), inPlace };
}

/**
 * The routes that a job that waits leaves alone no longer, in the order in which they are asked, its current one first;
 * `restMs`: how long it takes until there is another one.
 */
export function orderOf(
  tries: readonly RouteTries[],
  current: number,
  nowMs: number,
): { routes: number[]; restMs: number } {
  const left = inOrder(tries.length, current).filter((route) => !tries[route]?.isOut);
  const restOf = (route: number) => (tries[route]?.retryAt ?? 0) - nowMs;
  const resting = left.map(restOf).filter((ms) => ms > 0);
  return { routes: left.filter((route) => restOf(route) <= 0), restMs: Math.min(...resting) };
}

/** A fallback that cannot even be asked so is no reason to give up what its job would have done without it. */
function mayHelp(code: string, route: number): boolean {
  const rule = code in FAILURE_RULES ? FAILURE_RULES[code as FailureCode] : undefined;
  if (!rule) return false;
  return rule.otherRoute || (route > 0 && rule.billing === 'none');
}

/** The other routes that are not out, the next one first, and how long each must wait. */
function othersOf({ route, tries, nowMs, closedMs }: FailedStory): Way[] {
  return inOrder(tries.length, route)
    .slice(1)
    .filter((other) => !tries[other]?.isOut)
    .map((other) => {
      const restMs = (tries[other]?.retryAt ?? 0) - nowMs;
      return { route: other, waitMs: Math.max(0, restMs, closedMs(other)) };
    });
}

function inOrder(routes: number, first: number): number[] {
  return Array.from({ length: routes }, (_, step) => (first + step) % routes);
}

function soonest(ways: readonly Way[]): Way | undefined {
  return ways.reduce<Way | undefined>((best, way) => (best && best.waitMs <= way.waitMs ? best : way), undefined);
}
