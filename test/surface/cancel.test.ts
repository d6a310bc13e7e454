/** `POST /api/llm/jobs/{id}/cancel/`: the end of a job in every state, as often as wanted, and what a cancel may hold. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alwaysAs } from '../../shared/http/auth.ts';
import * as app from '../support/app.ts';
import {
  cancelOf,
  general,
  openApp,
  pause,
  type Reply,
  resultOf,
  SUBMIT,
  statusOf,
  type TestApp,
} from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver, JSON_TYPE } from './counted-app.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const NOBODYS = '00000000-0000-4000-8000-000000000000';
/** A call that is broken off ends its job in milliseconds; the call alone would take much longer. */
const SOON_MS = 3_000;
const SLOW = '[simulate seconds=60]';

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
  // The first call loads its provider, which may take long on a busy machine.
  await api.poll(await api.submit('Hello.'));
});
afterAll(() => api.close());

const cancel = (id: string): Promise<Reply> => api.send('POST', cancelOf(id));

async function viewOnce(id: string, wanted: (view: Reply['body']) => boolean): Promise<Reply['body']> {
  for (const until = performance.now() + SOON_MS; performance.now() < until; await pause(5)) {
    const { body } = await api.get(statusOf(id));
    if (wanted(body)) return body;
  }
  throw new Error('the job did not become as wanted');
}

async function running(prompt = SLOW): Promise<string> {
  const id = await api.submit(prompt);
  await viewOnce(id, (view) => view.status === 'processing');
  return id;
}

describe('a job that nobody has taken', () => {
  let world: CoreWorld;
  beforeAll(() => {
    world = coreWorld();
  });
  afterAll(() => world.close());

  test('is over with the answer, and the provider is never called', async () => {
    const job = await world.submit();
    const response = await appOver(world).request(cancelOf(job.id), { method: 'POST' });
    const view = (await response.json()) as Reply['body'];
    expect(response.status).toBe(200);
    expect(view).toMatchObject({
      success: true,
      job_id: job.id,
      status: 'cancelled',
      is_complete: true,
      progress: 100,
      message: 'Cancelled',
      billing: 'none',
      attempts: [],
      version: 2,
      completed_at: TIME,
    });
    for (const absent of ['result_data', 'error_code', 'cancel_requested_at', 'started_at', 'stage'])
      expect(view).not.toHaveProperty(absent);
    expect(await world.run(job)).toEqual({ refused: 'done' });
    await world.clock.advance(100_000_000);
    expect(world.calls()).toBe(0);
  });

  test.each<[string, string | undefined, Record<string, string>]>([
    ['without a body', undefined, {}],
    ['without a body, but with its type', undefined, JSON_TYPE],
    ['with an empty body', '', JSON_TYPE],
    ['with an empty object', '{}', JSON_TYPE],
    ['with an empty body in chunks', '', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' }],
  ])('is cancelled %s', async (_, body, headers) => {
    const job = await world.submit();
    const length = body === undefined ? {} : { 'Content-Length': String(body.length) };
    const init = { method: 'POST', headers: { ...length, ...headers }, ...(body === undefined ? {} : { body }) };
    const response = await appOver(world).request(cancelOf(job.id), init);
    expect([response.status, ((await response.json()) as Reply['body']).status]).toEqual([200, 'cancelled']);
  });

  test.each<[string, string, Record<string, string>, number, string, string]>([
    ['a field nobody knows', '{"reason":"late"}', JSON_TYPE, 400, 'invalid_request', 'reason: is not a known field'],
    ['a list', '[]', JSON_TYPE, 400, 'invalid_request', 'must be an object'],
    ['no JSON', '{', JSON_TYPE, 400, 'invalid_request', 'not valid JSON'],
    ['a body of no type', '{}', {}, 415, 'unsupported_media_type', 'application/json'],
    ['text', 'now', { 'Content-Type': 'text/plain' }, 415, 'unsupported_media_type', 'application/json'],
  ])('stays as it is when the cancel holds %s', async (_, body, headers, status, code, words) => {
    const job = await world.submit();
    const updates = world.store.calls('update');
    const sized = { 'Content-Length': String(body.length), ...headers };
    const response = await appOver(world).request(cancelOf(job.id), { method: 'POST', headers: sized, body });
    const refused = (await response.json()) as Reply['body'];
    expect([response.status, refused]).toEqual([status, expect.objectContaining({ success: false, code })]);
    expect(refused.error).toContain(words);
    expect(world.store.calls('update')).toBe(updates);
    expect((await world.read(job)).state).toBe('pending');
  });

  test('of another user is not found, and stays', async () => {
    const job = await world.submit();
    const eve = appOver(world, { authenticate: alwaysAs({ ...ADA, user: 'eve' }) });
    const response = await eve.request(cancelOf(job.id), { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ code: 'job_not_found' })]);
    expect((await world.read(job)).state).toBe('pending');
  });

  test('that the store could not be told of: 503, to be asked again', async () => {
    const job = await world.submit();
    world.store.fail('update', 'before', { times: 5 });
    const response = await appOver(world).request(cancelOf(job.id), { method: 'POST' });
    expect(response.status).toBe(503);
    expect(response.headers.get('Retry-After')).toBe('1');
    expect(await response.json()).toMatchObject({ code: 'store_unavailable', error: expect.stringContaining('again') });
    expect(world.store.fired()).toBe(5);
  });
});

describe('a job whose call is being made', () => {
  test('is told with the answer, and over soon after; what was used is not known', async () => {
    const id = await running();
    // Claimed, and a moment later called.
    await pause(200);
    const { status, body } = await cancel(id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ job_id: id, status: 'processing', is_complete: false, cancel_requested_at: TIME });
    expect(body.message).toBe('Being cancelled');
    const ended = await viewOnce(id, (view) => view.is_complete);
    expect(ended).toMatchObject({
      status: 'cancelled',
      message: 'Cancelled',
      progress: 100,
      billing: 'possible',
      attempts: [{ n: 1, calls: 1, outcome: 'cancelled', error_code: 'cancelled', ended_at: TIME }],
    });
    expect(ended.version).toBeGreaterThan(body.version);
    for (const absent of ['result_data', 'error_code', 'cancel_requested_at', 'stage', 'next_attempt_at'])
      expect(ended).not.toHaveProperty(absent);
    const result = await api.get(resultOf(id));
    expect([result.status, result.body.code, result.body.status]).toEqual([409, 'job_not_complete', 'cancelled']);
  });

  test('is cancelled once, however often it is asked for', async () => {
    const id = await running();
    const replies = await Promise.all([1, 2, 3, 4, 5].map(() => cancel(id)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const ended = await viewOnce(id, (view) => view.is_complete);
    expect(ended).toMatchObject({ status: 'cancelled', version: 4, attempts: [{ n: 1, outcome: 'cancelled' }] });
    expect((await cancel(id)).body).toEqual(ended);
  });

  test('leaves the others alone', async () => {
    const [mine, other] = [await running(), await running('Stay. [simulate seconds=1]')];
    await cancel(mine);
    expect(await api.poll(other)).toMatchObject({ status: 'completed', attempts: [{ n: 1, calls: 1 }] });
    expect(await api.poll(mine)).toMatchObject({ status: 'cancelled' });
  });
});

describe('a job that waits between two attempts', () => {
  test.each([
    ['with its worker', 'retry_after=20'],
    ['without anybody', 'retry_after=300'],
  ])('%s is over soon, and the next call is never made', async (_, script) => {
    const id = await api.submit(`Wait. [simulate fail=rate_limited ${script}]`);
    const waiting = await viewOnce(id, (view) => view.stage === 'waiting');
    expect(waiting).toMatchObject({ status: 'processing', next_attempt_at: TIME });
    expect((await cancel(id)).status).toBe(200);
    const ended = await viewOnce(id, (view) => view.is_complete);
    expect(ended).toMatchObject({ status: 'cancelled', billing: 'none' });
    // The provider refused the first one; the second was recorded, if at all, and taken back.
    expect(ended.attempts.map((attempt: { calls: number }) => attempt.calls)).toEqual(
      script.endsWith('=20') ? [1, 0] : [1],
    );
    expect(ended).not.toHaveProperty('next_attempt_at');
  });
});

describe('a job that is over', () => {
  test.each([
    ['completed', 'Done.'],
    ['failed', '[simulate fail=auth]'],
  ])('stays %s: 200, unchanged', async (state, prompt) => {
    const id = await api.submit(prompt);
    const ended = await api.poll(id);
    expect(ended.status).toBe(state);
    for (let times = 0; times < 2; times++) {
      const { status, body } = await cancel(id);
      expect([status, body]).toEqual([200, ended]);
    }
    expect((await api.get(statusOf(id))).body).toEqual(ended);
  });
});

test.each([NOBODYS, NOBODYS.replaceAll('-', ''), 'x', '__proto__', '%00', '%', 'a%2Fb'])(
  'there is no job %s to cancel: 404',
  async (id) => {
    const { status, body } = await cancel(id);
    expect([status, body.code, body.error]).toEqual([404, 'job_not_found', 'Job not found']);
  },
);

test.each(['GET', 'PUT', 'DELETE'])('%s does not cancel: 405', async (method) => {
  const { status, headers } = await api.send(method, cancelOf(NOBODYS));
  expect([status, headers.get('Allow')?.split(', ')]).toEqual([405, ['POST']]);
});

test('every view says where to cancel, and a cancelled job is found by its status', async () => {
  const { body: submitted } = await api.post(SUBMIT, general({ prompt: SLOW }));
  expect(submitted.urls.cancel).toBe(cancelOf(submitted.job_id));
  await api.send('POST', submitted.urls.cancel);
  const ended = await api.poll(submitted.job_id);
  expect(ended.urls.cancel).toBe(submitted.urls.cancel);
  const listed = await api.get(`${app.LIST}?status=cancelled&limit=1`);
  expect(listed.body.jobs).toEqual([ended]);
});
