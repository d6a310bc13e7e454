/** `ResultCache` on a Redis server: shared by instances and other programs, and what happens while it gives no answer. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { redisLink } from '../../shared/adapters/redis-link.ts';
import { redisRateLimiter } from '../../shared/adapters/redis-rate-limiter.ts';
import { redisResultCache } from '../../shared/adapters/redis-result-cache.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import type { Log } from '../../shared/core/ports.ts';
import { CACHED_MS } from '../../shared/core/result-cache.ts';
import { plant } from '../support/canaries.ts';
import { describeOnRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { resultCacheContract } from './result-cache.ts';

const clock = systemClock();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** Ten times what an answer may take. */
const SOON_MS = 1_000;
/** For what is not about time. */
const PATIENCE_MS = 5_000;
const newKey = (tenant = 'default') => ({ tenant, id: crypto.randomUUID() });
const TEXT = '{"sentiment":"positive"}';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((link) => link.close()));
});

/** A cache that was answered once, and what is said of it. */
async function open(url: string, answerMs?: number) {
  const lines: string[] = [];
  const log: Log = (...line) => void lines.push(JSON.stringify(line));
  const link = redisLink({ url, clock, log, ...(answerMs && { answerMs }) });
  opened.push(link);
  const cache = redisResultCache(link);
  async function ready(): Promise<void> {
    const key = newKey();
    for (let tries = 0; tries < 100; tries++, await pause(50)) {
      await cache.put(key, 'ready', 60_000);
      if ((await cache.get(key)) === 'ready') return;
    }
    throw new Error('Redis did not answer');
  }
  await ready();
  return { cache, link, lines, ready };
}

async function timed<T>(work: Promise<T>): Promise<{ answer: T; tookMs: number }> {
  const startedMs = performance.now();
  return { answer: await work, tookMs: performance.now() - startedMs };
}

describeOnRedis('with a server', () => {
  resultCacheContract('Redis, two instances', async () => {
    const server = await startRedis();
    const two = [await open(server.url, PATIENCE_MS), await open(server.url, PATIENCE_MS)] as const;
    opened.splice(0);
    return {
      caches: [two[0].cache, two[1].cache],
      wait: pause,
      async close() {
        await Promise.all(two.map(({ link }) => link.close()));
        await server.stop();
      },
    };
  });

  describe('and what other programs find there', () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.stop());

    test('is the text under result:{job_id}, with the tenant between where it is not the default one', async () => {
      const { cache } = await open(server.url, PATIENCE_MS);
      const [ours, theirs] = [newKey(), newKey('acme')];
      await cache.put(ours, TEXT, CACHED_MS);
      await cache.put(theirs, 'Zoë 😀', CACHED_MS);
      const get = (key: string) =>
        promisify(execFile)('redis-cli', ['-p', String(server.port), '--raw', 'GET', key]).then(({ stdout }) => stdout);
      expect(await get(`result:${ours.id}`)).toBe(`${TEXT}\n`);
      expect(await get(`result:acme:${theirs.id}`)).toBe('Zoë 😀\n');
      expect(await get(`result:${theirs.id}`)).toBe('\n');
    });

    test('is there for an hour', async () => {
      const { cache } = await open(server.url, PATIENCE_MS);
      const key = newKey();
      await cache.put(key, TEXT, CACHED_MS);
      const client = await createClient({ url: server.url }).connect();
      const leftMs = await client.pTTL(`result:${key.id}`);
      client.destroy();
      expect(leftMs).toBeLessThanOrEqual(3_600_000);
      expect(leftMs).toBeGreaterThan(3_600_000 - 10_000);
    });

    test('and a thing of another kind under that name is a miss, which is put in its place, and costs rate limits nothing', async () => {
      const { cache, link, lines } = await open(server.url, PATIENCE_MS);
      const client = await createClient({ url: server.url }).connect();
      const key = newKey();
      await client.hSet(`result:${key.id}`, 'a', 'b');
      expect(await cache.get(key)).toBeUndefined();
      expect(lines).toEqual([JSON.stringify(['warning', 'redis-unanswered', { reason: 'WRONGTYPE' }])]);
      let fallbacks = 0;
      const memory = memoryRateLimiter({ clock });
      const fallback: typeof memory = {
        ...memory,
        take(...args) {
          fallbacks += 1;
          return memory.take(...args);
        },
      };
      const limiter = redisRateLimiter({ link, fallback });
      expect(await limiter.take('user:ada', { perMinute: 1, burst: 5 })).toMatchObject({ remaining: 4 });
      expect(fallbacks).toBe(0);
      await cache.put(key, TEXT, CACHED_MS);
      expect(await cache.get(key)).toBe(TEXT);
      client.destroy();
    });
  });

  test('one that is killed is a miss at once; it comes back empty, and is asked again', async () => {
    const server = await startRedis();
    const { cache, ready, lines } = await open(server.url);
    const [key, word] = [newKey(), plant('result')];
    await cache.put(key, word, CACHED_MS);
    await server.kill();
    for (let n = 0; n < 20; n++) {
      const { answer, tookMs } = await timed(
        Promise.all([cache.get(key), cache.put(key, word, CACHED_MS), cache.remove(key)]),
      );
      expect(answer).toEqual([undefined, undefined, undefined]);
      expect(tookMs).toBeLessThan(SOON_MS);
    }
    expect(lines).toEqual([expect.stringContaining('redis-unanswered')]);
    await server.start();
    await ready();
    expect(await cache.get(key)).toBeUndefined();
    await cache.put(key, word, CACHED_MS);
    expect(await cache.get(key)).toBe(word);
    expect(lines.join()).not.toContain(word);
    await server.stop();
  });

  test('one that hangs costs a tenth of a second at most, and most calls nothing; then it is asked again', async () => {
    const server = await startRedis();
    const { cache, ready, lines } = await open(server.url);
    const [key, word] = [newKey(), plant('result')];
    await cache.put(key, word, CACHED_MS);
    server.hold();
    const first = await timed(cache.get(key));
    expect(first.answer).toBeUndefined();
    expect(first.tookMs).toBeGreaterThan(90);
    const next = await timed(Promise.all(Array.from({ length: 100 }, () => cache.put(newKey(), word, CACHED_MS))));
    expect(first.tookMs + next.tookMs).toBeLessThan(SOON_MS);
    expect(lines).toEqual([expect.stringContaining('no-answer')]);
    server.release();
    await ready();
    expect(await cache.get(key)).toBe(word);
    expect(lines.join()).not.toContain(word);
    await server.stop();
  });
});
