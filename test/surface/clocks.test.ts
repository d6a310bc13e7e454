/** The four clocks of a job: what may be asked for, what is shown, and how each ends a job. In real time. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as app from '../support/app.ts';
import { general, openApp, pause, type Reply, SUBMIT, statusOf, type TestApp, TRAINER } from '../support/app.ts';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const JSON_TYPE = { 'Content-Type': 'application/json' };
const PUBLISHED_SCHEMA = '/api/llm/schemas/published-submission.json';
const DEFAULTS = { start_within: 86_400, timeout: 86_400, attempt_timeout: 540, idle_timeout: 240 };
const MOST = { start_within: 604_800, timeout: 604_800, attempt_timeout: 540, idle_timeout: 290 };
const NAMES = Object.keys(MOST) as (keyof typeof MOST)[];
const rangeOf = (name: keyof typeof MOST) => `must be a number of seconds from 1 to ${MOST[name]}`;
/** A clock of a second, plus a sweep, on a slow machine. */
const SOON_MS = 10_000;

/** The ways in: each with a body that is right without clocks. */
const DOORS: [string, string, () => string, object][] = [
  ['a submit', 'POST', () => SUBMIT, general({ prompt: 'Hello.' })],
  ['a PUT', 'PUT', () => `/api/llm/jobs/${crypto.randomUUID()}/`, general({ prompt: 'Hello.' })],
  ['a trainer analysis', 'POST', () => TRAINER, { model_id: 'simulated', full_input: 'Hello.' }],
];

let api: TestApp;
beforeAll(async () => {
  api = await openApp({ SWEEP_MS: '100' });
});
afterAll(() => api.close());

const send = (method: string, path: string, body: object): Promise<Reply> =>
  api.send(method, path, { body: JSON.stringify(body), headers: JSON_TYPE });

/** Submits a prompt under clocks and answers the job's id. */
async function submit(prompt: string, clocks: object, to: TestApp = api): Promise<string> {
  const { status, body } = await to.post(SUBMIT, { ...general({ prompt }), ...clocks });
  expect(status).toBe(202);
  return body.job_id;
}

async function viewOnce(id: string, wanted: (view: Reply['body']) => boolean, from = api): Promise<Reply['body']> {
  for (const until = performance.now() + SOON_MS; performance.now() < until; await pause(5)) {
    const { body } = await from.get(statusOf(id));
    if (wanted(body)) return body;
  }
  throw new Error('the job did not become as wanted');
}

describe.each(DOORS)('%s', (_, method, path, body) => {
  test.each(
    NAMES.flatMap((name) =>
      [0, 0.999, -1, MOST[name] + 0.5, 1e300, '5', 'soon', null, true, [5], {}].map((value) => [name, value] as const),
    ),
  )('with a %s of %j is 400, names the field and its range, and stores nothing', async (name, value) => {
    const before = (await api.get(`${app.LIST}?limit=100`)).body.jobs.length;
    const { status, body: refused } = await send(method, path(), { ...body, [name]: value });
    expect([status, refused.code]).toEqual([400, 'invalid_request']);
    expect(refused.details).toEqual([{ path: name, message: rangeOf(name) }]);
    expect(refused.error).toBe(`${name}: ${rangeOf(name)}`);
    expect((await api.get(`${app.LIST}?limit=100`)).body.jobs).toHaveLength(before);
  });

  test('with all four wrong names all four', async () => {
    const wrong = Object.fromEntries(NAMES.map((name) => [name, 0]));
    const { body: refused } = await send(method, path(), { ...body, ...wrong });
    const named = refused.details.map((detail: { path: string }) => detail.path);
    expect(named.sort()).toEqual([...NAMES].sort());
  });

  test.each([
    ['the most', MOST],
    ['the least', { start_within: 1, timeout: 1, attempt_timeout: 1, idle_timeout: 1 }],
    ['fractions', { start_within: 90.5, timeout: 120.25, attempt_timeout: 1.5, idle_timeout: 1.001 }],
  ])('with %s is taken, and its views show them', async (__, clocks) => {
    const { status, body: submitted } = await send(method, path(), { ...body, ...clocks });
    expect(status).toBe(202);
    expect(await api.poll(submitted.job_id)).toMatchObject({ status: 'completed', ...clocks });
  });

  test('without any gets the defaults, and with one keeps the others', async () => {
    const { body: plain } = await send(method, path(), body);
    expect(await api.poll(plain.job_id)).toMatchObject(DEFAULTS);
    const { body: own } = await send(method, path(), { ...body, timeout: 90 });
    expect(await api.poll(own.job_id)).toMatchObject({ ...DEFAULTS, timeout: 90 });
  });
});

test('a clock that is not in seconds, or within the input, is no known field', async () => {
  const { body } = await api.post(SUBMIT, { ...general({ prompt: 'Hello.', timeout: 5 }), timeout_ms: 5 });
  expect(body.details.map((detail: { path: string }) => detail.path).sort()).toEqual([
    'input_data.timeout',
    'timeout_ms',
  ]);
});

test('the same body under other clocks is another submission', async () => {
  const key = { 'Idempotency-Key': 'clocks-1' };
  const body = general({ prompt: 'Hello.' });
  const first = await api.post(SUBMIT, { ...body, timeout: 90 }, key);
  expect([first.status, (await api.post(SUBMIT, { ...body, timeout: 90 }, key)).body.job_id]).toEqual([
    202,
    first.body.job_id,
  ]);
  expect((await api.post(SUBMIT, { ...body, timeout: 91 }, key)).body.code).toBe('idempotency_conflict');
});

test('the description and the schema of published messages hold the four, with their ranges', async () => {
  const { body: published } = await api.get(PUBLISHED_SCHEMA);
  const { body: openapi } = await api.get('/openapi.json');
  const bodyOf = (path: string) => openapi.paths[path].post.requestBody.content['application/json'].schema;
  const submitted = bodyOf('/api/llm/jobs/submit');
  for (const branch of [
    ...(published.oneOf ?? published.anyOf),
    ...(submitted.oneOf ?? submitted.anyOf),
    bodyOf('/api/llm/trainer-analysis'),
  ]) {
    for (const name of NAMES) {
      expect(branch.properties[name]).toMatchObject({ type: 'number', minimum: 1, maximum: MOST[name] });
      expect(branch.properties[name].description).toContain(name === 'timeout' ? 'job_timeout' : '_timeout');
      expect(branch.required).not.toContain(name);
    }
  }
});

describe('in real time, a job', () => {
  test('that nobody takes in time ends with start_timeout, and its provider is never called', async () => {
    const busy = await openApp({ SWEEP_MS: '100', WORKER_CONCURRENCY: '1' });
    const blocking = await submit('[simulate seconds=60]', {}, busy);
    await viewOnce(blocking, (view) => view.status === 'processing', busy);
    const id = await submit('Hello.', { start_within: 1 }, busy);
    const ended = await viewOnce(id, (view) => view.is_complete, busy);
    expect(ended).toMatchObject({
      status: 'failed',
      error_code: 'start_timeout',
      error_message: 'No worker took the job within 1 s (start_within).',
      billing: 'none',
      attempts: [],
    });
    await busy.send('POST', app.cancelOf(blocking));
    await busy.close();
  });

  test('that takes longer than its timeout ends with job_timeout in the middle of a call', async () => {
    const id = await submit('[simulate seconds=60]', { timeout: 1.5 });
    const ended = await viewOnce(id, (view) => view.is_complete);
    expect(ended).toMatchObject({
      status: 'failed',
      error_code: 'job_timeout',
      billing: 'possible',
      attempts: [{ n: 1, calls: 1, outcome: 'failed', error_code: 'job_timeout' }],
    });
    expect(ended.processing_time).toBeGreaterThan(1);
    expect(ended.processing_time).toBeLessThan(SOON_MS / 1_000);
  });

  test('whose next attempt could only start when its time is over is not tried again', async () => {
    const id = await submit('[simulate fail=rate_limited retry_after=40]', { timeout: 2 });
    expect(await viewOnce(id, (view) => view.is_complete)).toMatchObject({
      status: 'failed',
      error_code: 'rate_limited',
      billing: 'none',
      attempts: [{ n: 1, outcome: 'failed' }],
    });
  });

  test.each([
    ['whose attempts take too long', 'attempt_timeout', '[simulate seconds=60]', 'within 1 s'],
    ['whose model is silent too long', 'idle_timeout', '[simulate seconds=100]', 'for 1 s'],
  ])('%s ends them with %s, and is tried again', async (_, clock, prompt, words) => {
    const id = await submit(prompt, { [clock]: 1, timeout: 4 });
    const waiting = await viewOnce(id, (view) => view.attempts[0]?.outcome !== undefined);
    expect(waiting.attempts[0]).toMatchObject({ n: 1, calls: 1, outcome: 'failed', error_code: clock });
    const ended = await viewOnce(id, (view) => view.is_complete);
    expect(ended.attempts.length).toBeGreaterThan(1);
    expect(['job_timeout', clock]).toContain(ended.error_code);
    if (ended.error_code === clock) expect(ended.error_message).toContain(words);
    expect(ended).toMatchObject({ status: 'failed', billing: 'possible' });
  });
});

describe('a job that waits between two attempts', () => {
  test.each([
    ['with its worker', 'retry_after=1.2', 2],
    ['without anybody', 'retry_after=31', 1],
  ])('%s is shown as processing, stage waiting, with the time of the next', async (_, script, attempts) => {
    const id = await api.submit(`Wait ${script}. [simulate seconds=0.3 fail=rate_limited times=1 ${script}]`);
    const calling = await viewOnce(id, (view) => view.stage === 'calling_llm');
    const waiting = await viewOnce(id, (view) => view.stage === 'waiting');
    expect(waiting).toMatchObject({
      status: 'processing',
      is_complete: false,
      next_attempt_at: TIME,
      message: 'Waiting to try again (rate_limited)',
    });
    expect(waiting).not.toHaveProperty('billing');
    expect(waiting.progress).toBeGreaterThanOrEqual(calling.progress);
    expect(waiting.version).toBeGreaterThan(calling.version);
    expect(waiting.attempts).toHaveLength(attempts);
    expect(waiting.attempts[0]).toMatchObject({ outcome: 'failed', error_code: 'rate_limited' });
    if (attempts === 1) {
      await api.send('POST', app.cancelOf(id));
      return;
    }
    const ended = await viewOnce(id, (view) => view.is_complete);
    expect(ended).toMatchObject({
      status: 'completed',
      billing: 'final',
      attempts: [
        { n: 1, outcome: 'failed' },
        { n: 2, outcome: 'completed' },
      ],
    });
    expect(ended.progress).toBeGreaterThanOrEqual(waiting.progress);
    expect(ended).not.toHaveProperty('next_attempt_at');
  });

  test('no poll sees its state, its version or its progress go back', async () => {
    const id = await api.submit('[simulate seconds=0.2 fail=overloaded times=2]');
    const seen: Reply['body'][] = [];
    for (
      const until = performance.now() + SOON_MS;
      performance.now() < until && !seen.at(-1)?.is_complete;
      await pause(3)
    ) {
      seen.push((await api.get(statusOf(id))).body);
    }
    const order = ['pending', 'processing', 'completed'];
    for (const [index, view] of seen.slice(1).entries()) {
      const before = seen[index];
      expect(order.indexOf(view.status)).toBeGreaterThanOrEqual(order.indexOf(before.status));
      expect(view.version).toBeGreaterThanOrEqual(before.version);
      expect(view.progress).toBeGreaterThanOrEqual(before.progress);
    }
    expect(seen.at(-1)).toMatchObject({ status: 'completed', attempts: [{}, {}, { outcome: 'completed' }] });
    expect(seen.some((view) => view.stage === 'waiting')).toBe(true);
  });
});
