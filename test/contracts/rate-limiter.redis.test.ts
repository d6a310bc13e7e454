/** `RateLimiter` on a Redis server: shared by instances, and what happens while the server gives no answer. */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../infra/child-processes.ts';
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { redisLink } from '../../shared/adapters/redis-link.ts';
import { redisRateLimiter } from '../../shared/adapters/redis-rate-limiter.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import type { Clock, Log } from '../../shared/core/ports.ts';
import type { Rule } from '../../shared/core/rate-limits.ts';
import { describeOnRedis, type RedisServer, startRedis } from '../support/redis.ts';
import { rateLimiterContract } from './rate-limiter.ts';

const clock = systemClock();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const RULE: Rule = { perMinute: 1, burst: 1_000 };
/** Ten times what a take may wait for Redis. */
const SOON_MS = 1_000;

/** For what is not about time. */
const PATIENCE_MS = 5_000;

/** A limiter, what it says, and how often its fallback counted. */
function open(url: string, by: Clock = clock, answerMs?: number) {
  const lines: { event: string; reason: unknown }[] = [];
  const log: Log = (severity, event, fields) => {
    expect(severity).toBe('warning');
    lines.push({ event, reason: fields?.reason });
  };
  const memory = memoryRateLimiter({ clock });
  let fallbacks = 0;
  const fallback: typeof memory = {
    ...memory,
    take(...args) {
      fallbacks += 1;
      return memory.take(...args);
    },
  };
  const link = redisLink({ url, clock: by, log, ...(answerMs && { answerMs }) });
  const limiter = { ...redisRateLimiter({ link, fallback }), close: link.close };
  opened.push(limiter);
  return {
    limiter,
    lines,
    fallbacks: () => fallbacks,
    /** Takes until Redis answered. */
    async ready() {
      const before = () => fallbacks;
      for (let tries = 0; tries < 100; tries++, await pause(50)) {
        const counted = before();
        await limiter.take('ready', RULE);
        if (before() === counted) return;
      }
      throw new Error('Redis did not answer');
    },
  };
}
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((limiter) => limiter.close()));
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function timed<T>(work: Promise<T>): Promise<{ answer: T; tookMs: number }> {
  const startedMs = performance.now();
  return { answer: await work, tookMs: performance.now() - startedMs };
}

describeOnRedis('with a server', () => {
  rateLimiterContract('Redis, two instances', async () => {
    const server = await startRedis();
    const two = [open(server.url, clock, PATIENCE_MS), open(server.url, clock, PATIENCE_MS)] as const;
    opened.splice(0);
    await Promise.all(two.map(({ ready }) => ready()));
    const before = two.map(({ fallbacks }) => fallbacks());
    return {
      limiters: [two[0].limiter, two[1].limiter],
      wait: (ms) => pause(ms + 2),
      async close() {
        await Promise.all(two.map(({ limiter }) => limiter.close()));
        await server.stop();
        // It was Redis that counted, all the time.
        expect(two.map(({ fallbacks }) => fallbacks())).toEqual(before);
      },
    };
  });

  describe('and what it holds', () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await startRedis();
    });
    afterAll(() => server.stop());

    test('is one key for each bucket, which goes when the bucket is full again', async () => {
      const { limiter, ready } = open(server.url, clock, PATIENCE_MS);
      await ready();
      await limiter.take('user:ada', { perMinute: 60, burst: 10 }, 3);
      await limiter.take('user:bob', { perMinute: 60_000, burst: 10 });
      const client = await createClient({ url: server.url }).connect();
      const leftMs = await client.pTTL('llm-jobs:rate:user:ada');
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(3_000);
      await expect.poll(() => client.exists('llm-jobs:rate:user:bob')).toBe(0);
      client.destroy();
    });

    test('survives the loss of its script', async () => {
      const { limiter, ready, fallbacks } = open(server.url, clock, PATIENCE_MS);
      await ready();
      const before = fallbacks();
      const client = await createClient({ url: server.url }).connect();
      const loaded = async () => /number_of_cached_scripts:(\d+)/.exec(await client.info('memory'))?.[1];
      expect(await loaded()).toBe('1');
      await client.scriptFlush();
      expect(await loaded()).toBe('0');
      expect(await limiter.take('flushed', RULE)).toMatchObject({ allowed: true, remaining: 999 });
      expect(await limiter.take('flushed', RULE)).toMatchObject({ allowed: true, remaining: 998 });
      expect(fallbacks()).toBe(before);
      client.destroy();
    });

    test('a thing of another kind under its name is no answer, and costs the caller nothing', async () => {
      const client = await createClient({ url: server.url }).connect();
      await client.set('llm-jobs:rate:taken', 'text');
      client.destroy();
      const { limiter, ready, lines } = open(server.url, clock, PATIENCE_MS);
      await ready();
      expect(await limiter.take('taken', RULE)).toMatchObject({ allowed: true, remaining: 999 });
      expect(lines).toEqual([{ event: 'redis-unanswered', reason: 'WRONGTYPE' }]);
    });
  });

  test('a server that is killed: each counts for itself, with one warning; it comes back and is asked again', async () => {
    const server = await startRedis();
    const { limiter, ready, lines, fallbacks } = open(server.url);
    await ready();
    const before = fallbacks();
    expect(await limiter.take('user:ada', RULE, 400)).toMatchObject({ remaining: 600 });
    await server.kill();
    for (let n = 1; n <= 40; n++) {
      const { answer, tookMs } = await timed(limiter.take('user:ada', RULE));
      // The fallback's own count: what Redis knew is not known here.
      expect(answer).toMatchObject({ allowed: true, remaining: 1_000 - n });
      expect(tookMs).toBeLessThan(SOON_MS);
      await pause(50);
    }
    expect(fallbacks() - before).toBe(40);
    // On a machine that is busy the patience with the first one is over before its connection breaks.
    const reason = expect.stringMatching(/ECONNREFUSED|Socket|no-answer/);
    expect(lines).toEqual([{ event: 'redis-unanswered', reason }]);
    await server.start();
    await ready();
    const counted = fallbacks();
    expect(await limiter.take('user:ada', RULE)).toMatchObject({ remaining: 999 });
    expect(fallbacks()).toBe(counted);
    expect(lines).toHaveLength(1);
    await server.stop();
  });

  test('one that is killed in the middle of many takes: all are answered', async () => {
    const server = await startRedis();
    const { limiter, ready, fallbacks } = open(server.url);
    await ready();
    const before = fallbacks();
    server.hold();
    const takes = timed(Promise.all(Array.from({ length: 200 }, () => limiter.take('user:ada', RULE))));
    await server.kill();
    const { answer, tookMs } = await takes;
    expect(answer.every(({ allowed }) => allowed)).toBe(true);
    expect(fallbacks() - before).toBe(200);
    expect(tookMs).toBeLessThan(SOON_MS);
    await server.stop();
  });

  test('one that hangs costs each a tenth of a second at most, and most of them nothing; then it is asked again', async () => {
    const server = await startRedis();
    const { limiter, ready, lines, fallbacks } = open(server.url);
    await ready();
    const before = fallbacks();
    server.hold();
    const first = await timed(limiter.take('user:ada', RULE));
    expect(first.tookMs).toBeLessThan(SOON_MS);
    expect(first.tookMs).toBeGreaterThan(90);
    const next = await timed(Promise.all(Array.from({ length: 100 }, () => limiter.take('user:ada', RULE))));
    expect(next.tookMs).toBeLessThan(SOON_MS);
    expect(fallbacks() - before).toBe(101);
    expect(lines).toEqual([{ event: 'redis-unanswered', reason: 'no-answer' }]);
    server.release();
    await ready();
    await server.stop();
  });

  test('one that answered while this process was busy has answered', async () => {
    const server = await startRedis();
    const { limiter, ready, fallbacks } = open(server.url);
    await ready();
    const before = fallbacks();
    for (let turn = 1; turn <= 2; turn++) {
      const taken = limiter.take('user:ada', RULE);
      // By then the question is on its way, also on a machine that is busy with others.
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
      // Long enough for a server that has to wait for its turn on the machine.
      for (const until = performance.now() + 1_500; performance.now() < until; );
      expect(await taken).toMatchObject({ remaining: 1_000 - turn });
    }
    expect(fallbacks()).toBe(before);
    await server.stop();
  });

  test('a connection whose other end is gone without a word is given up for a new one', async () => {
    const server = await startRedis();
    const connections: Socket[] = [];
    const proxy = createServer((client) => {
      const behind = createConnection(server.port, '127.0.0.1');
      connections.push(client);
      for (const socket of [client, behind]) socket.on('error', () => {});
      client.pipe(behind).pipe(client);
    });
    let skippedMs = 0;
    const skipping = { ...clock, monotonicMs: () => clock.monotonicMs() + skippedMs };
    const { limiter, ready, fallbacks } = open(`redis://127.0.0.1:${await listening(proxy)}`, skipping);
    await ready();
    for (const socket of connections) socket.unpipe();
    const before = fallbacks();
    await limiter.take('user:ada', RULE);
    skippedMs += 2_000;
    await limiter.take('user:ada', RULE);
    expect([fallbacks() - before, connections.length]).toEqual([2, 1]);
    skippedMs += 4_000;
    await limiter.take('user:ada', RULE);
    skippedMs += 1_000;
    await ready();
    expect(connections).toHaveLength(2);
    await limiter.close();
    proxy.close();
    await server.stop();
  });

  test('one that wants another password is no answer, and the password is in no line', async () => {
    const server = await startRedis('--requirepass', 'right-password');
    const { limiter, lines } = open(`redis://:wrong-password@127.0.0.1:${server.port}`);
    expect((await limiter.take('user:ada', RULE)).allowed).toBe(true);
    await expect.poll(() => lines).toEqual([{ event: 'redis-unanswered', reason: 'WRONGPASS' }]);
    const { ready } = open(`redis://:right-password@127.0.0.1:${server.port}`);
    await ready();
    await server.stop();
  });
});

describe('without a server', () => {
  test('where nobody listens, each counts for itself at once', async () => {
    const { limiter, lines, fallbacks } = open(`redis://127.0.0.1:${await freePort()}`);
    // The first one waits for the client to be loaded, too.
    await limiter.take('user:ada', RULE);
    await expect.poll(() => lines).toEqual([{ event: 'redis-unanswered', reason: 'ECONNREFUSED' }]);
    const { tookMs, answer } = await timed(limiter.take('user:ada', RULE));
    expect(answer).toMatchObject({ allowed: true, remaining: 998 });
    expect(tookMs).toBeLessThan(SOON_MS);
    expect(fallbacks()).toBe(2);
  });

  test('where something takes the connection and says nothing, a take does not wait, and a close ends', async () => {
    let connections = 0;
    const mute = createServer(() => {
      connections += 1;
    });
    // A password makes the client wait for an answer before it is connected.
    const { limiter, fallbacks } = open(`redis://:x@127.0.0.1:${await listening(mute)}`);
    const { tookMs } = await timed(limiter.take('user:ada', RULE));
    expect(tookMs).toBeLessThan(SOON_MS);
    await expect.poll(() => connections).toBe(1);
    for (let n = 0; n < 20; n++) expect((await timed(limiter.take('user:ada', RULE))).tookMs).toBeLessThan(SOON_MS);
    expect(fallbacks()).toBe(21);
    const { tookMs: closedAfterMs } = await timed(limiter.close());
    expect(closedAfterMs).toBeLessThan(SOON_MS);
    mute.close();
  });

  test.each([1, 2, 5, 20])('a close %i ms after the first take leaves no connection behind', async (ms) => {
    let [begun, ended] = [0, 0];
    const mute = createServer((socket) => {
      begun += 1;
      socket
        .on('error', () => {})
        .on('close', () => {
          ended += 1;
        });
      socket.resume();
    });
    // It is loaded: the time is that of the connection.
    await import('redis');
    const { limiter } = open(`redis://127.0.0.1:${await listening(mute)}`);
    const taken = limiter.take('user:ada', RULE);
    await pause(ms);
    await limiter.close();
    await taken;
    await expect.poll(() => [begun, ended]).toEqual([1, 1]);
    mute.close();
  });

  test('after its close it still answers, and asks nobody', async () => {
    const { limiter, fallbacks, lines } = open(`redis://127.0.0.1:${await freePort()}`);
    await limiter.close();
    expect((await limiter.take('user:ada', RULE)).allowed).toBe(true);
    expect(fallbacks()).toBe(1);
    expect(lines).toEqual([]);
  });
});
