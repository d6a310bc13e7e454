/** Rate limits over HTTP: which bucket a request is taken from, and what its client is told. */
import type { Context } from 'hono';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../core/access.ts';
import { ServiceError } from '../core/errors.ts';
import { isJobId } from '../core/ids.ts';
import type { Clock } from '../core/ports.ts';
import type { RateLimiter, Rule } from '../core/rate-limits.ts';
import { addressOf } from './client-address.ts';
import type { HttpEnv } from './env.ts';

export type Limits = {
  /** Takes one request of somebody without valid credentials. Throws `rate_limited`. */
  stranger(context: Context<HttpEnv>): Promise<void>;
  /** Takes one look into the store of somebody whose key nobody here has seen. Throws `rate_limited`. */
  lookUp(context: Context<HttpEnv>): Promise<void>;
  /** Takes one request of a principal, or what it `cost` more than one. Throws `rate_limited`. */
  principal(context: Context<HttpEnv>, principal: Principal, cost?: number): Promise<void>;
  /** Looks at the answer: who asks for jobs that are not there is not a reader of jobs. */
  after(context: Context<HttpEnv>, principal: Principal): Promise<void>;
};

export type LimitsOptions = {
  limiter: RateLimiter;
  clock: Clock;
  /** Requests per minute. */
  perMinute: { writes: number; reads: number; jobReads: number; strangers: number };
  trustedProxies: number;
};

/** Nobody is limited. */
export const noLimits: Limits = {
  stranger: async () => {},
  lookUp: async () => {},
  principal: async () => {},
  after: async () => {},
};

/** Limits as they are configured; without any, nobody is limited. */
export function limitsFor(perMinute: LimitsOptions['perMinute'] | undefined, around: Omit<LimitsOptions, 'perMinute'>) {
  return perMinute ? rateLimits({ ...around, perMinute }) : noLimits;
}

/** Those that are remembered to have asked for too many jobs that are not there. */
const GUESSERS_MOST = 10_000;
const BURST_LEAST = 20;

/** A bucket holds a quarter of a minute. */
function ruleOf(perMinute: number): Rule {
  return { perMinute, burst: Math.max(BURST_LEAST, Math.ceil(perMinute / 4)) };
}

/**
 * Each principal has a bucket for writes, one for what ends jobs, one for reads, and one for each job that they read, so
 * that a client that polls many jobs is not refused; each address has one for requests without valid credentials, and one
 * for looks into the store for keys that nobody here has seen.
 */
export function rateLimits({ limiter, clock, perMinute, trustedProxies }: LimitsOptions): Limits {
  const rules = {
    writes: ruleOf(perMinute.writes),
    reads: ruleOf(perMinute.reads),
    'job-reads': ruleOf(perMinute.jobReads),
    strangers: ruleOf(perMinute.strangers),
    // Beside those who try keys there may be honest ones.
    'look-ups': ruleOf(10 * perMinute.strangers),
    // Who has no more to spend may still end what they have begun.
    ends: ruleOf(perMinute.writes),
  };
  /** Until when. */
  const guessers = new LRUCache<string, number>({ max: GUESSERS_MOST });

  async function take(context: Context<HttpEnv>, name: keyof typeof rules, of: string, cost = 1): Promise<void> {
    const { perMinute: quota } = rules[name];
    const { allowed, remaining, retryAfterMs, resetMs } = await limiter.take(`${name}~${of}`, rules[name], cost);
    // draft-ietf-httpapi-ratelimit-headers-10
    context.header('RateLimit-Policy', `"${name}";q=${quota};w=60`);
    context.header('RateLimit', `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`);
    if (allowed) return;
    // A batch takes twice, at the door and for its jobs: it has to find two.
    const isBatch = BATCH_WRITE.test(context.req.path) && name === 'writes';
    throw refusal(retryAfterMs + (isBatch ? Math.ceil(60_000 / quota) : 0));
  }

  return {
    stranger: (context) => take(context, 'strangers', addressOf(context, trustedProxies)),
    lookUp: (context) => take(context, 'look-ups', addressOf(context, trustedProxies)),

    async principal(context, principal, cost) {
      const name = nameOf(principal);
      const { method } = context.req;
      const isEnd = method === 'DELETE' || END.test(context.req.path);
      if (method !== 'GET' && method !== 'HEAD') return take(context, isEnd ? 'ends' : 'writes', name, cost);
      const id = context.req.path.match(JOB_READ)?.[1]?.toLowerCase();
      // What can be no id gets no bucket of its own: buckets are kept in memory, by their names.
      if (id === undefined || !isJobId(id)) return take(context, 'reads', name);
      const untilMs = guessers.get(name) ?? 0;
      if (untilMs > clock.nowMs()) throw refusal(untilMs - clock.nowMs());
      return take(context, 'job-reads', `${name}~${id}`);
    },

    async after(context, principal) {
      const isMiss = context.res.status === 404 && !context.get('hasJob');
      if (!isMiss || !JOB_READ.test(context.req.path)) return;
      const name = nameOf(principal);
      const { allowed, retryAfterMs } = await limiter.take(`reads~${name}`, rules.reads);
      if (!allowed) guessers.set(name, clock.nowMs() + retryAfterMs);
    },
  };
}

const END = /\/(?:jobs\/[^/]+\/(?:cancel|token)|cancel\/[^/]+)\/?$/;
const BATCH_WRITE = /\/(?:jobs|submit)\/batch\/?$/;
/** `…/jobs/{id}/status`, `/jobs/{id}`, `…/status/{id}`, `/llm/result/{id}`: each contract has its own way. */
const JOB_READ = /\/(?:jobs|status|result)\/([^/]+)(?:\/(?:status|result|stream))?\/?$/;

/** The holder of a job token must not use up what its user may do. */
function nameOf({ tenant, user, jobId }: Principal): string {
  return jobId === undefined ? `${tenant}~${user}` : `${tenant}~${user}~${jobId}`;
}

function refusal(retryAfterMs: number): ServiceError {
  const sentence = `Too many requests. Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1_000))} s.`;
  return new ServiceError('rate_limited', sentence, { retryAfterMs });
}
