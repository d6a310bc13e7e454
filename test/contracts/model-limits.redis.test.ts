/** The limits that were set for models, over Redis: one for all processes. */
import { expect, test } from 'vitest';
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { redisLink } from '../../shared/adapters/redis-link.ts';
import { redisRateLimiter } from '../../shared/adapters/redis-rate-limiter.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { modelLimits } from '../../shared/core/model-limits.ts';
import type { RateLimiter } from '../../shared/core/rate-limits.ts';
import { describeOnRedis, startRedis } from '../support/redis.ts';

const MODEL = { provider: 'openai', model: 'gpt-4o' };
const clock = systemClock();

/** What one process has; its own count would let everybody through a second time. */
async function openProcess(url: string) {
  const link = redisLink({ url, clock, log: () => {} });
  let alone = 0;
  const memory = memoryRateLimiter({ clock, bucketsMost: 10 });
  const fallback: RateLimiter = {
    take(...args) {
      alone += 1;
      return memory.take(...args);
    },
  };
  const rateLimiter = redisRateLimiter({ link, fallback });
  for (let before = -1; before !== alone; ) {
    before = alone;
    await rateLimiter.take('ready', { perMinute: 1, burst: 1_000 });
  }
  alone = 0;
  const set = { requestsPerMinute: new Map([['gpt-4o', 40]]), tokensPerMinute: new Map([['gpt-4o', 1_000_000]]) };
  return { limits: modelLimits({ clock, rateLimiter, ...set }), alone: () => alone, close: link.close };
}

describeOnRedis('two processes', () => {
  test('have one limit together, of requests and of tokens, and a refusal takes of neither', async () => {
    const server = await startRedis();
    const processes = await Promise.all([openProcess(server.url), openProcess(server.url)]);
    const takes = (tokens: number) =>
      Promise.all(
        Array.from({ length: 60 }, (_, n) => (processes[n % 2] as (typeof processes)[0]).limits.take(MODEL, tokens)),
      );
    const through = (waits: number[]) => waits.filter((waitMs) => waitMs === 0).length;

    // 20 at once, and what comes while the test runs: two in three seconds.
    const first = through(await takes(10));
    expect(first).toBeGreaterThanOrEqual(20);
    expect(first).toBeLessThan(40);
    expect(through(await takes(10))).toBeLessThan(20);

    const url = `${server.url}/1`;
    const others = await Promise.all([openProcess(url), openProcess(url)]);
    expect(await others[0].limits.take(MODEL, 5_000_000)).toBe(0);
    const waits = await Promise.all(
      Array.from({ length: 60 }, (_, n) => (others[n % 2] ?? others[0]).limits.take(MODEL, 10)),
    );
    expect(through(waits)).toBe(0);
    // For minutes, so that it was the tokens.
    expect(Math.max(...waits)).toBeGreaterThan(60_000);

    expect([...processes, ...others].map(({ alone }) => alone())).toEqual([0, 0, 0, 0]);
    await Promise.all([...processes, ...others].map(({ close }) => close()));
    await server.stop();
  });
});
