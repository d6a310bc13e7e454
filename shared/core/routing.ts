/**
 * Which routes may be called now: what this process has learned of them. A route on which calls fail is left alone by its
 * breaker, one whose provider asked for patience for as long as it asked, and calls are kept within what it takes.
 */
import { type Breaker, CLOSED, closedFor, heard, letThrough, type Verdict } from './breaker.ts';
import { isServiceError, type ServiceError } from './errors.ts';
import type { Job, Route } from './job.ts';
import { limitsOf } from './limits.ts';
import type { ProviderLimits } from './llm.ts';
import type { ModelLimits } from './model-limits.ts';
import type { Clock, Log } from './ports.ts';
import { routeName, routesOf } from './routes.ts';

/** The right to make one call on a route. Whoever has it says what came of it, once. */
export type Pass = {
  /** Among the routes of the job. */
  route: number;
  /** `unused`: no call was made, or it was broken off. */
  end(outcome: 'answered' | 'unused' | ServiceError): void;
};

export type Routing = {
  /**
   * The right to a call of this job, in so many milliseconds, on the first of these routes that may be called then; or how
   * long it takes until one of them may be asked for again.
   */
  pass(job: Job, routes: readonly number[], inMs?: number): Promise<{ pass: Pass } | { waitMs: number }>;
  /** How long a route must not be called, as far as is known now. */
  closedMs(route: Route): number;
  /** What a provider said of its limits. */
  learn(route: Route, limits: ProviderLimits): void;
};

export type RoutingOptions = {
  clock: Clock;
  log: Log;
  limits?: ModelLimits | undefined;
  /** A provider that fails as it is told to, job by job: that says nothing of its routes. */
  scriptedProvider?: string | undefined;
};

/** Everybody in this process respects what a provider asked, but no longer: it may have meant one job. */
const ASKED_MOST_MS = 300_000;
/** A call that its job gave less time says nothing of its provider. */
const TELLING_MS = 30_000;

const FAILS: readonly string[] = ['overloaded', 'network', 'timeout', 'provider_error'];
const CLOCKS: Readonly<Record<string, 'attemptTimeoutMs' | 'idleTimeoutMs'>> = {
  attempt_timeout: 'attemptTimeoutMs',
  idle_timeout: 'idleTimeoutMs',
};

/** One for all of a process; it has no other memory. */
export function routing({ clock, log, limits, scriptedProvider }: RoutingOptions): Routing {
  const known = new Map<string, { breaker: Breaker; askedUntilMs: number }>();

  function stateOf(name: string) {
    const state = known.get(name) ?? { breaker: CLOSED, askedUntilMs: 0 };
    known.set(name, state);
    return state;
  }

  const closedAt = ({ breaker, askedUntilMs }: ReturnType<typeof stateOf>, atMs: number) =>
    Math.max(closedFor(breaker, atMs), askedUntilMs - atMs, 0);

  async function take(job: Job, index: number, inMs: number): Promise<{ pass: Pass } | { waitMs: number }> {
    const route = routesOf(job)[index];
    if (!route) throw new Error(`job ${job.id} has no route ${index}`);
    const { model, callEstimate } = route;
    const name = routeName(model);
    const state = stateOf(name);
    const atMs = clock.monotonicMs() + inMs;
    const closedMs = closedAt(state, atMs);
    if (closedMs > 0) return { waitMs: inMs + closedMs };
    const isProbe = state.breaker.is !== 'closed';
    state.breaker = letThrough(state.breaker, atMs);

    function end(outcome: 'answered' | 'unused' | ServiceError): void {
      if (model.provider === scriptedProvider) return;
      const nowMs = clock.monotonicMs();
      const { breaker } = state;
      state.askedUntilMs = Math.max(state.askedUntilMs, nowMs + askedMsOf(outcome));
      state.breaker = heard(breaker, verdictOf(job, outcome), { jobId: job.id, isProbe, nowMs });
      const isClosed = state.breaker.is === 'closed';
      if (isClosed !== (breaker.is === 'closed'))
        log(isClosed ? 'info' : 'warning', isClosed ? 'breaker-closed' : 'breaker-opened', { route: name });
    }

    const tokens = callEstimate ? callEstimate.inputTokens + callEstimate.outputTokens : 0;
    const waitMs = limits ? await limits.take(model, tokens, inMs) : 0;
    if (waitMs === 0) return { pass: { route: index, end } };
    end('unused');
    return { waitMs };
  }

  return {
    async pass(job, routes, inMs = 0) {
      let waitMs = Number.POSITIVE_INFINITY;
      for (const index of routes) {
        const taken = await take(job, index, inMs);
        if ('pass' in taken) return taken;
        waitMs = Math.min(waitMs, taken.waitMs);
      }
      return { waitMs };
    },
    closedMs: ({ model }) => {
      const state = known.get(routeName(model));
      return state ? closedAt(state, clock.monotonicMs()) : 0;
    },
    learn: ({ model }, said) => limits?.learn(model, said),
  };
}

/** How long a refusal asks everybody to wait. One for good, as of a quota, is its own job's affair. */
function askedMsOf(outcome: 'answered' | 'unused' | ServiceError): number {
  const asks = isServiceError(outcome, 'rate_limited') || isServiceError(outcome, 'overloaded');
  return asks ? Math.min(outcome.retryAfterMs ?? 0, ASKED_MOST_MS) : 0;
}

/** A refusal, an answer of no use, a key that is wrong: the route is alive all the same. */
function verdictOf(job: Job, outcome: 'answered' | 'unused' | ServiceError): Verdict {
  if (outcome === 'answered') return 'alive';
  if (outcome === 'unused') return 'unused';
  if (FAILS.includes(outcome.code)) return 'failed';
  const clock = CLOCKS[outcome.code];
  if (clock) return limitsOf(job)[clock] >= TELLING_MS ? 'failed' : 'unused';
  return outcome.code === 'internal_error' ? 'unused' : 'alive';
}
