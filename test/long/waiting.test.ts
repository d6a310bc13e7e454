/** Waiting over real sockets: a client that goes away, a crowd, and a process that is told to end. */
import { get, request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { type Listening, listen } from '../../infra/listen.ts';
import { readConfig } from '../../shared/config.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { pollUntil, request, submit, type View } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';

const LINGER_MS = 5_000;
const SLOW = 'Take your time. [simulate seconds=60]';

describe('over sockets,', () => {
  let runtime: EmbeddedRuntime;
  let server: Listening;
  beforeEach(async () => {
    const config = readConfig({
      PORT: '0',
      DATABASE_URL: ':memory:',
      LOG_LEVEL: 'error',
      SIMULATED_MS: '600',
      DRAIN_MS: '0',
    });
    runtime = await embeddedRuntime(config);
    server = await listen(publicApp(runtime, EVERYTHING).fetch, config);
    runtime.start();
  });
  afterEach(async () => {
    await Promise.all([server.close(), runtime.drain()]);
    await runtime.close();
  });

  const listeners = () => runtime.service.listeners();
  const statusUrl = (id: string, query = '') => `${server.baseUrl}/api/llm/jobs/${id}/status/${query}`;
  const read = async (url: string) => (await (await fetch(url)).json()) as View;

  test('clients that wait, for a change or with their submit, and disconnect leave no listener behind, but their jobs', async () => {
    const id = await submit(server.baseUrl, request('simulated', SLOW));
    await pollUntil(server.baseUrl, id, (view) => view.status === 'processing');
    const waiting = get(statusUrl(id, '?wait=55')).on('error', () => {});
    const jobId = crypto.randomUUID();
    const body = JSON.stringify(request('simulated', SLOW));
    const submitting = httpRequest(`${server.baseUrl}/api/llm/jobs/${jobId}/?wait=55`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
    });
    submitting.on('error', () => {}).end(body);
    await expect.poll(listeners).toBe(2);
    for (const client of [waiting, submitting]) client.destroy();
    await expect.poll(listeners, { timeout: 2 * LINGER_MS, interval: 100 }).toBe(0);
    for (const job of [id, jobId]) expect(await read(statusUrl(job))).toMatchObject({ status: 'processing' });
  });

  test('500 who wait for one job all see its end', async () => {
    const id = await submit(server.baseUrl, request('simulated', 'For all. [simulate seconds=4]'));
    await pollUntil(server.baseUrl, id, (view) => view.status === 'processing');
    const views = await Promise.all(Array.from({ length: 500 }, () => read(statusUrl(id, '?wait=55'))));
    expect(views.filter((view) => view.status === 'completed')).toHaveLength(500);
    expect(listeners()).toBe(0);
  }, 40_000);

  test('a submit that waits is answered with the result', async () => {
    const response = await fetch(`${server.baseUrl}/api/llm/jobs/submit/`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Prefer: 'wait=20' },
      body: JSON.stringify(request('simulated', 'Answer me.')),
    });
    expect([response.status, response.headers.get('Preference-Applied')]).toEqual([200, 'wait=20']);
    expect(await response.json()).toMatchObject({ status: 'completed', result_data: { success: true } });
  });
});

test('npm start that is told to end answers who waits at once, and ends', async () => {
  const environment = { PORT: String(await freePort()), DATABASE_URL: ':memory:', DRAIN_MS: '200' };
  const { baseUrl, child } = await startLocalProcess(environment);
  try {
    const id = await submit(baseUrl, request('simulated', SLOW));
    await pollUntil(baseUrl, id, (view) => view.status === 'processing');
    const held = fetch(`${baseUrl}/api/llm/jobs/${id}/status/?wait=55`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const toldMs = performance.now();
    const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill('SIGTERM');
    const response = await held;
    expect([response.status, ((await response.json()) as View).status]).toEqual([200, 'processing']);
    expect(performance.now() - toldMs).toBeLessThan(2_000);
    expect(await ended).toBe(0);
    // A connection that is kept for another request does not hold the process.
    expect(performance.now() - toldMs).toBeLessThan(2_000);
  } finally {
    await stopGroup(child);
  }
}, 40_000);
