/** What providers take of calls to each model within a minute: what somebody set, and what the providers say themselves. */
import type { JobModel } from './job.ts';
import type { Allowance, ProviderLimits } from './llm.ts';
import type { Clock } from './ports.ts';
import { routeName } from './routes.ts';
import type { Allowed, WindowLimiter, WindowRule } from './windows.ts';

/** A model as its provider knows it. */
type Named = Pick<JobModel, 'provider' | 'model'>;

export type ModelLimits = {
  /** May a call that uses about so many tokens, input and output, be made now? Then it is counted. Never throws. */
  take(model: Named, tokens: number): Promise<Allowed>;
  /** What the provider said with its newest answer for this model, a refusal included. */
  learn(model: Named, limits: ProviderLimits): void;
};

/** Of each model, by `provider/model` or `model` alone; the first of these that is there holds. */
export type PerMinute = ReadonlyMap<string, number>;

export type ModelLimitsOptions = {
  clock: Pick<Clock, 'monotonicMs'>;
  /** Whoever shares its windows shares the limits that were set. */
  windowLimiter: WindowLimiter;
  requestsPerMinute: PerMinute;
  tokensPerMinute: PerMinute;
};

const MINUTE_MS = 60_000;

function requestRule(limit: number): WindowRule {
  return { most: limit, ms: MINUTE_MS };
}

/**
 * A tenth of the limit is left for the last call that is let through, so that none up to that size makes it more than the
 * limit. A larger one may, and is paid off before the next: it must not wait for ever.
 */
function tokenRule(limit: number): WindowRule {
  return { most: Math.floor((limit * 9) / 10), ms: MINUTE_MS };
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
  const { clock, windowLimiter, requestsPerMinute, tokensPerMinute } = options;
  const known = new Map<string, { [K in Kind]?: Left | undefined }>();

  /** What the model's provider said last, of limits that are not full again. */
  function leftOf(name: string, nowMs: number): [Kind, Left][] {
    return KINDS.flatMap((kind): [Kind, Left][] => {
      const left = known.get(name)?.[kind];
      return left && left.resetAtMs > nowMs ? [[kind, left]] : [];
    });
  }

  /** Takes of the limits that were set: of both, or of none. */
  async function takeSet(name: string, { model }: Named, tokens: number): Promise<Allowed> {
    const requestsMost = requestsPerMinute.get(name) ?? requestsPerMinute.get(model);
    const tokensMost = tokensPerMinute.get(name) ?? tokensPerMinute.get(model);
    const wanted: [window: string, rule: WindowRule, cost: number][] = [];
    if (requestsMost !== undefined) wanted.push([`model-requests:${name}`, requestRule(requestsMost), 1]);
    if (tokensMost !== undefined) wanted.push([`model-tokens:${name}`, tokenRule(tokensMost), tokens]);
    const taken: (() => Promise<void>)[] = [];
    const giveBack = async () => {
      await Promise.all(taken.splice(0).map((each) => each()));
    };
    for (const each of wanted) {
      const allowed = await windowLimiter.take(...each);
      if ('waitMs' in allowed) {
        await giveBack();
        return allowed;
      }
      taken.push(allowed.giveBack);
    }
    return { giveBack };
  }

  return {
    async take(model, estimated) {
      const name = routeName(model);
      const tokens = Math.max(1, Math.ceil(estimated));
      const nowMs = clock.monotonicMs();
      const said = leftOf(name, nowMs);
      const short = said.filter(([kind, left]) => left.remaining < neededOf(kind, tokens, left));
      if (short.length > 0) {
        const fullAtMs = Math.max(...short.map(([, { resetAtMs }]) => resetAtMs));
        return { waitMs: Math.max(1, Math.ceil(fullAtMs - nowMs)) };
      }
      // What is said meanwhile stands above this.
      const count = (sign: 1 | -1) => {
        for (const [kind, left] of said) left.remaining -= sign * (kind === 'requests' ? 1 : tokens);
      };
      // At once, so that nobody who asks meanwhile is given the same.
      count(1);
      const set = await takeSet(name, model, tokens);
      if ('waitMs' in set) {
        count(-1);
        return set;
      }
      return {
        async giveBack() {
          count(-1);
          await set.giveBack();
        },
      };
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
