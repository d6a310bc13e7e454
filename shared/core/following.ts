/** What follows an attempt: the end of the job, another attempt under the same lease, or the job is handed back. */
import type { AttemptResult } from './attempt-result.ts';
import { describeError, type ServiceError } from './errors.ts';
import type { CallFacts, FailedAttempt, FinishOutcome } from './events.ts';
import { type NextStep, nextStep, orderOf } from './failover.ts';
import { type FinishingOptions, failure, finish } from './finishing.ts';
import type { Holder } from './held.ts';
import type { HolderOptions } from './holder.ts';
import type { Job, JobError, Json } from './job.ts';
import type { JobType } from './job-type.ts';
import type { Limiter } from './limiter.ts';
import { limitsOf } from './limits.ts';
import { passSoon } from './pass-soon.ts';
import { type Clock, type JobQueue, type Log, sleep } from './ports.ts';
import type { RetryPolicy } from './retry.ts';
import { ringDoorbell } from './ring.ts';
import { routeOf, routesOf } from './routes.ts';
import type { Pass, Routing } from './routing.ts';
import { triesOf } from './tries.ts';

export type FollowingOptions = HolderOptions &
  FinishingOptions & {
    queue: JobQueue;
    /** Between 0 and 1. */
    random: () => number;
    /** What this process knows of routes; the same that its gate asks. */
    routing: Routing;
    /** Where the number of running jobs is limited. */
    limiter?: Pick<Limiter, 'needsOtherSlot'> | undefined;
  };

/**
 * `finished`: the job is over. `handedBack`: it waits for its next attempt. `left`: it waits for the answer that its
 * provider works on. `lost`: another holder took over.
 */
export type RunOutcome =
  | { finished: FinishOutcome['state'] }
  | { handedBack: string }
  | { left: true }
  | { lost: true };

/** What a job type says of this job, whose input may have been dropped from the document meanwhile. */
export type About = { retry: RetryPolicy; repairsMost(): number; fallback(error: JobError): Json | undefined };

/** What the type of this job says of it. */
export function about(log: Log, { id, attempt: n }: Job, type: JobType, input: Json): About {
  return {
    retry: type.retry,
    repairsMost: () => type.repairsMost?.(input) ?? 0,
    fallback(error) {
      try {
        return type.fallback?.(input, error);
      } catch (thrown) {
        // Its job must end all the same: another attempt would be paid for, and come to this again.
        log('error', 'fallback-broke', { job_id: id, attempt: n, error: describeError(thrown) });
        return undefined;
      }
    },
  };
}

/** Another attempt follows under the same lease, and may be called now. */
type GoesOn = { goesOn: true; pass: Pass };

/** Does what follows an attempt. */
export async function follow(
  options: FollowingOptions,
  lease: Holder,
  type: About | undefined,
  result: AttemptResult,
  hasTime: (ms: number) => boolean,
): Promise<RunOutcome | GoesOn> {
  const { facts } = result;
  if (result.ended === 'answered')
    return finish(options, lease, { state: 'completed', result: result.result, ...facts });
  if (result.ended === 'stopped') return stopped(options, lease, type, result.reason, facts);
  const { error } = result;
  const job = lease.job();
  const { step: next, pass, staysHere, isOpen } = await stepOf(options, lease, type, result, hasTime);
  // An attempt that could only start when the job's time is over is none.
  if (next.next === 'none' || next.pauseMs >= lease.leftMs())
    return finish(options, lease, failed(type, error, facts, result.vainText));
  const { pauseMs, inPlace, route, counts, isOut, restMs } = next;
  const retryAt = restMs === undefined ? undefined : lease.instantIn(restMs);
  const ended: FailedAttempt = { outcome: 'failed', errorCode: error.code, counts, isOut, retryAt, ...facts };
  const moved = route === (job.route ?? 0) ? undefined : route;
  if (!staysHere) return handBack(options, lease, ended, pauseMs, { rings: inPlace && !isOpen, route: moved });
  const outcome = await retried(options, lease, type, ended, { pauseMs, route: moved }).catch((thrown: unknown) => {
    pass?.end('unused');
    throw thrown;
  });
  if (!outcome) return pass ? { goesOn: true, pass } : afterPause(options, lease, type);
  pass?.end('unused');
  return outcome;
}

/** `isOpen`: it has to wait for a breaker, as others do. */
type Step = { step: NextStep; staysHere?: boolean; isOpen?: boolean; pass?: Pass };

/**
 * What follows, and the right to its call where that comes at once. A route that may not be called after all is waited for
 * as any other.
 */
async function stepOf(
  options: FollowingOptions,
  lease: Holder,
  type: About | undefined,
  result: Extract<AttemptResult, { ended: 'failed' }>,
  hasTime: (ms: number) => boolean,
): Promise<Step> {
  const job = lease.job();
  const refusedMs = new Map<number, number>();
  for (;;) {
    const step: NextStep = type ? stepAfter(options, type, lease, result, refusedMs) : { next: 'none' };
    if (step.next === 'none') return { step };
    const { pauseMs, inPlace, route } = step;
    const hasTimeFor = inPlace && hasTime(pauseMs + limitsOf(job).attemptTimeoutMs);
    // Of those who wait for a breaker one alone will call, so none of them records its call before.
    const isOpen = pauseMs > 0 && options.routing.isOpen(routesOf(job)[route] ?? routeOf(job));
    const staysHere = hasTimeFor && !isOpen && !options.limiter?.needsOtherSlot(job, route);
    if (!staysHere || pauseMs > 0) return { step, staysHere, isOpen };
    const asked = await options.routing.pass(job, [route]);
    if ('pass' in asked) return { step, staysHere, pass: asked.pass };
    refusedMs.set(route, asked.waitMs);
  }
}

/** Its time has come; much may have happened to its route meanwhile, and then another one may be called, or none. */
async function afterPause(
  options: FollowingOptions,
  lease: Holder,
  type: About | undefined,
): Promise<RunOutcome | GoesOn> {
  const { clock, routing } = options;
  const job = lease.job();
  const { route = 0 } = job;
  const asked = await passSoon(clock, () => routing.pass(job, [route]), lease.stop);
  if ('pass' in asked) return { goesOn: true, pass: asked.pass };
  if (lease.stop.aborted) return stopped(options, lease, type, lease.stop.reason, { notMade: true });
  const routes = routesOf(job);
  const others = orderOf(triesOf(job), route, lease.instantIn(0)).routes.filter((other) => other !== route);
  const othersMs = others.map((other) => routing.closedMs(routes[other] ?? routeOf(job)));
  // Rung at once, its claim finds the route that may be called.
  const waitMs = Math.min(asked.waitMs, ...othersMs);
  return handBack(options, lease, { outcome: 'released', errorCode: 'deferred', notMade: true }, waitMs);
}

/** Records the next attempt and waits for its time; `undefined`: its call may be made. */
async function retried(
  options: FollowingOptions,
  lease: Holder,
  type: About | undefined,
  ended: FailedAttempt,
  { pauseMs, route }: { pauseMs: number; route: number | undefined },
): Promise<RunOutcome | undefined> {
  const { counts, isOut, retryAt, outcome, errorCode, ...facts } = ended;
  const before = lease.job();
  const { id, attempt: n } = before;
  const answer = await lease.retry(ended, pauseMs, route);
  if (answer === 'cancelling') return finish(options, lease, { state: 'cancelled', ...facts });
  if (answer === 'lost') return { lost: true };
  const { provider, model } = routeOf(before).model;
  options.log('info', 'attempt-failed', {
    ...{ job_id: id, attempt: n, code: errorCode, wait_ms: pauseMs, route, provider, model },
  });
  if (await waitOut(options.clock, lease)) return undefined;
  const reason = lease.stop.reason as ServiceError;
  return stopped(options, lease, type, reason, { notMade: true }, Math.max(0, lease.waitMs()));
}

/** What the retry policy of the job's type makes of a failed attempt. */
function stepAfter(
  { routing, random }: FollowingOptions,
  type: About,
  lease: Holder,
  { error, rejected }: Extract<AttemptResult, { ended: 'failed' }>,
  refusedMs: ReadonlyMap<number, number>,
): NextStep {
  const job = lease.job();
  const routes = routesOf(job);
  const isMendable = error.code === 'schema_violation' && rejected !== undefined;
  const story = {
    ...{ error, route: job.route ?? 0, tries: triesOf(job), nowMs: lease.instantIn(0) },
    repairsMost: isMendable ? type.repairsMost() : 0,
    closedMs: (route: number) => Math.max(refusedMs.get(route) ?? 0, routing.closedMs(routes[route] ?? routeOf(job))),
  };
  return nextStep(type.retry, story, random());
}

/** Waits until the next attempt may start; `false` when the work must stop before. Timers may be early. */
async function waitOut(clock: Clock, lease: Holder): Promise<boolean> {
  for (let waitMs = lease.waitMs(); waitMs > 0 && !lease.stop.aborted; waitMs = lease.waitMs()) {
    await sleep(clock, waitMs, lease.stop);
  }
  return !lease.stop.aborted;
}

/** Something else than its call ended the attempt. What a provider asked us to wait is still waited. */
async function stopped(
  options: FollowingOptions,
  lease: Holder,
  type: About | undefined,
  reason: ServiceError,
  facts: CallFacts,
  waitMs = 0,
): Promise<RunOutcome> {
  switch (reason.code) {
    case 'cancelled':
      return finish(options, lease, { state: 'cancelled', ...facts });
    case 'drained':
      return handBack(options, lease, { outcome: 'released', errorCode: reason.code, ...facts }, waitMs);
    case 'lease_lost':
      return { lost: true };
    default:
      return finish(options, lease, failed(type, reason, facts));
  }
}

/**
 * Gives the job up, perhaps to another route. Its doorbell is rung at once when its next attempt may start at once, by the
 * sweeper otherwise; with `rings` the worker stays for the wait, and rings to the second.
 */
async function handBack(
  options: FollowingOptions,
  lease: Holder,
  ended: FailedAttempt,
  waitMs: number,
  { rings = false, route }: { rings?: boolean; route?: number | undefined } = {},
): Promise<RunOutcome> {
  const { id, attempt: n } = lease.job();
  const answer = await lease.handBack(ended, waitMs, route);
  if (answer === 'cancelling') return finish(options, lease, { ...ended, state: 'cancelled' });
  if (answer === 'lost') return { lost: true };
  options.log('info', 'job-handed-back', { job_id: id, attempt: n, code: ended.errorCode, wait_ms: Math.ceil(waitMs) });
  const isTime = waitMs === 0 || (rings && (await waitOut(options.clock, lease)));
  if (isTime) await ringDoorbell(options, lease.job());
  return { handedBack: ended.errorCode };
}

/** The end of a job whose call failed for good: its type may have a result all the same. */
function failed(type: About | undefined, error: ServiceError, facts: CallFacts, rejectedText?: string): FinishOutcome {
  const { code, message } = error;
  const result = type?.fallback({ code, message });
  // What was streamed of the call is no part of it: readers get a new snapshot, as when chunks are missing.
  if (result !== undefined) return { state: 'completed', result, insteadOf: code, ...facts, chunks: undefined };
  return failure(error, facts, rejectedText);
}
