/** `POST /api/llm/jobs/{id}/retry/`: one new job of one that failed or was cancelled; what it keeps, and who gets none. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { UNREAD_MS } from '../../shared/core/payloads.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { jobTokens } from '../../shared/http/job-tokens.ts';
import * as app from '../support/app.ts';
import { callsOf, cancelOf, general, LIST, retryOf, SUBMIT, statusOf } from '../support/app.ts';
import { ADA, answer, type CoreWorld, coreWorld, NO_RETRY } from '../support/core-world.ts';
import { appOver, JSON_TYPE } from './counted-app.ts';

const ADMIN: Principal = { tenant: ADA.tenant, user: 'root', scopes: ['jobs:read', 'jobs:write', 'admin'] };
const OWN = {
  ...{ tags: ['one', 'two'], metadata: { order: '17' }, project_id: 'p-1', question_id: 'q-1', max_cost: 0.5 },
  ...{ stream: true, store: false, ttl_seconds: 600, timeout: 900, start_within: 800, idle_timeout: 60 },
};

let world: CoreWorld;
let api: ReturnType<typeof callsOf>;
/** Does the model fail? */
let isBroken: boolean;
beforeEach(() => {
  isBroken = true;
  world = coreWorld(async function* () {
    if (isBroken) throw new ServiceError('auth', 'failed by the test');
    yield* answer();
  }, NO_RETRY);
  api = callsOf(appOver(world));
});
afterEach(() => world.close());

const view = async (id: string) => (await api.get(statusOf(id))).body;
const retry = (id: string, headers: Record<string, string> = {}) => api.send('POST', retryOf(id), { headers });
const run = (id: string) => world.run({ tenant: ADA.tenant, id });

async function submitted(more: object = {}): Promise<string> {
  const { status, body } = await api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), ...more });
  expect([status, body.error]).toEqual([202, undefined]);
  return body.job_id;
}

async function failed(more: object = {}): Promise<string> {
  const id = await submitted(more);
  await run(id);
  return id;
}

test('of a failed job a new one is made, each names the other, and the new one runs', async () => {
  const id = await failed();
  const before = await view(id);
  expect(before).toMatchObject({ status: 'failed', urls: { retry: retryOf(id) } });
  const made = await retry(id, { 'X-Request-ID': 'again-1' });
  expect(made.status).toBe(202);
  expect(made.headers.get('Idempotency-Replayed')).toBeNull();
  const { job_id: next, ...rest } = made.body;
  expect(rest).toMatchObject({ success: true, status: 'pending', retry_of: id, job_type: before.job_type });
  expect(made.headers.get('Location')).toBe(statusOf(next));
  expect(next).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
  expect(world.published.at(-1)).toEqual({ tenant: ADA.tenant, id: next });

  const { urls, version, retried_as, ...old } = await view(id);
  expect({ version, retried_as }).toEqual({ version: before.version + 1, retried_as: next });
  expect(urls).not.toHaveProperty('retry');
  expect({ ...before, ...old }).toEqual(before);

  isBroken = false;
  await run(next);
  const done = await view(next);
  expect(done).toMatchObject({
    status: 'completed',
    retry_of: id,
    attempts: [{ n: 1 }],
    result_data: { result: 'Hi!' },
  });
  expect(done).not.toHaveProperty('retried_as');
  expect((await world.store.get({ tenant: ADA.tenant, id: next }))?.job.requestId).toBe('again-1');
  const listed = (await api.get(LIST)).body.jobs;
  expect(listed).toHaveLength(2);
  expect(listed).toEqual(expect.arrayContaining([await view(id), done]));
});

test('again it is the same job, in whatever state, and nothing is made or written', async () => {
  const id = await failed();
  const { body: first } = await retry(id);
  for (const isOver of [false, true]) {
    if (isOver) await run(first.job_id);
    const { status, headers, body } = await retry(id);
    expect([status, headers.get('Idempotency-Replayed'), body.job_id]).toEqual([202, 'true', first.job_id]);
    expect(body).toMatchObject({ status: isOver ? 'failed' : 'pending', retry_of: id });
    expect(headers.get('Location')).toBe(statusOf(first.job_id));
  }
  expect((await api.get(LIST)).body.jobs).toHaveLength(2);
  // What was made of it failed, too: that one can be made anew.
  const { body: second } = await retry(first.job_id);
  expect(second).toMatchObject({ retry_of: first.job_id, urls: { status: statusOf(second.job_id) } });
});

test('what was submitted is kept; its batch, its attempts and its request are not', async () => {
  const jobs = [{ ...general({ prompt: 'Hello.' }), ...OWN }];
  const { body: batch } = await api.post(app.BATCH, { jobs });
  const id = batch.items[0].job_id;
  await run(id);
  const old = await world.store.getWithInput({ tenant: ADA.tenant, id });
  const { body: made } = await retry(id);
  expect(made).toMatchObject({
    tags: OWN.tags,
    metadata: OWN.metadata,
    project_id: 'p-1',
    max_cost: 0.5,
    store: false,
  });
  const next = await world.store.getWithInput({ tenant: ADA.tenant, id: made.job_id });
  expect(next?.input).toEqual(old?.input);
  const { limits, retentionMs, questionId, stream, user, model } = old?.job ?? {};
  expect(next?.job).toMatchObject({ limits, retentionMs, questionId, stream, user, model, attempts: [] });
  expect(next?.job.limits).toMatchObject({ timeoutMs: 900_000, startWithinMs: 800_000, idleTimeoutMs: 60_000 });
  expect(old?.job.batchId).toBe(batch.batch_id);
  expect(next?.job).not.toHaveProperty('batchId');
  expect((await api.get(`${app.BATCH}${batch.batch_id}/`)).body).toMatchObject({ total: 1, counts: { failed: 1 } });
});

test('a client may wait for its end', async () => {
  const id = await failed();
  isBroken = false;
  const asked = api.send('POST', `${retryOf(id)}?wait=5`);
  while (world.published.length < 2) await world.clock.advance(1);
  await run(world.published[1]?.id ?? '');
  const { status, body } = await world.clock.until(asked);
  expect([status, body]).toMatchObject([200, { status: 'completed', retry_of: id }]);
});

describe('a job that is', () => {
  async function refused(id: string, status: string) {
    const before = await world.store.get({ tenant: ADA.tenant, id });
    const { status: code, body } = await retry(id);
    expect([code, body]).toMatchObject([409, { success: false, code: 'job_not_failed', status }]);
    expect(body.error).toContain(status);
    expect((await view(id)).urls).not.toHaveProperty('retry');
    expect((await world.store.get({ tenant: ADA.tenant, id }))?.revision).toBe(before?.revision);
    expect((await api.get(LIST)).body.jobs).toHaveLength(1);
  }

  test('pending is refused', async () => refused(await submitted(), 'pending'));

  test('processing is refused, also when its end was asked for', async () => {
    const ends: (() => void)[] = [];
    const slow = coreWorld(async function* () {
      await new Promise<void>((resolve) => ends.push(resolve));
      yield* answer();
    });
    const job = await slow.submit();
    const ran = slow.run(job);
    while (ends.length === 0) await slow.clock.advance(1);
    const { send } = callsOf(appOver(slow));
    for (const isCancelled of [false, true]) {
      if (isCancelled) expect((await send('POST', cancelOf(job.id))).body.status).toBe('processing');
      const { status, body } = await send('POST', retryOf(job.id));
      expect([status, body]).toMatchObject([409, { code: 'job_not_failed', status: 'processing' }]);
    }
    ends[0]?.();
    await slow.clock.until(ran);
    slow.close();
  });

  test('completed is refused', async () => {
    isBroken = false;
    await refused(await failed(), 'completed');
  });

  test('cancelled is made anew', async () => {
    const id = await submitted();
    await api.send('POST', cancelOf(id));
    expect((await view(id)).urls.retry).toBe(retryOf(id));
    const { status, body } = await retry(id);
    expect([status, body.retry_of]).toEqual([202, id]);
    expect(await view(id)).toMatchObject({ status: 'cancelled', retried_as: body.job_id });
  });

  test('deleted, or none, is not found', async () => {
    const id = await failed();
    await api.send('DELETE', `${LIST}${id}/`);
    for (const gone of [id, crypto.randomUUID(), 'nonsense']) {
      expect((await retry(gone)).body).toMatchObject({ code: 'job_not_found', error: 'Job not found' });
    }
  });
});

test('where the new job is gone, its id is taken', async () => {
  const id = await failed();
  const { body: made } = await retry(id);
  await api.send('DELETE', `${LIST}${made.job_id}/`);
  const { status, body } = await retry(id);
  expect([status, body]).toMatchObject([409, { code: 'job_id_taken', job_id: made.job_id }]);
  expect(body.error).toContain('Submit it anew');
});

describe('without its input', () => {
  test('a job that kept nothing is refused, however late the sweeper is', async () => {
    const id = await failed({ store: false });
    expect((await view(id)).urls).toHaveProperty('retry');
    await world.clock.advance(UNREAD_MS);
    for (const isSwept of [false, true]) {
      if (isSwept) expect(await sweep(world)).toMatchObject({ removed: 1 });
      expect((await view(id)).urls).not.toHaveProperty('retry');
      const { status, body } = await retry(id);
      expect([status, body]).toMatchObject([409, { code: 'input_removed', status: 'failed' }]);
      expect(body.error).toMatch(/store: false.*Submit it again/);
    }
    expect((await api.get(LIST)).body.jobs).toHaveLength(1);
  });

  test('a message that could not be taken in is refused', async () => {
    const error = new ServiceError('invalid_request', 'input_data: is required');
    const job = await world.service.recordRejected(ADA, { messageId: 'm-1', content: { job_type: 'x' } }, error);
    expect((await view(job.id)).urls).not.toHaveProperty('retry');
    const { status, body } = await retry(job.id);
    expect([status, body]).toMatchObject([409, { code: 'input_removed', status: 'failed' }]);
    expect(body.error).toMatch(/could not be taken in.*Publish it again/);
  });
});

test('a model that cannot be used (any more) is refused as a submit with it, and nothing is changed', async () => {
  for (const [id, status, code] of [
    ['1a97ccb9-2e49-44b1-869c-e82054a05243', 503, 'model_unavailable'],
    ['00000000-0000-4000-8000-000000000001', 400, 'invalid_request'],
  ] as const) {
    const job = await world.submit();
    await run(job.id);
    const found = await world.store.get(job);
    await world.store.update(job, found?.revision ?? '', { model: { ...job.model, id } });
    const reply = await retry(job.id);
    expect([reply.status, reply.body]).toMatchObject([status, { code }]);
    expect(await view(job.id)).not.toHaveProperty('retried_as');
  }
});

describe('of others', () => {
  const as = (principal: Principal) => {
    const tokens = jobTokens({ clock: world.clock, secrets: ['s'.repeat(32)] });
    return callsOf(appOver(world, { authenticate: alwaysAs(principal), jobTokens: tokens }));
  };

  test('a foreign user finds none, and whoever holds a token of the job alone makes none', async () => {
    const id = await failed();
    for (const other of [
      { ...ADA, user: 'bob' },
      { ...ADMIN, tenant: 'umbrella' },
    ]) {
      const { status, body } = await as(other).send('POST', retryOf(id));
      expect([status, body.code]).toEqual([404, 'job_not_found']);
    }
    const { status, body } = await as({ ...ADA, jobId: id }).send('POST', retryOf(id));
    expect([status, body.code]).toEqual([403, 'forbidden']);
    await expect(world.service.redrive({ ...ADA, jobId: id }, id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect((await api.get(LIST)).body.jobs).toHaveLength(1);
  });

  test("an administrator makes one for its user, which is noted, and is the user's own", async () => {
    const id = await failed();
    const audits = () => world.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'audit');
    const { status, body } = await as(ADMIN).send('POST', retryOf(id));
    expect([status, body.retry_of]).toEqual([202, id]);
    expect(body).not.toHaveProperty('job_token');
    const made = await world.store.get({ tenant: ADA.tenant, id: body.job_id });
    expect(made?.job.user).toBe(ADA.user);
    expect(audits()).toMatchObject([{ act: 'redrive', actor: 'root', job_id: id, owner: ADA.user }]);
    const own = await as(ADA).send('POST', retryOf(id));
    expect(own.body).toHaveProperty('job_token');
    expect([own.body.job_id, own.headers.get('Idempotency-Replayed')]).toEqual([body.job_id, 'true']);
    expect(audits()).toHaveLength(1);
  });
});

test.each([
  ['an unknown field', '{"model":"other"}', 400, /model/],
  ['a list', '[]', 400, /./],
  ['no JSON', '{', 400, /JSON/],
])('a body with %s is refused', async (_, body, status, words) => {
  const id = await failed();
  const reply = await api.send('POST', retryOf(id), { body, headers: JSON_TYPE });
  expect([reply.status, reply.body.code]).toEqual([status, 'invalid_request']);
  expect(reply.body.error).toMatch(words);
  expect(await view(id)).not.toHaveProperty('retried_as');
});
