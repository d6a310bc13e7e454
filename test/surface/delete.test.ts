/** `DELETE /api/llm/jobs/{id}/`: a job in every state, what is left of it, and who may. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { billingOf } from '../../shared/core/billing.ts';
import type { Job } from '../../shared/core/job.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import {
  cancelOf,
  general,
  LIST,
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

const NOBODYS = '00000000-0000-4000-8000-000000000000';
const SLOW = '[simulate seconds=60]';
const SOON_MS = 5_000;
const WORDS = { question_id: 'question of mine', tags: ['tag of mine'], metadata: { pair: 'value of mine' } };
const jobOf = (id: string) => `/api/llm/jobs/${id}/`;

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

const remove = (id: string): Promise<Reply> => api.send('DELETE', jobOf(id));

async function submit(prompt: string): Promise<string> {
  const { status, body } = await api.post(SUBMIT, { ...general({ prompt }), ...WORDS, stream: true });
  expect(status).toBe(202);
  return body.job_id;
}

async function expectNotFound(id: string): Promise<void> {
  const replies = [
    await api.get(statusOf(id)),
    await api.get(resultOf(id)),
    await api.send('POST', cancelOf(id)),
    await remove(id),
  ];
  for (const { status, body } of replies) {
    expect([status, body.code, body.error]).toEqual([404, 'job_not_found', 'Job not found']);
  }
  const { body } = await api.get(`${LIST}?limit=100`);
  expect(body.jobs.map((view: { job_id: string }) => view.job_id)).not.toContain(id);
}

describe('a job that is over', () => {
  test.each([
    ['completed', 'Done.'],
    ['failed', '[simulate fail=auth]'],
  ])('and %s is deleted, and not found from then on', async (state, prompt) => {
    const id = await submit(prompt);
    expect((await api.poll(id)).status).toBe(state);
    const { status, headers, body } = await remove(id);
    expect([status, body]).toEqual([
      200,
      {
        ...{ success: true, job_id: id, deleted: true, status: state },
        message: 'The job was deleted; it is not found any more.',
      },
    ]);
    expect(headers.get('Cache-Control')).toBe('no-store');
    await expectNotFound(id);
  });

  test('can be deleted without a slash, by an id in capitals, and by a page of an origin that may call', async () => {
    const id = await submit('Slashes.');
    await api.poll(id);
    const path = jobOf(id.toUpperCase()).replace(/\/$/, '').replace('/API/LLM/JOBS', '/api/llm/jobs');
    const preflight = await api.send('OPTIONS', path, {
      headers: { Origin: 'http://localhost:5173', 'Access-Control-Request-Method': 'DELETE' },
    });
    expect(preflight.headers.get('Access-Control-Allow-Methods')).toContain('DELETE');
    expect(await api.send('DELETE', path)).toMatchObject({ status: 200, body: { job_id: id, deleted: true } });
    await expectNotFound(id);
  });
});

test('a job in its call is gone with the answer, its call is broken off, and the others go on', async () => {
  const [mine, other] = [await submit(SLOW), await submit('Stay. [simulate seconds=1]')];
  const isCalled = async () => (await api.get(statusOf(mine))).body.status === 'processing';
  for (const until = performance.now() + SOON_MS; !(await isCalled()) && performance.now() < until; ) await pause(5);
  const { status, body } = await remove(mine);
  expect([status, body]).toEqual([
    200,
    {
      ...{ success: true, job_id: mine, deleted: true, status: 'processing' },
      message: 'The job was deleted; it is not found any more, and its call is being broken off.',
    },
  ]);
  await expectNotFound(mine);
  expect(await api.poll(other)).toMatchObject({ status: 'completed', ...WORDS });
  await expectNotFound(mine);
});

test('a repeat of the submit of a deleted job says why it is refused, by id and by key', async () => {
  const id = crypto.randomUUID();
  const call = (text: string) => ({ body: JSON.stringify(general({ prompt: text })), headers: JSON_TYPE });
  expect((await api.send('PUT', jobOf(id), call('Once.'))).status).toBe(202);
  const keyed = await api.post(SUBMIT, general({ prompt: 'Once.' }), { 'Idempotency-Key': 'k' });
  for (const one of [id, keyed.body.job_id]) {
    await api.poll(one);
    expect((await remove(one)).status).toBe(200);
  }
  const refused = [
    await api.send('PUT', jobOf(id), call('Once.')),
    await api.send('PUT', jobOf(id), call('Twice.')),
    await api.post(SUBMIT, general({ prompt: 'Once.' }), { 'Idempotency-Key': 'k' }),
  ];
  for (const { status, body } of refused) {
    expect([status, body.code]).toEqual([409, 'job_id_taken']);
    expect(body.error).toContain('it has expired or was deleted. Use another one.');
    expect(body).not.toHaveProperty('job_id');
  }
  await expectNotFound(id);
});

test.each([NOBODYS, NOBODYS.replaceAll('-', ''), 'x', '__proto__', '%00', '%', 'a%2Fb'])(
  'there is no job %s to delete: 404',
  async (id) => {
    const { status, body } = await remove(id);
    expect([status, body.code]).toEqual([404, 'job_not_found']);
  },
);

describe('on a store that the test looks into', () => {
  let world: CoreWorld;
  beforeAll(() => {
    world = coreWorld();
  });
  afterAll(() => world.close());

  const ask = async (id: string, init: RequestInit = {}, over = {}) => {
    const response = await appOver(world, over).request(jobOf(id), { method: 'DELETE', ...init });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Reply['body'] };
  };
  const words = { questionId: 'q', projectId: 'p', tags: ['t'], metadata: { a: 'b' }, batchId: 'b', stream: true };
  const text = async (job: Job) => JSON.stringify(await world.store.getWithInput(job));

  test('a pending job is never called, and an empty tombstone is left', async () => {
    const job = await world.submit('Secret.', words);
    expect(await ask(job.id)).toMatchObject({ status: 200, body: { status: 'cancelled', deleted: true } });
    expect(await world.run(job)).toEqual({ refused: 'done' });
    expect(world.calls()).toBe(0);
    const left = await world.store.getWithInput(job);
    expect(left).toMatchObject({ input: null, job: { state: 'cancelled', wakeAt: null, attempts: [] } });
    expect(left?.job.deleteAt).toBeGreaterThan(left?.job.deletedAt ?? Infinity);
    expect(await text(job)).not.toContain('Secret');
  });

  test('of a completed job what was used is left, and what it may have cost', async () => {
    const job = await world.submit('Secret.', words);
    await world.run(job);
    expect(await text(job)).toContain('Secret');
    expect(await world.chunks.list(job, 1, 0)).not.toEqual([]);
    await ask(job.id);
    const left = await world.store.getWithInput(job);
    expect(left?.job).toMatchObject({ state: 'completed', attempts: [{ calls: 1, usage: { totalTokens: 5 } }] });
    expect(billingOf(left?.job as Job)).toBe('final');
    for (const field of ['result', ...Object.keys(words).filter((name) => name !== 'stream')]) {
      expect(left?.job).not.toHaveProperty(field);
    }
    expect(left).toMatchObject({ input: null, job: { fingerprint: '' } });
    expect(await world.chunks.list(job, 1, 0)).toEqual([]);
  });

  test('of a failed job its code is left, not its words', async () => {
    const job = await world.submit('Hello.', { limits: { startWithinMs: 1_000 } });
    await world.clock.advance(2_000);
    await world.run(job);
    expect((await world.store.get(job))?.job.error?.message).toContain('No worker took');
    await ask(job.id);
    expect((await world.store.get(job))?.job.error).toEqual({ code: 'start_timeout', message: 'Deleted' });
  });

  test('another user finds nothing to delete, another tenant neither, and an administrator may', async () => {
    const job = await world.submit('Hello.', words);
    const before = await world.store.get(job);
    for (const who of [
      { ...ADA, user: 'eve' },
      { ...ADA, tenant: 'other', scopes: ['admin' as const] },
    ]) {
      const { status, body } = await ask(job.id, {}, { authenticate: alwaysAs(who) });
      expect([status, body.code]).toEqual([404, 'job_not_found']);
    }
    expect((await world.store.get(job))?.revision).toBe(before?.revision);
    const admin = { ...ADA, user: 'root', scopes: ['admin' as const] };
    expect(await ask(job.id, {}, { authenticate: alwaysAs(admin) })).toMatchObject({ status: 200 });
    // What another user deleted is not touched again by somebody who could not see it.
    const removals = world.chunks.calls('remove');
    const eve = { ...ADA, user: 'eve' };
    expect(await ask(job.id, {}, { authenticate: alwaysAs(eve) })).toMatchObject({ status: 404 });
    expect(world.chunks.calls('remove')).toBe(removals);
  });

  test.each<[string, string, Record<string, string>, number]>([
    ['an empty object', '{}', JSON_TYPE, 200],
    ['no JSON', '{', JSON_TYPE, 400],
    ['text', 'now', { 'Content-Type': 'text/plain' }, 415],
  ])('a body of %s: as any other', async (_, body, headers, expected) => {
    const job = await world.submit();
    const init = { body, headers: { 'Content-Length': String(body.length), ...headers } };
    expect((await ask(job.id, init)).status).toBe(expected);
    const { deletedAt } = (await world.store.get(job))?.job ?? {};
    expect(deletedAt !== undefined).toBe(expected === 200);
  });

  test('a store that cannot be told: 503, to be asked again', async () => {
    const job = await world.submit();
    world.store.fail('update', 'before', { times: 5 });
    const { status, headers, body } = await ask(job.id);
    expect([status, headers.get('Retry-After'), body.code]).toEqual([503, '1', 'store_unavailable']);
    expect(body.error).toContain('Delete it again');
    expect(world.store.fired()).toBe(5);
    expect((await ask(job.id)).status).toBe(200);
  });

  test('a deployment of the reads does not delete', async () => {
    const job = await world.submit();
    const response = await appOver(world, {}, ['reads']).request(jobOf(job.id), { method: 'DELETE' });
    expect(response.status).toBe(404);
    expect((await world.read(job)).state).toBe('pending');
  });
});
