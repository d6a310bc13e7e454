/**
 * `RateLimiter` on Redis: one bucket for all instances, changed by one script on Redis's own clock. While Redis gives no
 * answer, each instance counts for itself: a limit that is not exact is better than a service that is not there.
 */
import { type RateLimiter, takenFrom } from '../core/rate-limits.ts';
import type { RedisLink } from './redis-link.ts';
import { redisScript } from './redis-script.ts';

export type RedisRateLimiterOptions = {
  link: RedisLink;
  /** Counts while Redis does not. */
  fallback: RateLimiter;
};

/** `takeFrom`, on Redis's own clock. Answers whether it was admitted, and what is left. */
const run = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local per_minute, full, cost = tonumber(ARGV[1]), ARGV[2] * 60000, ARGV[3] * 60000
local left = redis.call('HMGET', KEYS[1], 'units', 'at')
local units = full
if left[1] then
  units = math.min(full, left[1] + math.max(0, now - left[2]) * per_minute)
end
local allowed = units >= 60000
if allowed then units = units - cost end
redis.call('HSET', KEYS[1], 'units', string.format('%.0f', units), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil((full - units) / per_minute)))
return { allowed and 1 or 0, units }
`);

/** Never throws, never waits for more than a moment. */
export function redisRateLimiter({ link, fallback }: RedisRateLimiterOptions): RateLimiter {
  return {
    async take(bucket, rule, cost = 1) {
      const named = {
        keys: [`llm-jobs:rate:${bucket}`],
        arguments: [rule.perMinute, rule.burst, cost].map(String),
      };
      const asked = await link.ask((client) => run<[allowed: number, units: number]>(client, named));
      if (!asked) return fallback.take(bucket, rule, cost);
      const [allowed, units] = asked.answer;
      return takenFrom(allowed === 1, units, rule);
    },
  };
}
