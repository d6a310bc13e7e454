/** `RateLimiter` in memory, on virtual time; what it forgets. */
import { expect, test } from 'vitest';
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import { rateLimiterContract } from './rate-limiter.ts';

rateLimiterContract('memory', async () => {
  const clock = virtualClock();
  return { limiters: [memoryRateLimiter({ clock })], wait: clock.advance, async close() {} };
});

const RULE = { perMinute: 60, burst: 10 };

test('buckets that are full again are forgotten, two with each take', async () => {
  const clock = virtualClock();
  const limiter = memoryRateLimiter({ clock });
  for (let n = 0; n < 1_000; n++) await limiter.take(`once-${n}`, RULE);
  expect(limiter.size()).toBe(1_000);
  await clock.advance(999);
  for (let n = 0; n < 10; n++) await limiter.take('often', { perMinute: 600, burst: 1_000 });
  expect(limiter.size()).toBe(1_001);
  await clock.advance(1);
  for (let n = 0; n < 500; n++) await limiter.take('often', { perMinute: 600, burst: 1_000 });
  expect(limiter.size()).toBe(1);
});

test('one that is not full yet is not forgotten, and neither are those after it for longer than that', async () => {
  const clock = virtualClock();
  const limiter = memoryRateLimiter({ clock });
  await limiter.take('deep', RULE, 30);
  await limiter.take('shallow', RULE);
  await clock.advance(20_000);
  expect(await limiter.take('deep', RULE)).toMatchObject({ allowed: false, retryAfterMs: 1_000 });
  await clock.advance(60_000);
  await limiter.take('other', RULE);
  expect(limiter.size()).toBe(1);
});

test('at most so many buckets are kept, and the least recently used goes first', async () => {
  const clock = virtualClock();
  const limiter = memoryRateLimiter({ clock, bucketsMost: 3 });
  for (const name of ['a', 'b', 'c', 'a', 'd']) await limiter.take(name, RULE);
  expect(limiter.size()).toBe(3);
  const left = async (name: string) => (await limiter.take(name, RULE)).remaining;
  expect([await left('a'), await left('c'), await left('d')]).toEqual([7, 8, 8]);
  expect(await left('b')).toBe(9);
});

test('by default there are 100,000 at most', async () => {
  const limiter = memoryRateLimiter({ clock: virtualClock() });
  for (let n = 0; n < 100_001; n++) await limiter.take(`once-${n}`, RULE);
  expect(limiter.size()).toBe(100_000);
});
