/** `WindowLimiter` on a Redis server, shared by instances; what it leaves there, and what counts while it is gone. */
import { createClient } from 'redis';
import { expect, test } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { redisLink } from '../../shared/adapters/redis-link.ts';
import { redisWindowLimiter } from '../../shared/adapters/redis-window-limiter.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import type { WindowLimiter } from '../../shared/core/windows.ts';
import { describeOnRedis, startRedis } from '../support/redis.ts';
import { windowLimiterContract } from './window-limiter.ts';

const clock = systemClock();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const RULE = { most: 1_000, ms: 60_000 };

/** A limiter on that server, as soon as it answers, and how often its fallback counted since. */
async function open(url: string) {
  let alone = 0;
  const memory = memoryWindowLimiter({ clock });
  const fallback: WindowLimiter = {
    take(...args) {
      alone += 1;
      return memory.take(...args);
    },
  };
  const link = redisLink({ url, clock, log: () => {}, answerMs: 5_000 });
  const limiter = redisWindowLimiter({ link, fallback });
  for (let before = -1; before !== alone; await pause(20)) {
    before = alone;
    await limiter.take('ready', RULE, 1);
  }
  alone = 0;
  return { limiter, alone: () => alone, close: link.close };
}

describeOnRedis('with a server', () => {
  windowLimiterContract('Redis, two instances', async () => {
    const server = await startRedis();
    const two = [await open(server.url), await open(server.url)] as const;
    return {
      limiters: [two[0].limiter, two[1].limiter],
      wait: (ms) => pause(ms + 2),
      async close() {
        await Promise.all(two.map(({ close }) => close()));
        await server.stop();
        // It was Redis that counted, all the time.
        expect(two.map(({ alone }) => alone())).toEqual([0, 0]);
      },
    };
  });

  test('a window is one key, of no more fields than it has slots, and goes when it is empty', async () => {
    const server = await startRedis();
    const { limiter, close } = await open(server.url);
    const client = await createClient({ url: server.url }).connect();
    const rule = { most: 1_000, ms: 60 };
    for (let n = 0; n < 100; n++, await pause(2)) await limiter.take('model', rule, 1);
    expect(await client.hLen('llm-jobs:window:model')).toBeLessThanOrEqual(62);
    await expect.poll(() => client.exists('llm-jobs:window:model')).toBe(0);
    client.destroy();
    await close();
    await server.stop();
  });

  test('without it each instance counts for itself', async () => {
    const server = await startRedis();
    const { limiter, alone, close } = await open(server.url);
    await server.kill();
    const takes = await Promise.all(Array.from({ length: 5 }, () => limiter.take('model', { most: 3, ms: 60_000 }, 1)));
    expect(takes.filter((taken) => 'giveBack' in taken)).toHaveLength(3);
    expect(alone()).toBe(5);
    await close();
    await server.stop();
  });
});
