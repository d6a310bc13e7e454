/** `store: false` over HTTP: what is shown before and after the payloads went, and what a submit may say. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { READ_GRACE_MS, UNREAD_MS } from '../../shared/core/payloads.ts';
import { sweep } from '../../shared/core/sweep.ts';
import * as app from '../support/app.ts';
import { BATCH, callsOf, general, LIST, resultOf, SUBMIT, statusOf, TRAINER } from '../support/app.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver, JSON_TYPE } from './counted-app.ts';

const FLEETING = { ...general({ prompt: 'Secret.' }), store: false };

let world: CoreWorld;
let api: ReturnType<typeof callsOf>;
beforeEach(() => {
  world = coreWorld();
  api = callsOf(appOver(world));
});
afterEach(() => world.close());

async function completed(): Promise<string> {
  const { body } = await api.post(SUBMIT, FLEETING);
  expect(body).toMatchObject({ status: 'pending', store: false });
  await world.run({ tenant: 'default', id: body.job_id });
  return body.job_id;
}

test('is shown, and the result is given for a minute after it was read, then never again', async () => {
  const id = await completed();
  const { headers, body } = await api.get(statusOf(id));
  expect(headers.get('Cache-Control')).toBe('no-store');
  expect(body).toMatchObject({ status: 'completed', store: false, result_data: { result: 'Hi!' }, message: 'Done' });
  expect(body).not.toHaveProperty('payloads_removed_at');
  await world.clock.advance(READ_GRACE_MS - 10);
  expect((await api.get(resultOf(id))).body).toMatchObject({ result_data: { result: 'Hi!' }, store: false });

  await world.clock.advance(10);
  const seen = [];
  for (const isSwept of [false, true]) {
    if (isSwept) expect(await sweep(world)).toMatchObject({ removed: 1 });
    const gone = await api.get(resultOf(id));
    expect([gone.status, gone.body.code]).toEqual([404, 'result_removed']);
    expect(gone.body.error).toMatch(/store: false.*read/);
    const view = await api.get(statusOf(id));
    expect(view.body).not.toHaveProperty('result_data');
    expect(view.body).toMatchObject({
      ...{ status: 'completed', is_complete: true, store: false, payloads_removed_at: expect.any(String) },
      message: 'Done; the result was removed (store: false)',
    });
    expect((await api.get(LIST)).body.jobs).toEqual([view.body]);
    expect((await api.get(`${LIST}?ids=${id}`)).body.jobs).toEqual([view.body]);
    // Who has the view with the result does not take this one for it.
    expect(view.headers.get('ETag')).not.toBe(headers.get('ETag'));
    expect((await api.get(statusOf(id), { 'If-None-Match': view.headers.get('ETag') ?? '' })).status).toBe(304);
    seen.push(view.body);
  }
  // Nobody sees whether the sweeper was late.
  expect(seen[0]).toEqual(seen[1]);
  expect(JSON.stringify(await world.store.getWithInput({ tenant: 'default', id }))).not.toMatch(/Secret|Hi!/);
});

test('unread, it is given for an hour', async () => {
  const id = await completed();
  await world.clock.advance(UNREAD_MS - 10);
  expect(await sweep(world)).toMatchObject({ removed: 0 });
  await world.clock.advance(10);
  expect((await api.get(resultOf(id))).status).toBe(404);
  expect(await sweep(world)).toMatchObject({ removed: 1 });
  expect(await sweep(world)).toMatchObject({ removed: 0 });
});

test('an idle sweep is one query; a removal is one write more, and a first read one read and one write', async () => {
  const id = await completed();
  const costs = () => ['due', 'get', 'getMany', 'update'].map((method) => world.store.calls(method as 'get'));
  const costOf = async (action: () => Promise<unknown>) => {
    const before = costs();
    await action();
    return costs().map((calls, index) => calls - (before[index] ?? 0));
  };
  expect(await costOf(() => sweep(world))).toEqual([1, 0, 0, 0]);
  expect(await costOf(() => api.get(statusOf(id)))).toEqual([0, 1, 1, 1]);
  expect(await costOf(() => api.get(statusOf(id)))).toEqual([0, 1, 0, 0]);
  await world.clock.advance(READ_GRACE_MS);
  expect(await costOf(() => sweep(world))).toEqual([1, 0, 0, 1]);
  expect(await costOf(() => sweep(world))).toEqual([1, 0, 0, 0]);
});

test('memory keeps no job of the kind: every poll of one that is over asks the store', async () => {
  const [fleeting, kept] = [await completed(), (await world.submit('Keep.')).id];
  await world.run({ tenant: 'default', id: kept });
  for (const [id, reads] of [
    [fleeting, 3],
    [kept, 1],
  ] as const) {
    const before = world.store.calls('get');
    for (let times = 0; times < 3; times++) await api.get(statusOf(id));
    expect(world.store.calls('get') - before).toBe(reads);
  }
});

describe('a submit', () => {
  let open: app.TestApp;
  beforeAll(async () => {
    open = await app.openApp();
  });
  afterAll(() => open.close());

  test('may say it everywhere; `true` is as good as nothing', async () => {
    const trainer = { model_id: 'simulated', full_input: 'Hello.', store: false };
    expect((await open.post(TRAINER, trainer)).body.store).toBe(false);
    const batch = (await open.post(BATCH, { jobs: [FLEETING, { ...FLEETING, store: true }] })).body;
    expect(batch.items.map(({ store }: { store?: boolean }) => store)).toEqual([false, undefined]);
    const put = await open.send('PUT', `/api/llm/jobs/${crypto.randomUUID()}`, {
      body: JSON.stringify(FLEETING),
      headers: JSON_TYPE,
    });
    expect(put.body.store).toBe(false);
    const key = { 'Idempotency-Key': 'k' };
    const ids = [];
    for (const store of [undefined, true]) {
      ids.push((await open.post(SUBMIT, { ...FLEETING, store }, key)).body.job_id);
    }
    expect(ids[1]).toBe(ids[0]);
    expect((await open.post(SUBMIT, FLEETING, key)).body.code).toBe('idempotency_conflict');
    const waited = await open.post(`${SUBMIT}?wait=5`, FLEETING);
    expect([waited.status, waited.body.result_data.success]).toEqual([200, true]);
  });

  test.each(['false', 0, null, {}])('with store %j is refused, naming it', async (store) => {
    const { status, body } = await open.post(SUBMIT, { ...FLEETING, store });
    expect([status, body.details]).toEqual([400, [{ path: 'store', message: 'must be a boolean' }]]);
  });
});
