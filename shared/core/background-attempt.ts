/**
 * One attempt in its provider's background mode. The provider is asked once; the id of its answer is saved, and from then
 * on whoever has the job looks for that answer, until it is there. Between looks that are far apart nobody has the job.
 */
import { orAborted } from './aborted.ts';
import { countable } from './answers.ts';
import { type AttemptHooks, type AttemptOptions, attempt, attemptTimers, requestOf } from './attempt.ts';
import type { AttemptResult, MadeCall } from './attempt-result.ts';
import { isAttached, likelyCost } from './attempts.ts';
import { tracedBackground } from './call-span.ts';
import { isServiceError, ServiceError } from './errors.ts';
import type { CallFacts } from './events.ts';
import type { Holder } from './held.ts';
import type { Job, Json, Upstream } from './job.ts';
import type { JobType } from './job-type.ts';
import { limitsOf } from './limits.ts';
import type { LlmPart, Look, Started } from './llm.ts';
import { type JobQueue, type JobStore, sleep } from './ports.ts';
import { backoffMs } from './retry.ts';
import { ringDoorbell } from './ring.ts';
import { routeOf } from './routes.ts';
import { stopReason } from './stop-reasons.ts';
import { timeAfter, timeLimit } from './within.ts';

export type BackgroundOptions = AttemptOptions & { store: JobStore; queue: JobQueue };

export type BackgroundHooks = Pick<AttemptHooks, 'onStage' | 'onLimits' | 'rejected'> & {
  /** May this worker keep the job for so long? */
  hasTime: (ms: number) => boolean;
};

/** `left`: nobody has the job until somebody looks for the answer. */
export type BackgroundResult = AttemptResult | { ended: 'left' };

/** Between two looks: doubles with each. With a sweep in between that comes each minute, at most five minutes. */
const LOOK_PAUSE_LEAST_MS = 2_000;
const LOOK_PAUSE_MOST_MS = 240_000;
/** For a look that is due sooner the worker stays, and keeps the lease; it costs less than to come back. */
const STAY_MOST_MS = 20_000;
/** How long one look may take. */
const LOOK_MS = 60_000;
/** A start that was told to stop is waited for, since nobody would know the id of what it began. */
const START_PATIENCE_MS = 10_000;
/** How long the provider is asked to stop, and how often: what it does not hear it goes on charging. */
const CANCEL_MS = 5_000;
const CANCEL_PAUSE_MS = 500;

/** Is the newest attempt one in the background, or will it be? */
export async function isInBackground({ providerFor }: BackgroundOptions, job: Job): Promise<boolean> {
  if (isAttached(job) || !job.background) return isAttached(job);
  const provider = await providerFor(routeOf(job).model.provider).catch(() => undefined);
  return provider?.background !== undefined;
}

/**
 * Begins the attempt, or goes on with it; until it has ended, must stop, or can be left alone for a while. Throws
 * `store_unavailable` when it is not known whether the id of what was begun is saved.
 */
export async function backgroundAttempt(
  options: BackgroundOptions,
  type: JobType,
  lease: Holder,
  input: Json,
  { hasTime, ...hooks }: BackgroundHooks,
): Promise<BackgroundResult> {
  const { store, clock, log, pricing, providerFor } = options;
  const { onStage = () => {}, onLimits = () => {}, rejected } = hooks;
  const { stop } = lease;
  const { tenant, id, attempt: n } = lease.job();
  const { model } = routeOf(lease.job());
  const { startedAt: startedMs = 0, providerRequestId } = lease.job().attempts.at(-1) ?? {};
  const facts: CallFacts = { providerRequestId };
  const about = { job_id: id, attempt: n };
  const isSaved = () => isAttached(lease.job());

  async function port() {
    const { background } = await providerFor(model.provider);
    if (!background) throw new Error(`${model.provider} has no background mode`);
    return tracedBackground(options, model, background);
  }
  const request = () => requestOf(options, type, lease.job(), input, rejected);
  const conclude = (parts: AsyncIterable<LlmPart>, made: Pick<MadeCall, 'isOver' | 'isUnseen'>, until = stop) =>
    attempt(options, type, lease.job(), input, until, { ...hooks, made: { parts, facts, startedMs, ...made } });
  /** A whole answer: that is soon done, and paid, so that it is not put off. */
  const concludeWhole = (parts: AsyncIterable<LlmPart>) => conclude(parts, { isOver: true }, unlessDrained(stop));
  const stoppedFor = (reason: ServiceError): AttemptResult => ({ ended: 'stopped', reason, facts });

  /** Asks the provider, unless nobody wants it any more; answers what it began. */
  async function start(): Promise<Started | AttemptResult> {
    facts.notMade = true;
    const timers = attemptTimers(clock, limitsOf(lease.job()));
    const patience = timeAfter(clock, stop, START_PATIENCE_MS);
    const signal = AbortSignal.any([timers.signal, patience.signal]);
    try {
      const [background, asked] = [await port(), await request()];
      if (stop.aborted) return stoppedFor(stop.reason);
      facts.notMade = undefined;
      const started = await orAborted(background.start(asked, { signal }), signal);
      facts.providerRequestId = started.providerRequestId;
      if (started.limits) onLimits(started.limits);
      return started;
    } catch (error) {
      const isUnseen = signal.aborted || isServiceError(error, 'timeout') || undefined;
      return conclude(failing(signal.aborted ? signal.reason : error), { isUnseen });
    } finally {
      timers.stop();
      patience.end();
    }
  }

  /** Saves what was begun; without a pause the worker stays. `undefined`: done. */
  async function save(upstream: Upstream, pauseMs?: number): Promise<AttemptResult | undefined> {
    const answer = await lease
      .attach({ upstream, providerRequestId: facts.providerRequestId }, pauseMs)
      .catch(async (error) => {
        // Nobody may ever know its id.
        if (!(await isKept(upstream))) await cancel(upstream);
        throw error;
      });
    if (answer === 'written') return undefined;
    if (answer === 'cancelling' || !(await isKept(upstream))) await cancel(upstream);
    return stoppedFor(stopReason(answer === 'cancelling' ? 'cancelled' : 'lease_lost'));
  }

  /** Was it saved, so that whoever has the job goes on with it? A write whose answer was lost may have done it. */
  async function isKept(upstream: Upstream): Promise<boolean> {
    if (isSaved()) return true;
    const found = await store.get({ tenant, id }).catch(() => undefined);
    return found?.job.upstream?.id === upstream.id;
  }

  async function leave(upstream: Upstream, pauseMs: number): Promise<BackgroundResult> {
    const refused = await save(upstream, pauseMs);
    if (refused) return refused;
    log('info', 'job-left-to-provider', { ...about, looks: upstream.looks, wait_ms: Math.ceil(pauseMs) });
    if (pauseMs === 0) await ringDoorbell(options, lease.job());
    return { ended: 'left' };
  }

  /** The work must stop, and the provider's with it, unless somebody else goes on with that. */
  async function halt(upstream: Upstream): Promise<BackgroundResult> {
    const reason: ServiceError = stop.aborted ? stop.reason : stopReason('job_timeout');
    if (reason.code === 'drained') return leave(upstream, 0);
    if (reason.code !== 'lease_lost' || !isSaved()) await cancel(upstream);
    return stoppedFor(reason);
  }

  /** Has the provider stop, and notes what that used. Best effort: nobody is helped by a job that does not end. */
  async function cancel(upstream: Upstream): Promise<void> {
    const limit = timeLimit(clock, CANCEL_MS);
    facts.cost = likelyCost(lease.job());
    for (;;) {
      try {
        const { signal } = limit;
        const { usage } = await orAborted(
          port().then((background) => background.cancel(upstream.id, { signal })),
          signal,
        );
        facts.usage = usage && countable(usage);
        log('info', 'upstream-cancelled', { ...about, is_measured: facts.usage !== undefined });
        if (facts.usage) facts.cost = { nanoUsd: await pricing.costOf(model, facts.usage, startedMs) };
        break;
      } catch (error) {
        log('warning', 'upstream-not-cancelled', { ...about, code: codeOf(error) });
        await sleep(clock, CANCEL_PAUSE_MS, limit.signal);
        if (limit.signal.aborted) break;
      }
    }
    limit.end();
  }

  /** One look. One that fails says nothing of the answer; its error says when to look again at the earliest. */
  async function look(upstream: Upstream): Promise<Look | { failed: unknown }> {
    const limit = timeLimit(clock, LOOK_MS);
    const signal = AbortSignal.any([stop, limit.signal]);
    try {
      const [background, asked] = [await port(), await request()];
      return await orAborted(background.look(upstream.id, asked, { signal }), signal);
    } catch (failed) {
      if (!stop.aborted) log('warning', 'look-failed', { ...about, code: codeOf(failed), looks: upstream.looks });
      return { failed };
    } finally {
      limit.end();
    }
  }

  let upstream = isSaved() ? lease.job().upstream : undefined;
  let pauseMs = 0;
  if (!upstream) {
    const started = stop.aborted ? stoppedFor(stop.reason) : await start();
    if ('ended' in started) return started;
    if (started.parts) return concludeWhole(started.parts);
    upstream = { id: started.id, looks: 0 };
    if (stop.aborted) return halt(upstream);
    onStage('accepted');
    const refused = await save(upstream);
    if (refused) return refused;
    pauseMs = pauseAfter(0);
  }
  for (;;) {
    if (pauseMs > STAY_MOST_MS) return leave(upstream, pauseMs);
    // Another worker may stay for it.
    if (!hasTime(pauseMs + LOOK_MS)) return leave(upstream, 0);
    if (pauseMs > 0) await sleep(clock, pauseMs, stop);
    lease.check();
    if (stop.aborted || lease.leftMs() <= 0) return halt(upstream);
    const seen = await look(upstream);
    if (stop.aborted) return halt(upstream);
    if ('parts' in seen) return concludeWhole(seen.parts);
    if ('gone' in seen) return conclude(failing(forgotten()), { isUnseen: true });
    upstream = { ...upstream, looks: upstream.looks + 1 };
    const askedMs = 'failed' in seen && isServiceError(seen.failed) ? (seen.failed.retryAfterMs ?? 0) : 0;
    pauseMs = Math.max(pauseAfter(upstream.looks), askedMs);
  }
}

function pauseAfter(looks: number): number {
  return backoffMs(looks, LOOK_PAUSE_LEAST_MS, LOOK_PAUSE_MOST_MS);
}

/** Aborted with `stop`, but for a worker that is told to end. */
function unlessDrained(stop: AbortSignal): AbortSignal {
  const ended = new AbortController();
  const end = () => {
    if ((stop.reason as ServiceError).code !== 'drained') ended.abort(stop.reason);
  };
  if (stop.aborted) end();
  else stop.addEventListener('abort', end);
  return ended.signal;
}

function forgotten(): ServiceError {
  return new ServiceError('provider_error', 'The provider does not know its answer any more.');
}

async function* failing(error: unknown): AsyncIterable<LlmPart> {
  yield await Promise.reject(error);
}

function codeOf(error: unknown): string {
  return isServiceError(error) ? error.code : 'internal_error';
}
