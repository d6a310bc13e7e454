/** Streams over sockets, where their ends are: clients that leave, a process that stops, proxies that close what is silent. */
import { Hono } from 'hono';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { type Listening, listen } from '../../infra/listen.ts';
import { readConfig } from '../../shared/config.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { respondWithEvents } from '../../shared/http/sse.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { request, submit } from '../support/http-client.ts';
import { openStream } from '../support/sse-client.ts';

const ANYWHERE = { host: '127.0.0.1', port: 0 };
/** Longer than a listener is kept for whoever comes back. */
const PATIENCE_MS = 12_000;

let runtime: EmbeddedRuntime;
let server: Listening;
beforeEach(async () => {
  runtime = await embeddedRuntime(readConfig({ DATABASE_URL: ':memory:', LOG_LEVEL: 'error', DRAIN_MS: '0' }));
  server = await listen(publicApp(runtime, EVERYTHING).fetch, ANYWHERE);
  runtime.start();
});
afterEach(async () => {
  runtime.service.close();
  await server.close();
  await runtime.close();
});

const slow = () =>
  submit(server.baseUrl, { ...request('simulated', 'Take your time. [simulate seconds=120]'), stream: true });

test('clients that leave, and those that asked for the head alone, take their listener along, though the job goes on', async () => {
  const id = await slow();
  const head = await fetch(`${server.baseUrl}/api/llm/jobs/${id}/stream/`, { method: 'HEAD' });
  expect(head.status).toBe(200);
  const streams = await Promise.all(Array.from({ length: 20 }, () => openStream(server.baseUrl, id)));
  for (const stream of streams) expect(await stream.next()).toMatchObject({ event: 'snapshot' });
  expect(runtime.service.listeners()).toBe(1);
  for (const stream of streams) stream.leave();
  await expect.poll(() => runtime.service.listeners(), { timeout: PATIENCE_MS }).toBe(0);
  const view = await (await fetch(`${server.baseUrl}/api/llm/jobs/${id}/status/`)).json();
  expect(view).toMatchObject({ status: 'processing' });
});

test('a service that stops ends its streams at once, and the server with them', async () => {
  const stream = await openStream(server.baseUrl, await slow());
  expect(await stream.next()).toMatchObject({ event: 'snapshot' });
  const stoppedMs = performance.now();
  runtime.service.close();
  const names: string[] = [];
  for (let heard = await stream.next(); heard; heard = await stream.next()) names.push(heard.event);
  await server.close();
  expect(names).not.toContain('done');
  // Nobody waited for the stream's own time, or for its job.
  expect(performance.now() - stoppedMs).toBeLessThan(5_000);
});

test('a stream on which nothing happens shows that it is alive, and ends when its time is over', async () => {
  const stop = new AbortController();
  const app = new Hono<HttpEnv>();
  app.get('/', (context) => respondWithEvents(context, silence(stop.signal), { stop, lifeMs: 600, heartbeatMs: 100 }));
  const silent = await listen(app.fetch, ANYWHERE);
  const text = await (await fetch(silent.baseUrl)).text();
  await silent.close();
  expect(text).toMatch(/^retry: \d+\n\n/);
  expect(text.split(': alive\n\n').length - 1).toBeGreaterThanOrEqual(2);
  expect(text).not.toContain('event:');
});

test('a client that reads nothing is not waited for when the time is over', async () => {
  const stop = new AbortController();
  let timers = 0;
  const app = new Hono<HttpEnv>();
  app.get('/', (context) => {
    const options = { stop, lifeMs: 200, heartbeatMs: 50, lastEventMs: 200 };
    return respondWithEvents(
      context,
      flood(stop.signal, () => void timers++),
      options,
    );
  });
  const response = await app.request('/');
  expect(response.status).toBe(200);
  // Nobody reads its body.
  await expect.poll(() => timers, { timeout: 5_000 }).toBe(1);
});

/** More than fits anywhere; says when it was ended. */
async function* flood(signal: AbortSignal, onEnd: () => void) {
  try {
    while (!signal.aborted) yield { event: 'delta', data: { text: 'x'.repeat(100_000) } };
  } finally {
    onEnd();
  }
}

/** No events, until it is stopped. */
async function* silence(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}
