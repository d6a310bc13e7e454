/** A result that lies in parts: whole where one job is read, left out where many are shown, never a cut one for a whole. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { type Listening, listen } from '../../infra/listen.ts';
import { readConfig } from '../../shared/config.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import type { InParts } from '../../shared/core/part-set.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import { payloadOf } from '../../shared/core/whole.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { callsOf, cancelOf, general, LIST, type Reply, resultOf, SUBMIT, statusOf, streamOf } from '../support/app.ts';

const PROMPT = 'Write much. [simulate kilobytes=2000]';
const BYTES = 2_000 * 1_024;

let runtime: EmbeddedRuntime;
let app: ReturnType<typeof callsOf> & { app: HttpApp };
let server: Listening;
/** Two jobs with a result of 2 MB; the third part of the second one's is changed. */
let whole: string;
let damaged: string;
/** The view as it was polled first. */
let polled: Reply['body'];
let damages = 0;
let breaks = 0;
let loads = 0;

beforeAll(async () => {
  runtime = await embeddedRuntime(readConfig({ DATABASE_URL: ':memory:', SIMULATED_MS: '0', LOG_LEVEL: 'error' }));
  const http = publicApp({ ...runtime, service: { ...runtime.service, payload } }, EVERYTHING);
  app = { app: http, ...callsOf(http) };
  server = await listen(http.fetch, { host: '127.0.0.1', port: 0 });
  runtime.start();
  const submit = async () => (await app.post(`${SUBMIT}?wait=20`, general({ prompt: PROMPT }))).body;
  polled = await submit();
  whole = polled.job_id;
  damaged = (await submit()).job_id;
});
afterAll(async () => {
  await server.close();
  await runtime.close();
});

/** As the service reads it; of the damaged job, from a store that answers another text for one of its parts. */
async function payload(principal: Principal, job: Job, field: InParts): Promise<AsyncIterable<string>> {
  loads += 1;
  const texts = await runtime.service.payload(principal, job, field);
  if (job.id !== damaged) return texts;
  const stored: string[] = [];
  for await (const text of texts) stored.push(text);
  const parts: Pick<PartStore, 'get'> = { get: async (_, n) => changed(stored, n) };
  return payloadOf(parts as PartStore, job, field, () => {
    breaks += 1;
  });
}

function changed(stored: readonly string[], n: number): string | undefined {
  if (n !== 3) return stored[n - 1];
  damages += 1;
  return stored[n - 1]?.replace('simulated', 'fabricated');
}

/** What comes over a socket: the bytes, and whether they were all that was announced. */
function fetchRaw(path: string): Promise<{ announced: number; bytes: number; isBroken: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${server.baseUrl}${path}`, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.byteLength;
      });
      response.on('error', () => {});
      response.on('close', () =>
        resolve({ announced: Number(response.headers['content-length']), bytes, isBroken: !response.complete }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('the result of one job is the whole one, in its place, and its length is announced', async () => {
  const response = await app.app.request(resultOf(whole));
  const text = await response.text();
  const body = JSON.parse(text);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  expect(body).toMatchObject({ success: true, job_id: whole, status: 'completed', result_data: { success: true } });
  expect(body.result_data.result).toHaveLength(BYTES);
  // Byte for byte what would be written of it in one piece.
  expect(text).toBe(JSON.stringify(body));
  expect(Object.keys(body).indexOf('result_data')).toBe(4);
});

test('a status is the whole view, and says how large the result is', async () => {
  const { body, headers } = await app.get(statusOf(whole));
  expect(body).toEqual(polled);
  expect(body.result_bytes).toBe(Buffer.byteLength(JSON.stringify(body.result_data)));
  expect(body.result_data.result).toHaveLength(BYTES);
  expect(headers.get('etag')).toMatch(/^W\/"/);
});

test('who has seen it, or wants the headers alone, gets no body, and nothing is loaded', async () => {
  const { headers } = await app.get(statusOf(whole));
  const before = loads;
  const again = await app.get(statusOf(whole), { 'If-None-Match': `${headers.get('etag')}` });
  expect([again.status, again.body]).toEqual([304, undefined]);
  const response = await fetch(`${server.baseUrl}${resultOf(whole)}`, { method: 'HEAD' });
  const length = Number(response.headers.get('content-length'));
  expect([response.status, await response.text()]).toEqual([200, '']);
  expect(loads).toBe(before);
  expect(length).toBe(Buffer.byteLength(await (await fetch(`${server.baseUrl}${resultOf(whole)}`)).text()));
});

test('a submit that waits answers the whole view', async () => {
  const { status, body } = await app.post(`${SUBMIT}?wait=20`, general({ prompt: PROMPT }));
  expect(status).toBe(200);
  expect(body.result_data).toEqual(polled.result_data);
});

test('where many are shown, or a job is not read for its result, it is left out', async () => {
  const { body: list } = await app.get(LIST);
  const { body: some } = await app.get(`${LIST}?ids=${whole}`);
  const { body: cancelled } = await app.post(cancelOf(whole), {});
  for (const view of [...list.jobs, ...some.jobs, cancelled]) {
    expect(view).not.toHaveProperty('result_data');
    expect(view.result_bytes).toBe(polled.result_bytes);
    expect(view.urls.result).toBe(resultOf(view.job_id));
  }
  expect(list.jobs.length).toBeGreaterThanOrEqual(2);
});

test.each([
  ['result', resultOf],
  ['status', statusOf],
])('a damaged part breaks the connection of a %s, so that nobody takes the piece for the whole', async (_, pathOf) => {
  const before = damages;
  const broken = await fetchRaw(pathOf(damaged));
  expect([damages, breaks]).toEqual([before + 1, before + 1]);
  expect(broken.isBroken).toBe(true);
  expect(broken.bytes).toBeLessThan(broken.announced);
  expect(broken.announced).toBeGreaterThan(BYTES);
  const fine = await fetchRaw(pathOf(whole));
  expect(fine).toEqual({ announced: fine.bytes, bytes: fine.bytes, isBroken: false });
  await expect(fetch(`${server.baseUrl}${pathOf(damaged)}`).then((response) => response.text())).rejects.toThrow();
});

test('a job of /jobs has its result wherever it is read, or submitted again', async () => {
  const asked = { prompt: PROMPT, provider: 'simulated', model: 'simulated' };
  const key = { 'Idempotency-Key': crypto.randomUUID() };
  const { status, body } = await app.post('/jobs', asked, key);
  expect([status, body.status]).toEqual([202, 'pending']);
  await runtime.service.read({ tenant: 'default', user: 'local', scopes: ['jobs:read'] }, body.id, {
    ...{ waitMs: 20_000, until: 'over' },
  });
  const { body: read } = await app.get(`/jobs/${body.id}`);
  expect([read.status, read.result.length]).toEqual(['completed', BYTES]);
  const again = await app.post('/jobs', asked, key);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(again.body.result === read.result).toBe(true);
  const stream = await app.app.request(`/jobs/${body.id}/stream`, { headers: { 'Last-Event-ID': '1000000' } });
  const tokens = (await stream.text()).split('\n').flatMap((line) => /^data: (.*"token":.*)$/.exec(line)?.[1] ?? []);
  expect(tokens.map((data) => JSON.parse(data).token).join('') === read.result).toBe(true);
});

test('an input of 5 MB gets its answer of 7 MB', async () => {
  const prompt = `[simulate kilobytes=7000] ${'Große Frage? '.repeat(360_000)}`;
  expect(Buffer.byteLength(prompt)).toBeGreaterThan(5_000_000);
  const { status, body } = await app.post(`${SUBMIT}?wait=20`, general({ prompt }));
  expect([status, body.status]).toEqual([200, 'completed']);
  expect(body.result_data.result).toHaveLength(7_000 * 1_024);
});

test('an answer of 7 MB reaches whoever streams it, whole', async () => {
  const submitted = await app.post(SUBMIT, {
    ...general({ prompt: '[simulate kilobytes=7000 seconds=1]' }),
    stream: true,
  });
  const response = await app.app.request(streamOf(submitted.body.job_id));
  const events = (await response.text()).split('\n\n').map((frame) => ({
    name: /^event: (.*)$/m.exec(frame)?.[1],
    data: JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? 'null'),
  }));
  const deltas = events.filter(({ name }) => name === 'delta').map(({ data }) => data.text);
  const first = events.find(({ name }) => name === 'snapshot')?.data.partial_result ?? '';
  const last = events.filter(({ name }) => name !== undefined).at(-1);
  expect(deltas.length).toBeGreaterThan(20);
  expect(last).toMatchObject({ name: 'done', data: { status: 'completed' } });
  expect(`${first}${deltas.join('')}` === last?.data.result_data.result).toBe(true);
  expect(last?.data.result_data.result).toHaveLength(7_000 * 1_024);
});
