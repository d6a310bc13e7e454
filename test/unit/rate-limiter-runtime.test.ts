/** Which rate limiter a runtime has: one in memory, or Redis where it is set; and that nothing connects before its use. */
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { embeddedRuntime } from '../../shared/runtime.ts';

const RULE = { perMinute: 1, burst: 5 };

test('without REDIS_URL each runtime counts for itself', async () => {
  const config = readConfig({ DATABASE_URL: ':memory:' });
  const [first, second] = [await embeddedRuntime(config), await embeddedRuntime(config)];
  expect(await first.rateLimiter.take('user:ada', RULE)).toMatchObject({ remaining: 4 });
  expect(await first.rateLimiter.take('user:ada', RULE)).toMatchObject({ remaining: 3 });
  expect(await second.rateLimiter.take('user:ada', RULE)).toMatchObject({ remaining: 4 });
  await Promise.all([first.close(), second.close()]);
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
