/** What all instances have together where there is a Redis, and each for itself where there is none. */
import { memoryRateLimiter } from './adapters/memory-rate-limiter.ts';
import { memoryResultCache } from './adapters/memory-result-cache.ts';
import { memoryWindowLimiter } from './adapters/memory-window-limiter.ts';
import { redisLink } from './adapters/redis-link.ts';
import { redisRateLimiter } from './adapters/redis-rate-limiter.ts';
import { redisResultCache } from './adapters/redis-result-cache.ts';
import { redisWindowLimiter } from './adapters/redis-window-limiter.ts';
import type { Config } from './config.ts';
import { type ModelLimits, modelLimits } from './core/model-limits.ts';
import type { Clock, Log } from './core/ports.ts';
import type { RateLimiter } from './core/rate-limits.ts';
import type { ResultCache } from './core/result-cache.ts';
import { type Limits, limitsFor } from './http/limits.ts';

export type SharedParts = {
  limits: Limits;
  rateLimiter: RateLimiter;
  modelLimits: ModelLimits;
  resultCache: ResultCache;
  close(): Promise<void>;
};

/** Connects on first use. */
export function sharedParts(config: Config, clock: Clock, log: Log): SharedParts {
  const { redisUrl: url, rateLimits: perMinute, trustedProxies } = config;
  const link = url === undefined ? undefined : redisLink({ url, clock, log });
  const alone = memoryRateLimiter({ clock });
  const rateLimiter = link ? redisRateLimiter({ link, fallback: alone }) : alone;
  const windows = memoryWindowLimiter({ clock });
  const windowLimiter = link ? redisWindowLimiter({ link, fallback: windows }) : windows;
  return {
    limits: limitsFor(perMinute, { limiter: rateLimiter, clock, trustedProxies }),
    rateLimiter,
    modelLimits: modelLimits({ ...config, clock, windowLimiter }),
    resultCache: link ? redisResultCache(link) : memoryResultCache({ clock }),
    close: async () => link?.close(),
  };
}
