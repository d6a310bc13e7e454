/** The limits that were set for models, over Redis: one for all processes. */
import { expect, test, vi } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { redisLink } from '../../shared/adapters/redis-link.ts';
import { redisWindowLimiter } from '../../shared/adapters/redis-window-limiter.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { modelLimits } from '../../shared/core/model-limits.ts';
import type { WindowLimiter } from '../../shared/core/windows.ts';
import { describeOnRedis, startRedis } from '../support/redis.ts';

const MODEL = { provider: 'openai', model: 'gpt-4o' };
const clock = systemClock();

/** What one process has; its own count would let everybody through a second time. */
async function openProcess(url: string) {
  const link = redisLink({ url, clock, log: () => {}, answerMs: 5_000 });
  let alone = 0;
  const memory = memoryWindowLimiter({ clock });
  const fallback: WindowLimiter = {
    take(...args) {
      alone += 1;
      return memory.take(...args);
    },
  };
  const windowLimiter = redisWindowLimiter({ link, fallback });
  for (let before = -1; before !== alone; ) {
    before = alone;
    await windowLimiter.take('ready', { most: 1_000, ms: 60_000 }, 1);
  }
  alone = 0;
  const set = { requestsPerMinute: new Map([['gpt-4o', 40]]), tokensPerMinute: new Map([['gpt-4o', 1_000_000]]) };
  return { limits: modelLimits({ clock, windowLimiter, ...set }), alone: () => alone, close: link.close };
}

type Process = Awaited<ReturnType<typeof openProcess>>;

async function waitOf({ limits }: Process, tokens: number): Promise<number> {
  const allowed = await limits.take(MODEL, tokens);
  return 'waitMs' in allowed ? allowed.waitMs : 0;
}

/** How long each of many takes, by turns, has to wait. */
const takeOften = (two: readonly [Process, Process], tokens: number) =>
  Promise.all(Array.from({ length: 60 }, (_, n) => waitOf(two[n % 2 === 0 ? 0 : 1], tokens)));
const through = (waits: readonly number[]) => waits.filter((waitMs) => waitMs === 0).length;

/** Two processes on a Redis of their own. On a machine that is busy Redis may be too slow to be waited for: once more then. */
async function withTwo(check: (two: readonly [Process, Process]) => Promise<void>): Promise<void> {
  const attempt = async () => {
    const server = await startRedis();
    const two = [await openProcess(server.url), await openProcess(server.url)] as const;
    try {
      await check(two);
      expect(two.map(({ alone }) => alone())).toEqual([0, 0]);
    } finally {
      await Promise.all(two.map(({ close }) => close()));
      await server.stop();
    }
  };
  await vi.waitFor(attempt, { timeout: 18_000 });
}

describeOnRedis('two processes', () => {
  test('have one limit of requests together', () =>
    withTwo(async (two) => {
      expect(through(await takeOften(two, 10))).toBe(40);
      expect(through(await takeOften(two, 10))).toBe(0);
    }));

  test('have one limit of tokens together, and who is refused for them takes no request', () =>
    withTwo(async (two) => {
      expect(await waitOf(two[0], 5_000_000)).toBe(0);
      const waits = await takeOften(two, 10);
      expect(through(waits)).toBe(0);
      // For minutes, so that it was the tokens.
      expect(Math.max(...waits)).toBeGreaterThan(60_000);
    }));
});
