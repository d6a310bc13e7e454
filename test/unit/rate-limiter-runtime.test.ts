/**
 * Which rate limiter a runtime has: one in memory, or Redis where it is set; that nothing connects before its use, and that
 * the limits of models are among what it limits.
 */
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { ADA } from '../support/core-world.ts';

const BOB = { ...ADA, tenant: 'other', user: 'bob' };
const RULE = { perMinute: 1, burst: 5 };

test('without REDIS_URL each runtime counts for itself', async () => {
  const config = readConfig({ DATABASE_URL: ':memory:' });
  const [first, second] = [await embeddedRuntime(config), await embeddedRuntime(config)];
  expect(await first.rateLimiter.take('user:ada', RULE)).toMatchObject({ remaining: 4 });
  expect(await first.rateLimiter.take('user:ada', RULE)).toMatchObject({ remaining: 3 });
  expect(await second.rateLimiter.take('user:ada', RULE)).toMatchObject({ remaining: 4 });
  await Promise.all([first.close(), second.close()]);
});

test('the limits of models hold for all jobs of a runtime', async () => {
  const settings = {
    DATABASE_URL: ':memory:',
    SIMULATED_MS: '0',
    LOG_LEVEL: 'error',
    REQUESTS_PER_MINUTE: 'simulated=1',
  };
  const runtime = await embeddedRuntime(readConfig(settings));
  const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' } };
  const jobs = [await runtime.service.submit(ADA, submission), await runtime.service.submit(BOB, submission)];
  for (const { job } of jobs) await runtime.worker.run(job);
  const [first, second] = [
    await runtime.service.read(ADA, jobs[0]?.job.id ?? ''),
    await runtime.service.read(BOB, jobs[1]?.job.id ?? ''),
  ];
  expect(first.job).toMatchObject({ state: 'completed', attempt: 1 });
  expect(second.job).toMatchObject({ state: 'pending', attempt: 0, nextAttemptAt: expect.any(Number) });
  expect((second.job.nextAttemptAt ?? 0) - second.job.createdAt).toBeGreaterThan(55_000);
  await runtime.close();
});

test('with REDIS_URL it asks there, from the first take on, until the runtime is closed', async () => {
  let connections = 0;
  let ended = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('close', () => {
      ended += 1;
    });
    socket.on('error', () => {}).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address && typeof address === 'object' ? address.port : 0;
  const settings = { DATABASE_URL: ':memory:', REDIS_URL: `redis://127.0.0.1:${port}`, LOG_LEVEL: 'error' };
  const runtime = await embeddedRuntime(readConfig(settings));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(connections).toBe(0);
  expect(await runtime.rateLimiter.take('user:ada', RULE)).toMatchObject({ allowed: true, remaining: 4 });
  await expect.poll(() => connections).toBe(1);
  await runtime.close();
  await expect.poll(() => ended).toBe(1);
  server.close();
});
