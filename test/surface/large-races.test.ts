/** A result in parts that goes while it is read: nobody is told of a fault of ours, and nobody gets half of it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UNREAD_MS } from '../../shared/core/payloads.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { callsOf, general, resultOf, SUBMIT, statusOf, streamOf } from '../support/app.ts';
import { type CoreWorld, coreWorld, FINISH } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

let world: CoreWorld;
let app: ReturnType<typeof appOver>;
let api: ReturnType<typeof callsOf>;
beforeEach(() => {
  world = coreWorld(async function* () {
    yield { type: 'text-delta', text: '.'.repeat(1_000_000) };
    yield FINISH;
  });
  app = appOver(world);
  api = callsOf(app);
});
afterEach(() => world.close());

async function completed(over: object = {}): Promise<string> {
  const { body } = await api.post(SUBMIT, { ...general({ prompt: 'Write much.' }), ...over });
  await world.clock.until(world.run({ tenant: 'default', id: body.job_id }));
  return body.job_id;
}

test('removed (store: false): who asks again is told so', async () => {
  const id = await completed({ store: false });
  world.parts.before('get', async () => {
    await world.clock.advance(UNREAD_MS);
    expect(await sweep(world)).toMatchObject({ removed: 1 });
  });
  const broken = await api.get(resultOf(id));
  expect([broken.status, broken.headers.get('Retry-After')]).toEqual([503, '1']);
  const again = await api.get(resultOf(id));
  expect([again.status, again.body.code]).toEqual([404, 'result_removed']);
  expect((await api.get(statusOf(id))).body).not.toHaveProperty('result_data');
});

test.each([
  ['result', resultOf],
  ['status', statusOf],
  ['view of /jobs', (id: string) => `/jobs/${id}`],
])('deleted: there is no such job (%s)', async (_, pathOf) => {
  const id = await completed();
  world.parts.before('get', async () => {
    expect((await api.send('DELETE', `/api/llm/jobs/${id}/`)).status).toBe(200);
  });
  expect((await api.get(pathOf(id))).status).toBe(404);
  expect(world.parts.calls('remove')).toBe(1);
});

test('an input that lies in parts is shown by /jobs, whole', async () => {
  const prompt = 'x'.repeat(300_000);
  const { body } = await api.post(SUBMIT, general({ prompt }));
  expect((await api.get(`/jobs/${body.job_id}`)).body.prompt === prompt).toBe(true);
});

test('a stream whose last event cannot be loaded: its reader comes back; a damaged one is told the end without', async () => {
  const id = await completed();
  const events = () => world.clock.until(Promise.resolve(app.request(streamOf(id))).then((answer) => answer.text()));
  world.parts.fail('get', 'before');
  expect(await events()).not.toContain('event: done');
  expect(await events()).toMatch(/event: done\ndata: .*"result_data":/);
  const { parts } = (await world.store.get({ tenant: 'default', id }))?.job ?? {};
  await world.parts.remove({ tenant: 'default', id, set: parts?.result?.name });
  const told = await events();
  expect(told).toMatch(/event: done\ndata: .*"status":"completed".*"result_bytes":/);
  expect(told).not.toContain('"result_data"');
});
