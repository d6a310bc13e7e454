/** A service whose Redis is killed, held and started again while it works: no job is late or lost, readers see misses. */
import { createConnection } from 'node:net';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import { CACHED_MS } from '../../shared/core/result-cache.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { plant } from '../support/canaries.ts';
import { describeOnRedis, type RedisServer, startRedis } from '../support/redis.ts';

const ADA: Principal = { tenant: 'default', user: 'ada', scopes: ['jobs:read', 'jobs:write'] };
const JOBS = 100;
const CALL_MS = 150;
/** Ten times what a call takes. */
const LATE_MS = 1_500;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describeOnRedis('100 jobs, in whose middle Redis', () => {
  let server: RedisServer;
  let runtime: EmbeddedRuntime;
  beforeAll(async () => {
    server = await startRedis();
    const environment = { DATABASE_URL: ':memory:', REDIS_URL: server.url, LOG_FORMAT: 'json' };
    const pace = { SIMULATED_MS: String(CALL_MS), WORKER_CONCURRENCY: '5' };
    runtime = await embeddedRuntime(readConfig({ ...environment, ...pace }));
    runtime.start();
  });
  afterAll(async () => {
    await runtime.close();
    await server.stop();
  });

  const submit = async () =>
    (
      await runtime.service.submit(ADA, {
        ...{ jobType: 'general_llm_request', model: 'simulated' },
        input: { prompt: `Say ${plant('prompt')}.` },
      })
    ).job;

  async function completed(jobs: readonly Job[]): Promise<Job[]> {
    const found = await runtime.service.readMany(
      ADA,
      jobs.map(({ id }) => id),
    );
    return found.flatMap((seen) => (seen?.job.state === 'completed' ? [seen.job] : []));
  }

  async function until(jobs: readonly Job[], count: number): Promise<Job[]> {
    for (let tries = 0; tries < 1_000; tries++, await pause(10)) {
      const done = await completed(jobs);
      if (done.length >= count) return done;
    }
    throw new Error('the jobs do not go on');
  }

  /** What a reader of ours sees, who is not kept waiting whatever Redis does. */
  async function look(job: Job | undefined): Promise<string | undefined> {
    if (!job) throw new Error('no job is completed');
    const startedMs = performance.now();
    const text = await runtime.resultCache.get(job);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    return text;
  }

  /** What Redis itself says to a connection. */
  function pinged(): Promise<string> {
    return new Promise((resolve) => {
      const socket = createConnection(server.port, '127.0.0.1', () => socket.write('PING\r\n'));
      const silence = setTimeout(() => end('silent'), 300);
      const end = (answer: string) => {
        clearTimeout(silence);
        socket.destroy();
        resolve(answer);
      };
      socket
        .on('data', (data) => end(data.toString()))
        .on('error', (error) => end('code' in error ? `${error.code}` : ''));
    });
  }

  test('is stopped, hangs and is started again: all complete in time, and afterwards results are found again', async () => {
    // The first connection takes its time, and the jobs do not wait for it.
    await expect.poll(async () => look(await again()), { timeout: 10_000 }).toBeDefined();
    const jobs = await Promise.all(Array.from({ length: JOBS }, submit));
    await until(jobs, 5);
    // On a machine that is busy one of them may not have been kept in its time.
    let first: Job | undefined;
    const findKept = async () => {
      for (const job of await completed(jobs)) if ((await look(job)) !== undefined) first = job;
      return first;
    };
    await expect.poll(findKept, { timeout: 5_000 }).toBeDefined();
    expect(await look(first)).toBe(JSON.stringify(first?.result));

    await server.kill();
    expect(await pinged()).toBe('ECONNREFUSED');
    const beforeKill = new Set((await completed(jobs)).map(({ id }) => id));
    const whileDown = (await until(jobs, beforeKill.size + 15)).filter(({ id }) => !beforeKill.has(id));
    expect([await look(first), await look(whileDown[0])]).toEqual([undefined, undefined]);
    expect(await pinged()).toBe('ECONNREFUSED');

    await server.start();
    // Results come again before it hangs: it is an open connection that says nothing.
    await expect.poll(async () => look((await completed(jobs)).at(-1)), { timeout: 5_000 }).toBeDefined();
    server.hold();
    expect(await pinged()).toBe('silent');
    const count = (await completed(jobs)).length;
    expect(count).toBeLessThan(JOBS - 20);
    expect(await look((await until(jobs, count + 15)).at(-1))).toBeUndefined();
    expect(await pinged()).toBe('silent');
    server.release();

    const all = await until(jobs, JOBS);
    expect(all).toHaveLength(JOBS);
    for (const { startedAt = 0, completedAt = 0, attempts } of all) {
      expect(attempts).toHaveLength(1);
      expect(completedAt - startedAt).toBeLessThan(LATE_MS);
    }
    // Another program looks for it under the bare key.
    await expect.poll(async () => look(await again()), { timeout: 5_000 }).toBeDefined();
    const last = await again();
    const client = await createClient({ url: server.url }).connect();
    await expect.poll(() => client.get(`result:${last.id}`)).toBe(JSON.stringify(last.result));
    const leftMs = await client.pTTL(`result:${last.id}`);
    expect(leftMs).toBeLessThanOrEqual(CACHED_MS);
    expect(leftMs).toBeGreaterThan(CACHED_MS - 60_000);
    client.destroy();
  });

  /** One more job, completed. */
  async function again(): Promise<Job> {
    const [done] = await until([await submit()], 1);
    if (!done) throw new Error('not completed');
    return done;
  }
});
