/** Batches over HTTP, on SQLite: what is accepted, what is refused, how far a batch is, and who may see it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alwaysAs } from '../../shared/http/auth.ts';
import { BATCH_BODY_BYTES_MOST } from '../../shared/http/body.ts';
import * as app from '../support/app.ts';
import { BATCH, general, LIST, openApp, type TestApp } from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { batchSuite } from './batch-suite.ts';
import { appOver, JSON_TYPE, PROMPT, type Refuse, refuser } from './counted-app.ts';

batchSuite('on SQLite', openApp);

describe('a batch is refused as a whole that', () => {
  let world: CoreWorld;
  let refuse: Refuse;
  beforeAll(() => {
    world = coreWorld();
    refuse = refuser(world);
  });
  afterAll(() => world.close());

  test.each<[string, unknown, string, string]>([
    ['holds no job', { jobs: [] }, 'jobs', 'must hold 1 to 500 jobs'],
    ['holds 501 jobs', { jobs: Array(501).fill(general(PROMPT)) }, 'jobs', 'must hold 1 to 500 jobs'],
    ['has no jobs', {}, 'jobs', 'is required, an array'],
    ['has jobs that are no list', { jobs: general(PROMPT) }, 'jobs', 'must be an array'],
    ['has another field', { jobs: [general(PROMPT)], priority: 1 }, 'priority', 'known fields: jobs'],
    ['is a list', [general(PROMPT)], '', 'must be an object'],
  ])('%s', async (_, sent, path, words) => {
    const { status, body } = await refuse('POST', BATCH, JSON.stringify(sent));
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.details).toEqual([{ path, message: expect.stringContaining(words) }]);
    expect(body).not.toHaveProperty('items');
  });

  test('has a wrong key, is too large, or is no JSON', async () => {
    const jobs = JSON.stringify({ jobs: [general(PROMPT)] });
    const keyed = await refuse('POST', BATCH, jobs, { ...JSON_TYPE, 'Idempotency-Key': 'x'.repeat(256) });
    expect(keyed.body.details[0].path).toBe('Idempotency-Key');
    const large = await refuse('POST', BATCH, JSON.stringify({ jobs: ['x'.repeat(BATCH_BODY_BYTES_MOST)] }));
    expect([large.status, large.body.code]).toEqual([413, 'input_too_large']);
    expect(large.body.error).toContain(`${BATCH_BODY_BYTES_MOST} bytes`);
    expect((await refuse('POST', BATCH, '{"jobs":[')).status).toBe(400);
    expect((await refuse('POST', BATCH, jobs, { 'Content-Type': 'text/plain' })).status).toBe(415);
  });

  test('holds only wrong jobs: the status is that of the first, and every job says why', async () => {
    const unavailable = general(PROMPT, 'gpt-4o-mini');
    const first = await refuse('POST', BATCH, JSON.stringify({ jobs: [unavailable, 5] }));
    expect(first.status).toBe(503);
    expect(first.headers.get('Retry-After')).toBe('60');
    expect(first.headers.get('Location')).toBeNull();
    expect(first.body).toEqual({
      success: false,
      error: expect.stringMatching(/^No job of the batch was accepted\. The first one: .*OPENAI_API_KEY/),
      code: 'model_unavailable',
      request_id: first.headers.get('X-Request-ID'),
      batch_id: expect.any(String),
      items: [
        { index: 0, success: false, error: expect.stringContaining('OPENAI_API_KEY'), code: 'model_unavailable' },
        {
          ...{ index: 1, success: false, error: 'must be an object', code: 'invalid_request' },
          details: [{ path: '', message: 'must be an object' }],
        },
      ],
      ...{ accepted: 0, rejected: 2, urls: { status: expect.stringContaining(BATCH) } },
    });
    const second = await refuse('POST', BATCH, JSON.stringify({ jobs: [5, unavailable] }));
    expect([second.status, second.body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('a wrong job spoils nothing, whatever is wrong with it:', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await openApp();
  });
  afterAll(() => api.close());

  const deep = JSON.stringify(general({ prompt: 'HERE' })).replace(
    '"HERE"',
    `${'['.repeat(9_000)}${']'.repeat(9_000)}`,
  );
  test.each<[string, string, number, string]>([
    ['a number', '5', 400, 'must be an object'],
    ['an unknown field', JSON.stringify({ ...general(PROMPT), colour: 1 }), 400, 'colour: is not a known field'],
    ['an unknown type', JSON.stringify({ ...general(PROMPT), job_type: 'x' }), 400, 'job_type: must be one of'],
    ['an unknown model', JSON.stringify(general(PROMPT, 'gpt-17')), 400, 'model_id: no such model'],
    ['a model without its key', JSON.stringify(general(PROMPT, 'gpt-4')), 503, 'OPENAI_API_KEY'],
    ['a wrong job_id', JSON.stringify({ ...general(PROMPT), job_id: '17' }), 400, 'job_id: must be a UUID of version'],
    [
      'an id and a key',
      JSON.stringify({ ...general(PROMPT), job_id: crypto.randomUUID(), idempotency_key: 'k' }),
      400,
      'beside job_id',
    ],
    [
      'half a character',
      '{"job_type":"general_llm_request","model_id":"simulated","input_data":{"prompt":"\\ud800"}}',
      400,
      'input_data.prompt: holds a lone surrogate',
    ],
    ['9,000 levels', deep, 400, 'levels deep'],
    [
      '40,000 values',
      JSON.stringify({ ...general(PROMPT), tags: Array(40_000).fill('x') }),
      400,
      'more than 30000 values',
    ],
  ])('%s', async (_, wrong, status, words) => {
    const good = JSON.stringify(general(PROMPT));
    const headers = { 'Content-Type': 'application/json' };
    const mixed = await api.send('POST', BATCH, { body: `{"jobs":[${good},${wrong},${good}]}`, headers });
    expect([mixed.status, mixed.body.accepted, mixed.body.rejected]).toEqual([202, 2, 1]);
    expect(mixed.body.items.map((item: { success: boolean }) => item.success)).toEqual([true, false, true]);
    expect(mixed.body.items[1].error).toContain(words);
    const alone = await api.send('POST', BATCH, { body: `{"jobs":[${wrong}]}`, headers });
    expect([alone.status, alone.body.code]).toEqual([status, mixed.body.items[1].code]);
  });

  test('a body that is no batch, sent to its path, is looked at as any other', async () => {
    const body = JSON.stringify(general({ prompt: 'HERE' })).replace('HERE', '\\ud800');
    const put = await api.send('PUT', BATCH, { body, headers: JSON_TYPE });
    expect([put.status, put.body.error]).toEqual([400, expect.stringContaining('lone surrogate')]);
  });

  test('jobs that hold more values together than anybody wants to look at are told so, the ones before are accepted', async () => {
    const big = general({ messages: Array(8_000).fill({ role: 'user', content: 'x' }) });
    const { body } = await api.post(BATCH, { jobs: [general(PROMPT), big, big, big, general(PROMPT)] });
    expect(body.items.map((item: { success: boolean }) => item.success)).toEqual([true, true, true, false, false]);
    expect(body.items[3].error).toContain('more than 60000 values; send this one in another batch');
    expect(body.items[4].error).toBe(body.items[3].error);
  });
});

describe('the view of a batch', () => {
  test('counts its jobs by state, and says when to come again until all are over', async () => {
    const world = coreWorld();
    const api = app.callsOf(appOver(world));
    const { body } = await api.post(BATCH, { jobs: Array.from({ length: 3 }, (_, n) => general({ prompt: `${n}` })) });
    const view = async () => api.get(body.urls.status);
    const counts = (over: object) => ({ pending: 0, processing: 0, completed: 0, failed: 0, cancelled: 0, ...over });
    const first = await view();
    expect(first.body).toEqual({
      ...{ success: true, batch_id: body.batch_id, total: 3, counts: counts({ pending: 3 }), percent: 0 },
      ...{ is_complete: false, poll_after_ms: 1_060, urls: { jobs: `${LIST}?batch_id=${body.batch_id}` } },
    });
    expect([first.status, first.headers.get('Retry-After')]).toEqual([200, '2']);
    await api.send('POST', app.cancelOf(body.items[2].job_id));
    await world.clock.until(world.run({ tenant: 'default', id: body.items[0].job_id }));
    expect((await view()).body).toMatchObject({
      ...{ counts: counts({ pending: 1, completed: 1, cancelled: 1 }), percent: 66, is_complete: false },
    });
    await world.clock.until(world.run({ tenant: 'default', id: body.items[1].job_id }));
    const last = await view();
    expect(last.body).toMatchObject({
      counts: counts({ completed: 2, cancelled: 1 }),
      percent: 100,
      is_complete: true,
    });
    expect(last.body).not.toHaveProperty('poll_after_ms');
    expect(last.headers.get('Retry-After')).toBeNull();
    expect((await api.get(last.body.urls.jobs)).body.jobs).toHaveLength(3);
    await world.clock.advance(31 * 86_400_000);
    expect((await view()).status).toBe(404);
    world.close();
  });

  test('is 404 for what is no batch, and for a batch of somebody else', async () => {
    const world = coreWorld();
    const mine = app.callsOf(appOver(world));
    const asUser = (user: string, over = {}) =>
      app.callsOf(appOver(world, { authenticate: alwaysAs({ ...ADA, user, ...over }) }));
    const { body } = await mine.post(BATCH, { jobs: [general(PROMPT)] }, { 'Idempotency-Key': 'k' });
    for (const id of [crypto.randomUUID(), 'x', '__proto__', '%00', body.items[0].job_id]) {
      const missing = await mine.get(`${BATCH}${id}/`);
      expect([missing.status, missing.body.code, missing.body.error]).toEqual([
        404,
        'batch_not_found',
        'Batch not found',
      ]);
    }
    expect((await mine.get(`${BATCH}${body.batch_id.toUpperCase()}`)).status).toBe(200);
    const bob = asUser('bob');
    expect((await bob.get(body.urls.status)).status).toBe(404);
    expect((await bob.get(`${LIST}?batch_id=${body.batch_id}`)).body.jobs).toEqual([]);
    expect((await asUser('ada', { tenant: 'other' }).get(body.urls.status)).status).toBe(404);
    expect((await asUser('eve', { scopes: ['admin'] }).get(body.urls.status)).body.total).toBe(1);
    // The same key of another user is another batch.
    const his = await bob.post(BATCH, { jobs: [general(PROMPT)] }, { 'Idempotency-Key': 'k' });
    expect(his.headers.get('Idempotency-Replayed')).toBeNull();
    expect(his.body.batch_id).not.toBe(body.batch_id);
    // An id of mine shows him nothing of my job.
    const taken = await bob.post(BATCH, {
      jobs: [{ ...general(PROMPT), job_id: crypto.randomUUID() }, general(PROMPT)],
    });
    const squat = await mine.post(BATCH, { jobs: [{ ...general(PROMPT), job_id: taken.body.items[0].job_id }] });
    expect([squat.status, squat.body.items[0].code]).toEqual([409, 'job_id_taken']);
    expect(squat.body.items[0]).not.toHaveProperty('job_id');
    world.close();
  });
});
