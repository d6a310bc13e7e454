/** `GET /api/llm/jobs/{job_id}/input/`: what a job was asked. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { general, openApp, SUBMIT, statusOf, type TestApp, TRAINER } from '../support/app.ts';
import { asUser, bearer, type DoorWorld, OWNER, openDoorWorld, TENANT } from '../support/doors.ts';

const inputOf = (id: string) => `/api/llm/jobs/${id}/input/`;

let api: TestApp;
let doors: DoorWorld;
beforeAll(async () => {
  api = await openApp();
  doors = await openDoorWorld();
});
afterAll(async () => {
  await api.close();
  await doors.close();
});

async function submitted(value: unknown, path = SUBMIT): Promise<string> {
  const { status, body } = await api.post(path, value);
  expect([status, body.details]).toEqual([202, undefined]);
  return body.job_id;
}

test('is what was submitted, before and after the end, and can be submitted again as it is', async () => {
  const input = { full_input: 'Say 👩‍🔬.', system_message: 'Be brief.', temperature: 0.5 };
  const id = await submitted(general(input));
  const asked = await api.get(inputOf(id));
  expect([asked.status, asked.body]).toEqual([
    200,
    {
      ...{ success: true, job_id: id, job_type: 'general_llm_request', input_data: input },
      model_id: (await api.get(statusOf(id))).body.model.id,
    },
  ]);
  await api.poll(id);
  const { job_id, success: _, ...again } = (await api.get(inputOf(id))).body;
  expect(job_id).toBe(id);
  expect(await submitted(again)).not.toBe(id);
});

test('of a job that came through another route is in the words of its type', async () => {
  const id = await submitted({ model_id: 'simulated', full_input: 'A question.' }, TRAINER);
  const { body } = await api.get(inputOf(id));
  expect(body).toMatchObject({ job_type: 'trainer_question_analysis', input_data: { full_input: 'A question.' } });
});

test('that is large comes whole, with its length; its headers alone to whoever asks for them', async () => {
  const input = { prompt: `Large: ${'é👩‍🔬"\\ '.repeat(40_000)}` };
  const id = await submitted(general(input));
  const { status, headers, body } = await api.get(inputOf(id));
  expect([status, body.input_data.prompt === input.prompt]).toEqual([200, true]);
  const length = Number(headers.get('Content-Length'));
  expect(length).toBe(Buffer.byteLength(JSON.stringify(body)));
  expect(length).toBeGreaterThan(256 * 1024);
  const head = await api.send('HEAD', inputOf(id));
  expect([head.status, head.body, head.headers.get('Content-Length')]).toEqual([200, undefined, String(length)]);
  const small = await submitted(general({ prompt: 'Small.' }));
  expect(await api.send('HEAD', inputOf(small))).toMatchObject({ status: 200, body: undefined });
});

test('is not found where there is no such job, or it was deleted', async () => {
  const id = await submitted(general({ prompt: 'Delete me.' }));
  await api.poll(id);
  await api.send('DELETE', `/api/llm/jobs/${id}/`);
  for (const missing of [id, crypto.randomUUID(), 'x', 'stream']) {
    const { status, body } = await api.get(inputOf(missing));
    expect([missing, status, body.code]).toEqual([missing, 404, 'job_not_found']);
  }
});

test('is refused to a job token, and to others; to an administrator it is shown, and that is noted', async () => {
  const headers = await asUser(doors.issuers);
  const body = general({ prompt: 'A canary of Ada.' });
  const { job_id: id } = (await doors.send('POST', SUBMIT, { headers, body })).body;
  const ask = async (who: Record<string, string>) => {
    const reply = await doors.send('GET', inputOf(id), { headers: who });
    return [reply.status, reply.body.code ?? reply.body.input_data.prompt];
  };
  const issued = await doors.doors.jobTokens?.issue({ tenant: TENANT, id, user: OWNER.user }, OWNER.scopes);
  const root = { sub: 'root', scope: 'admin', org: TENANT };
  expect(await ask(headers)).toEqual([200, 'A canary of Ada.']);
  expect(await ask(bearer(issued?.token ?? ''))).toEqual([403, 'forbidden']);
  expect(await ask(await asUser(doors.issuers, { sub: 'bob' }))).toEqual([404, 'job_not_found']);
  expect(await ask(await asUser(doors.issuers, { org: 'umbrella' }))).toEqual([404, 'job_not_found']);
  expect(doors.lines.filter((line) => line.includes('"audit"'))).toEqual([]);
  expect(await ask(bearer(await doors.issuers.token('oidc', root)))).toEqual([200, 'A canary of Ada.']);
  expect(doors.lines.filter((line) => line.includes('"audit"') && line.includes(id))).toHaveLength(1);
});

test('that was removed is gone, and asking for it does not count as reading the result', async () => {
  const headers = await asUser(doors.issuers);
  const body = { ...general({ prompt: 'Keep nothing.' }), store: false };
  const { job_id: id } = (await doors.send('POST', SUBMIT, { headers, body })).body;
  await doors.clock.until(doors.run({ tenant: TENANT, id }));
  const updates = doors.store.calls('update');
  const ask = () => doors.send('GET', inputOf(id), { headers });
  expect((await ask()).body.input_data).toEqual(body.input_data);
  expect(doors.store.calls('update')).toBe(updates);
  await doors.clock.advance(3_600_000);
  const gone = await ask();
  expect([gone.status, gone.body]).toMatchObject([404, { success: false, code: 'input_removed' }]);
  expect(gone.body.error).toContain('store: false');
});

test('is not told where the store gives no answer', async () => {
  const headers = await asUser(doors.issuers);
  const body = general({ prompt: 'Hello.' });
  const { job_id: id } = (await doors.send('POST', SUBMIT, { headers, body })).body;
  doors.store.fail('inputs', 'before');
  expect((await doors.send('GET', inputOf(id), { headers })).status).toBe(503);
  expect(doors.store.fired()).toBe(1);
});
