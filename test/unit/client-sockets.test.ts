/** The client over real sockets: servers that say nothing, break off, refuse, die and come back. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createClient, type JobEvent, newJobId } from '../../shared/client/client.ts';
import { openApp } from '../support/app.ts';

const JOB = newJobId();
const view = { success: true, job_id: JOB, status: 'processing', is_complete: false, poll_after_ms: 300 };
const ended = { ...view, status: 'completed', is_complete: true, result_data: 'all' };

const open: Server[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await stop(server);
});

async function start(listener: RequestListener, port = 0): Promise<{ baseUrl: string; port: number; server: Server }> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  return { baseUrl: `http://127.0.0.1:${bound}`, port: bound, server };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

const event = (name: string, data: object, id?: number) =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n`;

test('a server that never answers: a call and a wait end when their time is up, and the socket is let go', async () => {
  let closed = 0;
  const { baseUrl } = await start((request) => request.socket.once('close', () => closed++));
  const jobs = createClient({ baseUrl });
  const startedMs = performance.now();
  await expect(jobs.get(JOB, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'no_answer', jobId: JOB });
  await expect(jobs.wait(JOB, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'wait_timeout', jobId: JOB });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  await expect.poll(() => closed).toBe(2);
});

test('a call without a limit has the time that its answer takes', async () => {
  const { baseUrl } = await start((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const text = JSON.stringify(ended);
    response.write(text.slice(0, 9), () => setTimeout(() => response.end(text.slice(9)), 50));
  });
  expect(await createClient({ baseUrl }).get(JOB, { timeoutMs: Number.POSITIVE_INFINITY })).toEqual(ended);
});

test('an abort closes the connection at which the job is waited for', async () => {
  const leaving = new AbortController();
  let isClosed = false;
  const { baseUrl } = await start((request) => {
    request.socket.once('close', () => {
      isClosed = true;
    });
    setTimeout(() => leaving.abort(), 20);
  });
  const waiting = createClient({ baseUrl }).wait(JOB, { signal: leaving.signal });
  const error: unknown = await waiting.catch((thrown) => thrown);
  expect(error).toBe(leaving.signal.reason);
  expect(error).toMatchObject({ name: 'AbortError' });
  await expect.poll(() => isClosed).toBe(true);
});

test('half a stream: it goes on after the last whole event, and a page that leaves closes it', async () => {
  const asked: string[] = [];
  let isClosed = false;
  const { baseUrl } = await start((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.once('close', () => {
      isClosed = asked.length === 2;
    });
    if (asked.length === 2) return void response.write(event('delta', { text: 'é' }, 3));
    response.write(
      `retry: 10\n\n${event('snapshot', { ...view, partial_result: 'a' }, 1)}${event('delta', { text: 'b' }, 2)}`,
    );
    const half = Buffer.from(event('delta', { text: 'é' }, 3)).subarray(0, 30);
    response.write(half, () => response.destroy());
  });
  const heard: JobEvent[] = [];
  for await (const one of createClient({ baseUrl }).stream(JOB)) {
    heard.push(one);
    if (heard.length === 3) break;
  }
  expect(heard.map((one) => 'soFar' in one && one.soFar)).toEqual(['a', 'ab', 'abé']);
  expect(asked[1]).toBe(`/api/llm/jobs/${JOB}/stream/?starting_after=2`);
  await expect.poll(() => isClosed).toBe(true);
});

test('429 with Retry-After is waited out; a call without the time for that ends at once, and says how long', async () => {
  const atMs: number[] = [];
  const { baseUrl } = await start((_, response) => {
    atMs.push(performance.now());
    if (atMs.length !== 2) {
      answer(response, 429, { success: false, error: 'Slow down.', code: 'rate_limited' }, { 'Retry-After': '1' });
    } else answer(response, 200, ended);
  });
  const jobs = createClient({ baseUrl });
  expect(await jobs.wait(JOB)).toEqual(ended);
  // Timers may be a millisecond early.
  expect((atMs[1] ?? 0) - (atMs[0] ?? 0)).toBeGreaterThanOrEqual(995);
  const startedMs = performance.now();
  const refused = { code: 'rate_limited', message: 'Slow down.', status: 429, retryAfterMs: 1_000, jobId: JOB };
  await expect(jobs.get(JOB, { timeoutMs: 900 })).rejects.toMatchObject(refused);
  expect(performance.now() - startedMs).toBeLessThan(900);
});

test('a server that dies in the middle of an answer and comes back is waited for', async () => {
  const first = await start((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.write('{"success":true,"job_id":', () => void stop(first.server));
  });
  const waiting = createClient({ baseUrl: first.baseUrl }).wait(JOB);
  await new Promise((resolve) => first.server.once('close', resolve));
  open.length = 0;
  await start((_, response) => answer(response, 200, ended), first.port);
  expect(await waiting).toEqual(ended);
});

test('a token that is refused is asked for once more, and only once', async () => {
  const presented: (string | undefined)[] = [];
  const { baseUrl } = await start(({ headers: { authorization } }: IncomingMessage, response) => {
    presented.push(authorization);
    if (authorization === 'Bearer new') answer(response, 200, ended);
    else answer(response, 401, { success: false, error: 'Sign in.', code: 'unauthenticated', reason: 'expired' });
  });
  const asked: boolean[] = [];
  const token = ({ isRefused }: { isRefused: boolean }) => {
    asked.push(isRefused);
    return isRefused ? 'new' : 'old';
  };
  expect(await createClient({ baseUrl, token }).get(JOB)).toEqual(ended);
  expect([asked, presented]).toEqual([
    [false, true],
    ['Bearer old', 'Bearer new'],
  ]);
  const stale = createClient({ baseUrl, token: async () => 'old' });
  await expect(stale.wait(JOB)).rejects.toMatchObject({ code: 'unauthenticated', reason: 'expired', status: 401 });
  expect(presented).toHaveLength(4);
});

test('whatever is asked, a page of another origin may: the API allows each method and header in its preflight', async () => {
  const app = await openApp({ CORS_ORIGINS: 'https://page.example' });
  try {
    const sent = new Set<string>();
    const asPage: typeof fetch = async (input, { method = 'GET', headers, body, signal } = {}) => {
      // Not held: then a wait has more than one question.
      const path = String(input)
        .slice('http://jobs.test'.length)
        .replace(/wait=\d+/, 'wait=0');
      const preflight = await app.app.request(path, {
        method: 'OPTIONS',
        headers: { Origin: 'https://page.example', 'Access-Control-Request-Method': method },
      });
      const listed = (name: string) => (preflight.headers.get(name) ?? '').toLowerCase().split(',');
      expect(listed('access-control-allow-methods')).toContain(method.toLowerCase());
      const names = Object.keys(headers ?? {}).map((name) => name.toLowerCase());
      for (const name of names) {
        sent.add(name);
        // That one a page may always send.
        if (name !== 'accept') expect(listed('access-control-allow-headers')).toContain(name);
      }
      const length = body ? { 'Content-Length': String(Buffer.byteLength(String(body))) } : {};
      return app.app.request(path, {
        method,
        headers: { ...headers, ...length },
        ...(body && { body }),
        ...(signal && { signal }),
      });
    };
    const jobs = createClient({ baseUrl: 'http://jobs.test', fetch: asPage, token: 'ignored' });
    const input_data = { prompt: 'Hello [simulate seconds=1]' };
    const { job_id } = await jobs.submit({
      job_type: 'general_llm_request',
      model_id: 'simulated',
      input_data,
      stream: true,
    });
    const waiting = jobs.wait(job_id, { onUpdate: () => {} });
    for await (const { type } of jobs.stream(job_id)) if (type === 'done') break;
    await waiting;
    await jobs.listPage({ limit: 1 });
    await jobs.cancel(job_id);
    await jobs.delete(job_id);
    expect([...sent].sort()).toEqual(['accept', 'authorization', 'content-type', 'if-none-match']);
  } finally {
    await app.close();
  }
});
