/** Polling and waiting over HTTP: what the headers say, and what is held back until there is something to say. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { general, SUBMIT, statusOf, TRAINER } from '../support/app.ts';
import { ADA, answer, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { interceptedWatch, secondService } from '../support/second-service.ts';
import { appOver } from './counted-app.ts';

const CALL_MS = 10_000;
const LINGER_MS = 5_000;
const PUT = () => `/api/llm/jobs/${crypto.randomUUID()}/`;

let world: CoreWorld;
let app: HttpApp;
beforeEach(() => {
  world = coreWorld(async function* () {
    await new Promise<void>((resolve) => world.clock.setTimer(resolve, CALL_MS));
    yield* answer();
  });
  app = appOver(world);
});
afterEach(() => world.close());

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
type Reply = { status: number; headers: Headers; body: any; text: string };
type Sent = { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal; through?: HttpApp };

async function send(method: string, path: string, { body, headers = {}, signal, through = app }: Sent = {}) {
  const text = JSON.stringify(body);
  const response = await through.request(path, {
    method,
    headers: {
      ...(text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(text.length) }),
      ...headers,
    },
    ...(text === undefined ? {} : { body: text }),
    ...(signal ? { signal } : {}),
  });
  const answered = await response.text();
  const reply: Reply = {
    ...{ status: response.status, headers: response.headers, text: answered },
    body: answered === '' ? undefined : JSON.parse(answered),
  };
  return reply;
}

const get = (path: string, sent: Sent = {}) => send('GET', path, sent);
const ifNoneMatch = (reply: Reply) => ({ 'If-None-Match': reply.headers.get('ETag') ?? '' });

/** Whether an answer is there already, without waiting for it. */
async function isAnswered(reply: Promise<unknown>): Promise<boolean> {
  await world.clock.advance(0);
  return Promise.race([reply.then(() => true), Promise.resolve(false)]);
}

describe('the status of a job', () => {
  test('says what it is, by a weak tag, when to look again, and that it is not to be stored', async () => {
    const { id } = await world.submit();
    const { status, headers, body } = await get(statusOf(id), { headers: { Origin: 'http://localhost:3000' } });
    expect([status, headers.get('ETag'), headers.get('Cache-Control')]).toEqual([200, 'W/"1.0"', 'no-store']);
    expect(headers.get('Retry-After')).toBe('1');
    expect(body.poll_after_ms).toBe(500);
    expect(headers.has('Preference-Applied')).toBe(false);
    for (const name of ['ETag', 'Retry-After', 'Preference-Applied']) {
      expect(headers.get('Access-Control-Expose-Headers')).toContain(name);
    }
  });

  test('that a client has is 304: no body, and the headers all the same', async () => {
    const { id } = await world.submit();
    const first = await get(statusOf(id));
    const { status, headers, text } = await get(statusOf(id), { headers: ifNoneMatch(first) });
    expect([status, text, headers.get('Content-Type')]).toEqual([304, '', null]);
    expect(headers.get('ETag')).toBe(first.headers.get('ETag'));
    expect([headers.get('Retry-After'), headers.get('Cache-Control')]).toEqual(['1', 'no-store']);
  });

  test.each(['"1.0"', '"other", W/"1.0"', '*'])('is 304 for %s, too', async (tag) => {
    const { id } = await world.submit();
    expect((await get(statusOf(id), { headers: { 'If-None-Match': tag } })).status).toBe(304);
  });

  test.each(['"other"', 'W/"1.7"', 'nonsense', 'W/"77.3"'])('is 200 for %s', async (tag) => {
    const { id } = await world.submit();
    expect((await get(statusOf(id), { headers: { 'If-None-Match': tag } })).body.version).toBe(1);
  });

  test('is not hidden when its state, or the progress it shows, has moved', async () => {
    const job = await world.submit();
    let before = await get(statusOf(job.id));
    const ran = world.run(job);
    await world.clock.advance(10);
    const seen = [before.headers.get('ETag')];
    for (let n = 0; n < 3; n++) {
      const reply = await get(statusOf(job.id), { headers: ifNoneMatch(before) });
      expect([reply.status, reply.body?.progress > before.body.progress]).toEqual([200, true]);
      expect((await get(statusOf(job.id), { headers: ifNoneMatch(reply) })).status).toBe(304);
      seen.push(reply.headers.get('ETag'));
      before = reply;
      await world.clock.advance(2_000);
    }
    expect(new Set(seen).size).toBe(4);
    await world.clock.until(ran);
  });

  test('says when a wait between two attempts is over, though nothing was written', async () => {
    world.close();
    world = coreWorld(async function* (_, signal, call) {
      await new Promise<void>((resolve, reject) => {
        world.clock.setTimer(resolve, call === 1 ? 0 : CALL_MS);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      if (call === 1) throw new ServiceError('overloaded', 'failed by the test');
      yield* answer();
    });
    app = appOver(world);
    const job = await world.submit('Hello.');
    const ran = world.run(job);
    // Progress that cannot move any more: only the wait is left to tell.
    const at95 = { 'If-None-Match': 'W/"3.95w", W/"3.95"' };
    await world.clock.advance(10);
    const waiting = await get(statusOf(job.id));
    expect(waiting.body).toMatchObject({ stage: 'waiting', version: 3 });
    expect(waiting.headers.get('ETag')).toMatch(/w"$/);
    expect((await get(statusOf(job.id), { headers: at95 })).status).toBe(304);
    await world.clock.advance(Date.parse(waiting.body.next_attempt_at) + 1_000 - world.clock.nowMs());
    const calling = await get(statusOf(job.id), { headers: { 'If-None-Match': 'W/"3.95w"' } });
    expect([calling.status, calling.body?.stage, calling.headers.get('ETag')]).toEqual([
      200,
      'calling_llm',
      'W/"3.95"',
    ]);
    await world.clock.until(ran);
  });

  test('of a job that is over asks for no other look, and can be 304', async () => {
    const job = await world.submit();
    await world.clock.until(world.run(job));
    const ended = await get(statusOf(job.id));
    expect([ended.headers.get('ETag'), ended.headers.has('Retry-After')]).toEqual(['W/"3.100"', false]);
    expect(ended.body).not.toHaveProperty('poll_after_ms');
    const again = await get(statusOf(job.id), { headers: ifNoneMatch(ended) });
    expect([again.status, again.headers.has('Retry-After')]).toEqual([304, false]);
  });

  test('rounds the seconds up: who keeps to them does not come too soon', async () => {
    const job = await world.submit();
    await world.clock.advance(10_000);
    const { headers, body } = await get(statusOf(job.id));
    expect([body.poll_after_ms, headers.get('Retry-After')]).toEqual([1_250, '2']);
  });
});

describe('a wait', () => {
  test.each<[string, Sent]>([
    ['?wait=30', {}],
    ['', { headers: { Prefer: 'wait=30' } }],
    ['', { headers: { Prefer: 'respond-async, wait="30"; x=y' } }],
  ])('%s %j ends with the change, when it happens', async (query, sent) => {
    const job = await world.submit();
    const first = await get(statusOf(job.id));
    const held = get(`${statusOf(job.id)}${query}`, { headers: { ...ifNoneMatch(first), ...sent.headers } });
    await world.clock.advance(5_000);
    expect(await isAnswered(held)).toBe(false);
    const ran = world.run(job);
    const { status, body, headers } = await world.clock.until(held);
    expect([status, body.status, world.clock.monotonicMs()]).toEqual([200, 'processing', 5_000]);
    expect(headers.get('Preference-Applied')).toBe(sent.headers ? 'wait=30' : null);
    await world.clock.until(ran);
  });

  test('in which nothing happens ends with 304, and with 200 where progress moved', async () => {
    const job = await world.submit();
    const held = get(`${statusOf(job.id)}?wait=3`, { headers: { 'If-None-Match': 'W/"1.0"' } });
    const nothing = await world.clock.until(held);
    expect([nothing.status, world.clock.monotonicMs(), nothing.headers.get('ETag')]).toEqual([304, 3_000, 'W/"1.0"']);
    const ran = world.run(job);
    await world.clock.advance(10);
    const first = await get(statusOf(job.id));
    const moved = get(`${statusOf(job.id)}?wait=3`, { headers: ifNoneMatch(first) });
    const { status, body } = await world.clock.until(moved);
    expect([status, body.version, body.progress > first.body.progress]).toEqual([200, 2, true]);
    await world.clock.until(ran);
  });

  test('without a tag ends with the next change from now on; of a job that is over, at once', async () => {
    const job = await world.submit();
    const ran = world.run(job);
    await world.clock.advance(10);
    const held = get(`${statusOf(job.id)}?wait=55`);
    expect((await world.clock.until(held)).body).toMatchObject({ status: 'completed', version: 3 });
    await ran;
    const endMs = world.clock.monotonicMs();
    expect(endMs).toBe(CALL_MS);
    expect((await world.clock.until(get(`${statusOf(job.id)}?wait=55`))).body.status).toBe('completed');
    expect(world.clock.monotonicMs()).toBe(endMs);
  });

  test('of the query stands above one in the header; the longest is 55 s', async () => {
    const { id } = await world.submit();
    const both = get(`${statusOf(id)}?wait=2`, { headers: { Prefer: 'wait=50' } });
    expect((await world.clock.until(both)).headers.has('Preference-Applied')).toBe(false);
    expect(world.clock.monotonicMs()).toBe(2_000);
    const long = get(statusOf(id), { headers: { Prefer: 'wait=3600' } });
    expect((await world.clock.until(long)).headers.get('Preference-Applied')).toBe('wait=55');
    expect(world.clock.monotonicMs()).toBe(57_000);
    const none = get(`${statusOf(id)}?wait=0`);
    expect((await none).status).toBe(200);
  });

  test('of a client that goes away leaves no listener', async () => {
    const { id } = await world.submit();
    const gone = new AbortController();
    const held = get(`${statusOf(id)}?wait=55`, { signal: gone.signal });
    await world.clock.advance(100);
    expect(world.service.listeners()).toBe(1);
    gone.abort();
    await held;
    await world.clock.advance(LINGER_MS);
    expect([world.service.listeners(), world.clock.monotonicMs()]).toEqual([0, 100 + LINGER_MS]);
  });

  test('for a job that is not there, or of somebody else, is 404', async () => {
    const foreign = sampleJob({ tenant: ADA.tenant, user: 'bob' });
    await world.store.create(foreign, null);
    for (const id of ['x', crypto.randomUUID(), foreign.id]) {
      const held = get(`${statusOf(id)}?wait=55`, { headers: { 'If-None-Match': 'W/"1.0"' } });
      expect((await world.clock.until(held)).status).toBe(404);
    }
    expect(world.clock.monotonicMs()).toBe(0);
  });
});

describe('a bad wait is refused, and nothing is stored:', () => {
  const ROUTES: [string, string, unknown][] = [
    ['GET', statusOf(crypto.randomUUID()), undefined],
    ['POST', SUBMIT, general({ prompt: 'Hi.' })],
    ['POST', TRAINER, { model_id: 'simulated', full_input: 'Hi.' }],
    ['PUT', PUT(), general({ prompt: 'Hi.' })],
  ];
  const BAD = ['abc', '-1', '1.5', '56', '', '1e1', '+5', '5&wait=6', '99999999999999999999'];

  test.each(ROUTES)('%s %s', async (method, path, body) => {
    for (const wait of BAD) {
      const reply = await send(method, `${path}?wait=${wait}`, { body });
      expect([wait, reply.status, reply.body.code]).toEqual([wait, 400, 'invalid_request']);
      expect([wait, reply.body.details]).toEqual([
        wait,
        [{ path: 'wait', message: 'must be a whole number from 0 to 55' }],
      ]);
    }
    for (const Prefer of ['wait=abc', 'wait=-1', 'wait=1.5', 'wait']) {
      const reply = await send(method, path, { body, headers: { Prefer } });
      expect([Prefer, reply.status]).toEqual([Prefer, 400]);
      expect(reply.body.details).toEqual([{ path: 'Prefer', message: expect.stringContaining('at most 55') }]);
    }
    expect([world.store.calls('create'), world.store.calls('get'), world.store.calls('watch')]).toEqual([0, 0, 0]);
  });
});

describe('a submit that waits', () => {
  const SUBMITS: [string, string, unknown][] = [
    ['POST', SUBMIT, general({ prompt: 'Hi.' })],
    ['POST', TRAINER, { model_id: 'simulated', full_input: 'Hi.' }],
    ['PUT', '', general({ prompt: 'Hi.' })],
  ];
  /** The next job that is submitted; hashing takes turns of the real event loop, but no time of this clock. */
  async function submitted() {
    for (;;) {
      const key = world.published.shift();
      if (key) return key;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  test.each(SUBMITS)('%s %s answers 200 with the status view when the job is over', async (method, path, body) => {
    const held = send(method, `${path || PUT()}?wait=30`, { body });
    const ran = world.run(await submitted());
    const { status, headers, body: view } = await world.clock.until(held);
    expect([status, view.status, view.is_complete, view.version]).toEqual([200, 'completed', true, 3]);
    expect(headers.get('Location')).toBe(statusOf(view.job_id));
    expect([headers.get('ETag'), headers.has('Retry-After')]).toEqual(['W/"3.100"', false]);
    expect(world.clock.monotonicMs()).toBe(CALL_MS);
    expect(view).toEqual((await get(statusOf(view.job_id))).body);
    await ran;
  });

  test.each(SUBMITS)(
    '%s %s answers 202 when the time is over first, as the job is then',
    async (method, path, body) => {
      const held = send(method, path || PUT(), { body, headers: { Prefer: 'wait=4' } });
      const ran = world.run(await submitted());
      const { status, headers, body: view } = await world.clock.until(held);
      expect([status, view.status, world.clock.monotonicMs()]).toEqual([202, 'processing', 4_000]);
      expect(view).not.toHaveProperty('is_complete');
      expect([headers.get('Preference-Applied'), headers.get('Retry-After')]).toEqual(['wait=4', '1']);
      expect(headers.get('Location')).toBe(statusOf(view.job_id));
      expect(view.poll_after_ms).toBeGreaterThanOrEqual(500);
      await world.clock.until(ran);
    },
  );

  test('that failed is 200, too: the job is over', async () => {
    world.close();
    world = coreWorld(async function* () {
      yield* [];
      throw new Error('failed by the test');
    });
    app = appOver(world);
    const held = send('POST', `${SUBMIT}?wait=55`, { body: { ...general({ prompt: 'Hi.' }), timeout: 10 } });
    const ran = world.run(await submitted());
    const { status, body } = await world.clock.until(held);
    expect([status, body.status]).toEqual([200, 'failed']);
    await ran;
  });

  test('without a wait is 202 at once, says when to look, and is so for a replay of a job that is over', async () => {
    const headers = { 'Idempotency-Key': 'once' };
    const first = await send('POST', SUBMIT, { body: general({ prompt: 'Hi.' }), headers });
    expect([first.status, first.headers.get('Retry-After'), first.body.poll_after_ms]).toEqual([202, '1', 500]);
    await world.clock.until(world.run({ tenant: ADA.tenant, id: first.body.job_id }));
    const again = await send('POST', SUBMIT, { body: general({ prompt: 'Hi.' }), headers });
    expect([again.status, again.body.status, again.headers.get('Idempotency-Replayed')]).toEqual([
      ...[202, 'completed', 'true'],
    ]);
    expect([again.headers.has('Retry-After'), again.body.poll_after_ms]).toEqual([false, undefined]);
  });

  test('and is a replay waits for the job that is there, or answers it at once when it is over', async () => {
    const headers = { 'Idempotency-Key': 'once' };
    const body = general({ prompt: 'Hi.' });
    const first = await send('POST', SUBMIT, { body, headers });
    const ran = world.run(await submitted());
    const held = send('POST', `${SUBMIT}?wait=55`, { body, headers });
    await expect.poll(() => world.store.calls('create')).toBe(2);
    const second = await world.clock.until(held);
    const endMs = world.clock.monotonicMs();
    await ran;
    const third = await send('POST', `${SUBMIT}?wait=55`, { body, headers });
    for (const reply of [second, third]) {
      expect([reply.status, reply.body.status, reply.body.job_id]).toEqual([200, 'completed', first.body.job_id]);
      expect(reply.headers.get('Idempotency-Replayed')).toBe('true');
    }
    expect([endMs, world.clock.monotonicMs()]).toEqual([CALL_MS, CALL_MS]);
  });

  test('is 202 when the store gives no answer while it waits: the job was accepted', async () => {
    const service = secondService(
      world,
      interceptedWatch(world, () => {}),
    );
    const through = appOver(world, { service });
    world.store.fail('get', 'before', { times: 99 });
    const held = send('POST', `${SUBMIT}?wait=30`, { body: general({ prompt: 'Hi.' }), through });
    const { status, headers, body } = await world.clock.until(held);
    expect(world.store.fired()).toBeGreaterThan(9);
    expect([status, body.status, headers.get('Retry-After')]).toEqual([202, 'pending', '1']);
    expect(headers.get('Location')).toBe(statusOf(body.job_id));
    service.close();
  });

  test('is 202 at once when the process ends', async () => {
    const held = send('POST', `${SUBMIT}?wait=30`, { body: general({ prompt: 'Hi.' }) });
    await submitted();
    expect(await isAnswered(held)).toBe(false);
    world.service.close();
    expect((await held).status).toBe(202);
    expect(world.clock.monotonicMs()).toBe(0);
  });
});

test('through two processes, one of which hears late, no reader is shown an older version, or less progress', async () => {
  let kept = 0;
  const late = secondService(
    world,
    interceptedWatch(world, (found, tell) => {
      kept += 1;
      // What it hears is old: its time is behind, too.
      world.clock.setTimer(() => tell(found), 900);
    }),
  );
  const apps = [app, appOver(world, { service: late })];
  const job = await world.submit();
  const gone = new AbortController();
  const companions = apps.map((through) => get(`${statusOf(job.id)}?wait=55`, { through, signal: gone.signal }));
  await world.clock.advance(1_000);
  const ran = world.run(job);
  const read = async () => {
    let before = { version: 0, progress: 0 };
    let headers = {};
    let replies304 = 0;
    for (let n = 0; ; n++) {
      const reply = await get(`${statusOf(job.id)}${n % 5 === 0 ? '?wait=1' : ''}`, {
        headers,
        through: apps[n % 2] ?? app,
      });
      if (reply.status === 304) replies304 += 1;
      else {
        expect(reply.body.version).toBeGreaterThanOrEqual(before.version);
        expect(reply.body.progress).toBeGreaterThanOrEqual(before.progress);
        before = reply.body;
        headers = ifNoneMatch(reply);
        if (reply.body.is_complete) return { polls: n, replies304 };
      }
      expect(reply.headers.get('ETag')).toBe(`W/"${before.version}.${before.progress}"`);
      await new Promise<void>((resolve) => world.clock.setTimer(resolve, 31));
    }
  };
  const { polls, replies304 } = await world.clock.until(read());
  expect(polls).toBeGreaterThan(30);
  expect(replies304).toBeGreaterThan(10);
  expect(kept).toBeGreaterThan(0);
  gone.abort();
  await world.clock.until(Promise.all([ran, ...companions]));
  late.close();
});

test('the description names the wait, the headers and the 304', async () => {
  const { body } = await get('/openapi.json');
  const status = body.paths['/api/llm/jobs/{job_id}/status'].get;
  expect(Object.keys(status.responses)).toEqual(expect.arrayContaining(['200', '304', '400', '404']));
  const names = (operation: { parameters: { name: string; in: string }[] }) =>
    operation.parameters.map((parameter) => `${parameter.in} ${parameter.name}`).sort();
  expect(names(status)).toEqual(['header if-none-match', 'header prefer', 'path job_id', 'query wait']);
  expect(names(body.paths['/api/llm/jobs/submit'].post)).toEqual([
    'header idempotency-key',
    'header prefer',
    'query wait',
  ]);
  expect(names(body.paths['/api/llm/jobs/{job_id}'].put)).toEqual(['header prefer', 'path job_id', 'query wait']);
});
