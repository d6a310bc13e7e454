/** What providers take of calls to each model within a minute: what somebody set, and what the providers say themselves. */
import type { JobModel } from './job.ts';
import type { Allowance, ProviderLimits } from './llm.ts';
import type { Clock } from './ports.ts';
import type { RateLimiter, Rule } from './rate-limits.ts';
import { routeName } from './routes.ts';

/** A model as its provider knows it. */
type Named = Pick<JobModel, 'provider' | 'model'>;

export type ModelLimits = {
  /**
   * 0: a call that uses about so many tokens, input and output, may be made in so many milliseconds (absent: now), and is
   * counted. Otherwise how long it takes until it is worth asking again; nothing is counted. Never throws.
   */
  take(model: Named, tokens: number, inMs?: number): Promise<number>;
  /** What the provider said with its newest answer for this model, a refusal included. */
  learn(model: Named, limits: ProviderLimits): void;
};

/** Of each model, by `provider/model` or `model` alone; the first of these that is there holds. */
export type PerMinute = ReadonlyMap<string, number>;

export type ModelLimitsOptions = {
  clock: Pick<Clock, 'monotonicMs'>;
  /** Whoever shares its buckets shares the limits that were set. */
  rateLimiter: RateLimiter;
  requestsPerMinute: PerMinute;
  tokensPerMinute: PerMinute;
};

/** So many tokens of a bucket are one request: of a limit of one a minute, a part comes at once, too. */
const REQUEST_COST = 100;

/**
 * Within 60 s a bucket admits its burst and what comes in a minute, and its last call may take it below zero. Here that
 * is never more requests than the limit: half of them at once, so that a sweep finds room for many of those who wait, and
 * the others one by one.
 */
function requestRule(limit: number): Rule {
  const half = (limit * REQUEST_COST) / 2;
  return { perMinute: half, burst: half };
}

/**
 * As above, for calls of all sizes: together they leave a tenth of the limit, so that no call up to that size makes it
 * more than the limit. A larger one may, and is paid off before the next: it must not wait for ever.
 */
function tokenRule(limit: number): Rule {
  const most = Math.floor((limit * 45) / 100);
  return { perMinute: most, burst: most };
}

/**
 * A provider that names a longer time is asked again after this one: some count a day's requests, and say when all of
 * them are there again, not when the next one is.
 */
const BELIEVED_MS_MOST = 600_000;

type Kind = keyof ProviderLimits;
const KINDS: readonly Kind[] = ['requests', 'tokens'];
/** What is left until an instant, by the monotonic clock, without what this process sent since it was said. */
type Left = Omit<Allowance, 'resetMs'> & { resetAtMs: number };

/**
 * How much must be left for a call. Of what others want, too, there may never be enough for one that needs most of the
 * limit: it goes when half of it is there.
 */
function neededOf(kind: Kind, tokens: number, { limit = Infinity }: Left): number {
  return kind === 'requests' ? 1 : Math.min(tokens, Math.max(1, limit / 2));
}

/** One for all of a process. What providers say is known to this process alone. */
export function modelLimits(options: ModelLimitsOptions): ModelLimits {
  const { clock, rateLimiter, requestsPerMinute, tokensPerMinute } = options;
  const known = new Map<string, { [K in Kind]?: Left | undefined }>();

  /** What the model's provider said last, of limits that are not full again by then. */
  function leftOf(name: string, atMs: number): [Kind, Left][] {
    return KINDS.flatMap((kind): [Kind, Left][] => {
      const left = known.get(name)?.[kind];
      return left && left.resetAtMs > atMs ? [[kind, left]] : [];
    });
  }

  /** Takes of the limits that were set: of both, or of none. */
  async function takeSet(name: string, { model }: Named, tokens: number, inMs: number): Promise<number> {
    const requestsMost = requestsPerMinute.get(name) ?? requestsPerMinute.get(model);
    const tokensMost = tokensPerMinute.get(name) ?? tokensPerMinute.get(model);
    // What is taken counts from now on: of a call that is made later it must be taken then.
    if (inMs > 0 && (requestsMost ?? tokensMost) !== undefined) return inMs;
    const takeRequest = (limit: number, cost: number) =>
      rateLimiter.take(`model-requests:${name}`, requestRule(limit), cost);
    if (requestsMost !== undefined) {
      const { allowed, retryAfterMs } = await takeRequest(requestsMost, REQUEST_COST);
      if (!allowed) return Math.max(1, retryAfterMs);
    }
    if (tokensMost === undefined) return 0;
    const { allowed, retryAfterMs } = await rateLimiter.take(`model-tokens:${name}`, tokenRule(tokensMost), tokens);
    if (allowed) return 0;
    if (requestsMost !== undefined) await takeRequest(requestsMost, -REQUEST_COST);
    return Math.max(1, retryAfterMs);
  }

  return {
    async take(model, estimated, inMs = 0) {
      const name = routeName(model);
      const tokens = Math.max(1, Math.ceil(estimated));
      const nowMs = clock.monotonicMs();
      const said = leftOf(name, nowMs + inMs);
      const short = said.filter(([kind, left]) => left.remaining < neededOf(kind, tokens, left));
      if (short.length > 0) {
        const fullAtMs = Math.max(...short.map(([, { resetAtMs }]) => resetAtMs));
        return Math.max(1, Math.ceil(fullAtMs - nowMs));
      }
      const count = (sign: 1 | -1) => {
        for (const [kind, left] of said) left.remaining -= sign * (kind === 'requests' ? 1 : tokens);
      };
      // At once, so that nobody who asks meanwhile is given the same.
      count(1);
      const waitMs = await takeSet(name, model, tokens, inMs);
      if (waitMs > 0) count(-1);
      return waitMs;
    },
    learn(model, limits) {
      const name = routeName(model);
      const nowMs = clock.monotonicMs();
      const left = known.get(name) ?? {};
      known.set(name, left);
      for (const kind of KINDS) {
        const said = limits[kind];
        if (!said) continue;
        const { remaining, resetMs, limit } = said;
        left[kind] = { remaining, limit, resetAtMs: nowMs + Math.min(resetMs, BELIEVED_MS_MOST) };
      }
    },
  };
}
