/** What goes out with a request, and what of an answer is believed. */
import { getEventListeners } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { alwaysActive, createClient, newJobId, type Submission } from '../../shared/client/client.ts';
import { answeredClient, outcomeOf } from '../support/answered-client.ts';
import { settle } from '../support/scripted-fetch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const JOB = newJobId();
const OTHER = newJobId();
const view = { success: true, job_id: JOB, status: 'processing', is_complete: false };
const ended = { ...view, status: 'completed', is_complete: true };
const clientOf = (
  options: Parameters<typeof answeredClient>[0],
  answer: Parameters<typeof answeredClient>[1] = () => Response.json(ended),
) => answeredClient(options, answer);
const SUBMISSION: Submission = {
  ...{ job_type: 'general_llm_request', model_id: 'simulated' },
  input_data: { prompt: 'Say hello.' },
};

test('a header of the caller replaces the one that would be sent, in whatever case it is written', async () => {
  const { jobs, sent } = clientOf({ token: 'ours', headers: { authorization: 'Basic theirs', 'X-CSRFToken': 'c' } });
  await jobs.submit(SUBMISSION, { jobId: JOB });
  expect(sent[0]?.headers).toEqual({
    ...{ authorization: 'Basic theirs', 'x-csrftoken': 'c', 'content-type': 'application/json' },
  });
  const made = clientOf({ headers: () => ({ traceparent: 't' }), credentials: 'include' });
  await made.jobs.get(JOB);
  expect(made.sent[0]).toMatchObject({ headers: { traceparent: 't' }, credentials: 'include', cache: 'no-store' });
});

test.each([undefined, null, ''])('no token, such as %j, is no header', async (nothing) => {
  for (const token of [nothing, () => nothing, async () => nothing]) {
    const { jobs, sent } = clientOf({ token: token as never });
    await jobs.get(JOB);
    expect(sent[0]?.headers).toEqual({});
  }
});

test('what cannot be sent is said at once, not tried for minutes: a token, a header, what makes the headers', async () => {
  const bad = clientOf({ token: 'ключ' });
  const error = await bad.jobs.wait(JOB).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'invalid_request', details: [{ path: 'headers.Authorization' }] });
  expect(error.message).not.toContain('ключ');
  const mine = new Error('No cookie.');
  const throwing = clientOf({
    headers() {
      throw mine;
    },
  });
  await expect(throwing.jobs.wait(JOB)).rejects.toBe(mine);
  expect([bad.sent, throwing.sent]).toEqual([[], []]);
});

test.each([
  ...['http://a.test?b=c', 'http://a.test/b#c', 'http://user:password@a.test', 'ftp://a.test', 'a.test', ''],
  ...['http://', '//a.test', 'javascript:alert(1)'],
])('%j is no base URL', (baseUrl) => {
  expect(() => createClient({ baseUrl })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

test('a base URL may have a path, and ends in slashes as it likes', async () => {
  for (const baseUrl of ['http://a.test:81/b', 'http://a.test:81/b//']) {
    const { jobs, sent } = clientOf({ baseUrl });
    await jobs.get(JOB);
    expect(sent[0]?.url).toBe(`http://a.test:81/b/api/llm/jobs/${JOB}/status/`);
  }
});

test('a path cannot lead to another host, which would get the token', async () => {
  const { jobs, sent } = clientOf({ token: 'secret' });
  for (const path of ['.evil.test/', '@evil.test/', ':81/', '', undefined])
    await expect(jobs.request({ path: path as string })).rejects.toMatchObject({ code: 'invalid_request' });
  expect(sent).toEqual([]);
});

test.each(['-1', -1, 1.5, Number.NaN, '5&wait=0', null])(
  'a stream after the event %j is not asked for',
  (startingAfter) => {
    const { jobs } = clientOf({});
    expect(() => jobs.stream(JOB, { startingAfter: startingAfter as number })).toThrow('startingAfter');
  },
);

test('a token that comes after the signal is not sent', async () => {
  let give = (_: string) => {};
  const token = () =>
    new Promise<string>((resolve) => {
      give = resolve;
    });
  const { jobs, sent } = clientOf({ token });
  const leaving = new AbortController();
  const waiting = jobs.wait(JOB, { signal: leaving.signal }).catch((error) => error.name);
  await settle();
  leaving.abort();
  expect(await waiting).toBe('AbortError');
  give('late');
  await settle();
  expect(sent).toEqual([]);
});

test('a refusal whose rest is cut off is a refusal all the same', async () => {
  const cut = () => {
    const body = new ReadableStream({ start: (stream) => stream.error(new TypeError('terminated')) });
    return new Response(body, { status: 401 });
  };
  const { jobs } = clientOf({ token: async () => 'old' }, (nth) => (nth === 1 ? cut() : Response.json(ended)));
  expect(await jobs.wait(JOB)).toEqual(ended);
});

test.each([
  [
    'a date, by the clock of whoever set it',
    60_000,
    { 'Retry-After': 'Tue, 14 Nov 2023 22:14:20 GMT', Date: 'Tue, 14 Nov 2023 22:13:20 GMT' },
  ],
  ['part of a second', 1_500, { 'Retry-After': '1.5' }],
  ['no time', undefined, { 'Retry-After': 'soon' }],
  ['no number that there is', undefined, { 'Retry-After': '9'.repeat(400) }],
])('a hint that is %s', async (_, retryAfterMs, headers) => {
  const { jobs } = clientOf({}, () => Response.json({ code: 'no' }, { status: 400, headers }));
  expect((await outcomeOf(jobs.get(JOB))).error).toMatchObject({ code: 'no', retryAfterMs });
});

test.each([
  ['something else', {}],
  ['a list', []],
  ['another job', { ...ended, job_id: OTHER }],
  ['a hint that is none', { ...ended, poll_after_ms: 'soon' }],
])('%s is no answer about a job: nothing counts as submitted, cancelled or deleted', async (_, answer) => {
  const { jobs, sent } = clientOf({}, () => Response.json(answer));
  const calls = [
    () => jobs.submit(SUBMISSION, { jobId: JOB }),
    ...[() => jobs.get(JOB), () => jobs.result(JOB), () => jobs.cancel(JOB), () => jobs.delete(JOB)],
    ...[() => jobs.retry(JOB), () => jobs.jobToken(JOB)],
  ];
  for (const call of calls) expect(await outcomeOf(call())).toMatchObject({ code: 'bad_answer' });
  expect(sent.length).toBeGreaterThan(calls.length);
});

test('the answer to a retry is about the new job; ids may be written in capitals; a list has jobs', async () => {
  const retried = clientOf({}, () => Response.json({ ...view, job_id: OTHER, retry_of: JOB }));
  expect(await retried.jobs.retry(JOB.toUpperCase())).toMatchObject({ job_id: OTHER });
  expect(await clientOf({}).jobs.wait(JOB.toUpperCase())).toEqual(ended);
  const { jobs } = clientOf({}, () => Response.json({ success: true }));
  expect(await outcomeOf(jobs.list().next())).toMatchObject({ code: 'bad_answer' });
  expect((await outcomeOf(jobs.request({ path: '/api/llm/models/' }))).value).toEqual({ success: true });
});

test.each(['soon', {}, null, '5'])('a server that hints %j is not asked without a pause', async (poll_after_ms) => {
  const { jobs, sent } = clientOf({ visibility: alwaysActive }, () => Response.json({ ...view, poll_after_ms }));
  expect(await outcomeOf(jobs.wait(JOB, { timeoutMs: 10_000 }))).toMatchObject({ code: 'wait_timeout' });
  expect(sent.length).toBeLessThan(8);
});

test('hundreds of waits on one signal leave nothing in it, fifty at a time warn of nothing, and one abort ends them all', async () => {
  vi.useRealTimers();
  const warned: string[] = [];
  const warn = (warning: Error) => void warned.push(warning.message);
  process.on('warning', warn);
  const living = new AbortController();
  const { signal } = living;
  const shape = () => {
    const all = Object.getOwnPropertySymbols(signal).map((key) => Reflect.get(signal, key)?.size ?? 0);
    return [getEventListeners(signal, 'abort').length, all.reduce((sum, size) => sum + size, 0)];
  };
  const { jobs } = clientOf({});
  for (let n = 0; n < 5; n += 1) {
    const waits = Array.from({ length: 50 }, () => jobs.wait(JOB, { signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await Promise.all(waits);
  }
  for await (const _ of jobs.stream(JOB, { signal, timeoutMs: 5_000 })) break;
  expect(shape()).toEqual([0, 0]);
  const silent = clientOf({}, () => new Promise<never>(() => {}));
  const waits = Array.from({ length: 50 }, () => silent.jobs.wait(JOB, { signal }).catch((error) => error.name));
  // One that ends does not take the others' listener along.
  await jobs.wait(JOB, { signal });
  living.abort();
  expect(new Set(await Promise.all(waits))).toEqual(new Set(['AbortError']));
  await new Promise(setImmediate);
  process.off('warning', warn);
  expect([getEventListeners(signal, 'abort').length, warned]).toEqual([0, []]);
});

test('what is not read to its end is let go: a page in place of a stream', async () => {
  vi.useRealTimers();
  let closed = 0;
  const server = createServer((request, response) => {
    if (!request.url?.includes('/stream/')) return void response.end(JSON.stringify(ended));
    request.socket.once('close', () => closed++);
    response.writeHead(200, { 'Content-Type': 'text/html' }).write('<html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const jobs = createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const types: string[] = [];
  for await (const { type } of jobs.stream(JOB)) types.push(type);
  expect(types).toEqual(['done']);
  await expect.poll(() => closed).toBe(1);
  server.closeAllConnections();
  server.close();
});

test('what makes something without an id is sent once: nobody knows whether it was done', async () => {
  const down = () => Response.json({ code: 'store_unavailable', error: 'Away.' }, { status: 503 });
  const post = { method: 'POST', path: '/api/llm/jobs/submit/', body: '{}' } as const;
  const once = clientOf({}, down);
  const refused = expect(once.jobs.request(post)).rejects.toMatchObject({ code: 'store_unavailable' });
  await vi.advanceTimersByTimeAsync(60_000);
  await refused;
  expect(once.sent).toHaveLength(1);
  const keyed = clientOf({}, down);
  const tried = expect(keyed.jobs.request({ ...post, headers: { 'Idempotency-Key': 'k' } })).rejects.toThrow('Away.');
  await vi.advanceTimersByTimeAsync(60_000);
  await tried;
  expect(keyed.sent.length).toBeGreaterThan(2);
});
