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
  end(outcome: Outcome): void;
};

/** `unused`: no call was made. `stopped`: it was broken off on our side. */
type Outcome = 'answered' | 'unused' | 'stopped' | ServiceError;

export type Passed = { pass: Pass } | { waitMs: number };

export type Routing = {
  /**
   * The right to a call of this job, now, on the first of these routes that may be called; or how long it takes until one
   * of them may be asked for again.
   */
  pass(job: Job, routes: readonly number[]): Promise<Passed>;
  /** How long a route must not be called, as far as is known now. */
  closedMs(route: Route): number;
  /** Do calls fail on a route, so that one at a time may be made there at most? */
  isOpen(route: Route): boolean;
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

  const closedNow = ({ breaker, askedUntilMs }: ReturnType<typeof stateOf>) => {
    const nowMs = clock.monotonicMs();
    return Math.max(closedFor(breaker, nowMs), askedUntilMs - nowMs, 0);
  };

  async function take(job: Job, index: number): Promise<Passed> {
    const route = routesOf(job)[index];
    if (!route) throw new Error(`job ${job.id} has no route ${index}`);
    const { model, callEstimate } = route;
    const name = routeName(model);
    const state = stateOf(name);
    const closedMs = closedNow(state);
    if (closedMs > 0) return { waitMs: closedMs };
    const isProbe = state.breaker.is !== 'closed';
    state.breaker = letThrough(state.breaker, clock.monotonicMs());
    let giveBack = async () => {};

    function end(outcome: Outcome): void {
      if (outcome === 'unused') void giveBack();
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
    const allowed = await limits?.take(model, tokens);
    if (allowed && 'waitMs' in allowed) {
      end('unused');
      return allowed;
    }
    if (allowed) ({ giveBack } = allowed);
    return { pass: { route: index, end } };
  }

  return {
    async pass(job, routes) {
      let waitMs = Number.POSITIVE_INFINITY;
      for (const index of routes) {
        const taken = await take(job, index);
        if ('pass' in taken) return taken;
        waitMs = Math.min(waitMs, taken.waitMs);
      }
      return { waitMs };
    },
    closedMs: ({ model }) => {
      const state = known.get(routeName(model));
      return state ? closedNow(state) : 0;
    },
    isOpen: ({ model }) => (known.get(routeName(model))?.breaker ?? CLOSED).is !== 'closed',
    learn: ({ model }, said) => limits?.learn(model, said),
  };
}

/** How long a refusal asks everybody to wait. One for good, as of a quota, is its own job's affair. */
function askedMsOf(outcome: Outcome): number {
  const asks = isServiceError(outcome, 'rate_limited') || isServiceError(outcome, 'overloaded');
  return asks ? Math.min(outcome.retryAfterMs ?? 0, ASKED_MOST_MS) : 0;
}

/** A refusal, an answer of no use, a key that is wrong: the route is alive all the same. */
function verdictOf(job: Job, outcome: Outcome): Verdict {
  if (outcome === 'answered') return 'alive';
  if (outcome === 'unused' || outcome === 'stopped') return 'unused';
  if (FAILS.includes(outcome.code)) return 'failed';
  const clock = CLOCKS[outcome.code];
  if (clock) return limitsOf(job)[clock] >= TELLING_MS ? 'failed' : 'unused';
  return outcome.code === 'internal_error' ? 'unused' : 'alive';
}
