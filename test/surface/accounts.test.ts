/** `/api/llm/accounts/{user_id}/`, and what submits are told, where credits are on; and what it costs, also where they are off. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { intakeHandler } from '../../shared/http/intake.ts';
import { parsePublished } from '../../shared/job-types/submission.ts';
import { BATCH, callsOf, general, type Reply, SUBMIT, statusOf } from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

const ADMIN: Principal = { tenant: 'default', user: 'root', scopes: ['admin'] };
const pathOf = (user: string) => `/api/llm/accounts/${encodeURIComponent(user)}/`;
const JSON_TYPE = { 'Content-Type': 'application/json' };

let world: CoreWorld;
beforeEach(() => {
  world = coreWorld(undefined, undefined, { hasCredits: true });
});
afterEach(() => world.close());

const as = (principal: Principal) => callsOf(appOver(world, { authenticate: alwaysAs(principal) }));
const put = (value: unknown, user = 'ada', who = ADMIN): Promise<Reply> =>
  as(who).send('PUT', pathOf(user), { body: JSON.stringify(value), headers: JSON_TYPE });
const grant = (value: unknown, key?: string, user = 'ada', who = ADMIN): Promise<Reply> =>
  as(who).post(`${pathOf(user)}grant/`, value, key === undefined ? {} : { 'Idempotency-Key': key });
const show = (user = 'ada', who = ADMIN): Promise<Reply> => as(who).get(pathOf(user));
const submit = (more: object = {}) => as(ADA).post(SUBMIT, { ...general({ prompt: 'Hello.' }), ...more });
const audits = () => world.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'audit');

const EMPTY = { subscription: 'active', balance: 0, reserved: 0, available: 0, charged: { tokens: 0, cost: 0 } };

describe('an account', () => {
  test('is made by an administrator, given tokens, and seen by its user', async () => {
    expect(await show()).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
    expect(await grant({ tokens: 5 }, 'k')).toMatchObject({ status: 404, body: { code: 'account_not_found' } });
    const made = { success: true, user_id: 'ada', ...EMPTY };
    expect(await put({ subscription: 'active' })).toMatchObject({ status: 200, body: made });
    expect((await grant({ tokens: 1_500 }, 'invoice-17')).body).toEqual({ ...made, balance: 1_500, available: 1_500 });
    expect((await show('ada', ADA)).body).toEqual({ ...made, balance: 1_500, available: 1_500 });
    expect(audits()).toMatchObject([
      { act: 'account-read', actor: 'root', owner: 'ada' },
      { act: 'account-set', actor: 'root', owner: 'ada', subscription: 'active' },
      { act: 'tokens-granted', actor: 'root', owner: 'ada', tokens: 1_500, tenant: 'default' },
    ]);
  });

  test('a grant of unknown fate is in the audit, one that was refused is not', async () => {
    await put({ subscription: 'active' });
    world.accounts.fail('grant', 'after');
    expect(await grant({ tokens: 5 }, 'k')).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
    expect(await grant({ tokens: 6 }, 'k')).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    expect((await show()).body.balance).toBe(5);
    const granted = audits().filter(({ act }) => act === 'tokens-granted');
    expect(granted).toMatchObject([{ owner: 'ada', tokens: 5 }]);
  });

  test('shows its budget, and what of it was spent in its period', async () => {
    const budget = { max_cost: 2.5, period: 'month' };
    const resets_at = '2023-12-01T00:00:00.000Z';
    expect((await put({ subscription: 'active', budget })).body.budget).toEqual({ ...budget, spent: 0, resets_at });
    expect((await put({ subscription: 'active', budget: { ...budget, period: 'day' } })).body.budget.resets_at).toBe(
      '2023-11-15T00:00:00.000Z',
    );
    expect((await put({ subscription: 'active' })).body).not.toHaveProperty('budget');
  });

  test('is not seen by others, and changed by administrators alone', async () => {
    await put({ subscription: 'active' });
    const eve = { ...ADA, user: 'eve' };
    expect((await show('ada', eve)).body).toMatchObject({ code: 'forbidden', scope: 'admin' });
    for (const answer of [
      await put({ subscription: 'active' }, 'ada', ADA),
      await grant({ tokens: 5 }, 'k', 'ada', ADA),
    ]) {
      expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden', scope: 'admin' } });
    }
    expect((await show()).body).toMatchObject(EMPTY);
    expect((await show('ada', { ...ADMIN, tenant: 'other' })).status).toBe(404);
  });

  test('a grant counts once for its key, and is taken back by one below 0', async () => {
    await put({ subscription: 'active' });
    for (let n = 0; n < 3; n++) expect((await grant({ tokens: 700 }, 'a')).body.balance).toBe(700);
    expect((await grant({ tokens: 700 }, '"b"')).body.balance).toBe(1_400);
    expect((await grant({ tokens: -1_500 }, 'c')).body).toMatchObject({ balance: -100, available: -100 });
    const other = await grant({ tokens: 800 }, 'a');
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    expect(other.body.error).toContain('700 tokens were granted before');
    // The same key for somebody else is another grant.
    await put({ subscription: 'active' }, 'bob');
    expect((await grant({ tokens: 700 }, 'a', 'bob')).body.balance).toBe(700);
  });

  test.each([
    [{}, 'subscription'],
    [{ subscription: 'paid' }, 'subscription'],
    [{ subscription: 'active', balance: 9_999 }, 'balance'],
    [{ subscription: 'active', budget: { max_cost: 0, period: 'day' } }, 'budget.max_cost'],
    [{ subscription: 'active', budget: { max_cost: 1e-10, period: 'day' } }, 'budget.max_cost'],
    [{ subscription: 'active', budget: { max_cost: 5, period: 'week' } }, 'budget.period'],
    [{ subscription: 'active', budget: { max_cost: 5 } }, 'budget.period'],
  ])('PUT %j names %s, and changes nothing', async (value, path) => {
    const { status, body } = await put(value);
    expect([status, body.code, body.details[0].path]).toEqual([400, 'invalid_request', path]);
    expect((await show()).status).toBe(404);
  });

  test.each([
    [{}, 'k', 'tokens'],
    [{ tokens: 0 }, 'k', 'tokens'],
    [{ tokens: 1.5 }, 'k', 'tokens'],
    [{ tokens: '5' }, 'k', 'tokens'],
    [{ tokens: 1e13 }, 'k', 'tokens'],
    [{ tokens: 5, note: 'x' }, 'k', 'note'],
    [{ tokens: 5 }, undefined, 'Idempotency-Key'],
    [{ tokens: 5 }, '', 'Idempotency-Key'],
  ])('a grant of %j under %j names %s, and changes nothing', async (value, key, path) => {
    await put({ subscription: 'active' });
    const { status, body } = await grant(value, key);
    expect([status, body.code, body.details[0].path]).toEqual([400, 'invalid_request', path]);
    expect((await show()).body.balance).toBe(0);
  });

  test.each(['a\nb', 'x'.repeat(301)])('of %j there is none, and can be none', async (user) => {
    for (const answer of [
      await show(user),
      await put({ subscription: 'active' }, user),
      await grant({ tokens: 1 }, 'k', user),
    ]) {
      expect([answer.status, answer.body.details[0].path]).toEqual([400, 'user_id']);
    }
  });
});

describe('a submit', () => {
  test('without a subscription is 403, with too few tokens 402, and stores nothing', async () => {
    expect(await submit()).toMatchObject({ status: 403, body: { code: 'subscription_inactive' } });
    await put({ subscription: 'active' });
    await grant({ tokens: 500 }, 'k');
    const { status, body } = await submit({ input_data: { prompt: 'Hello.', max_tokens: 600 } });
    expect([status, body.code]).toEqual([402, 'insufficient_credits']);
    expect(body.error).toMatch(/^You need at least 6\d\d tokens for this job\. Available: 500$/);
    expect(world.store.calls('create')).toBe(0);
    expect(world.published).toEqual([]);
  });

  test('of prompt generation is refused without a subscription, and fails with too few tokens', async () => {
    const path = '/api/v1/web-knowledge/generate-prompt-async';
    const start = () => as(ADA).post(path, { manual_prompt: 'Write a poem.' });
    const inactive = 'Subscription is not active. Renew your subscription to continue.';
    const refused = await start();
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([403, expect.stringContaining(inactive)]);
    await put({ subscription: 'active' });
    await grant({ tokens: 250 }, 'k');
    const { status, body } = await start();
    expect(status).toBe(202);
    const [{ id } = { id: '' }] = (await world.store.list({ tenant: 'default', limit: 5, offset: 0 })).map(
      ({ job }) => job,
    );
    expect(await world.clock.until(world.run({ tenant: 'default', id }))).toEqual({ refused: 'denied' });
    expect((await as(ADA).get(`${path}/status/${body.task_id}`)).body).toMatchObject({
      ...{ status: 'failed', progress: 100, message: 'Insufficient tokens' },
      error: 'You need at least 700 tokens for prompt enhancement. Available: 250',
    });
    expect(world.calls()).toBe(0);
  });

  test('in a batch is judged on its own', async () => {
    await put({ subscription: 'active' });
    await grant({ tokens: 500 }, 'k');
    const jobs = [100, 900].map((max_tokens) => general({ prompt: 'Hello.', max_tokens }));
    const { status, body } = await as(ADA).post(BATCH, { jobs });
    expect(status).toBe(202);
    expect(body.items.map((item: { code?: string; status: unknown }) => item.code ?? item.status)).toEqual([
      'pending',
      'insufficient_credits',
    ]);
  });

  test('in a batch of structured extraction is taken in with the others, and fails on its own', async () => {
    await put({ subscription: 'active' });
    await grant({ tokens: 1_500 }, 'k');
    const texts = ['A short text.', 'word '.repeat(1_000)];
    const { status, body } = await as(ADA).post('/llm/submit/batch', { texts });
    expect([status, body.job_ids?.length]).toEqual([200, 2]);
    for (const id of body.job_ids) await world.clock.until(world.run({ tenant: 'default', id }));
    const [short, long] = await Promise.all(
      body.job_ids.map(async (id: string) => (await world.store.get({ tenant: 'default', id }))?.job),
    );
    expect(short.attempt).toBeGreaterThan(0);
    expect(long).toMatchObject({ state: 'failed', attempt: 0, error: { code: 'insufficient_credits' } });
    expect((await as(ADA).get(`/llm/status/${long.id}`)).body).toMatchObject({ status: 'failed' });
  });

  test('that was published and cannot be paid is a failed job that can be seen', async () => {
    await put({ subscription: 'active' });
    const handle = intakeHandler({ service: world.service, parse: parsePublished, log: world.log }, ADA);
    const data = Buffer.from(JSON.stringify(general({ prompt: 'Hello.' }))).toString('base64');
    expect(await handle({ message: { data, messageId: '17' } })).toBe(true);
    const [found] = await world.store.list({ tenant: 'default', limit: 5, offset: 0 });
    expect(found?.job).toMatchObject({ state: 'failed', error: { code: 'insufficient_credits' } });
    expect((await as(ADA).get(statusOf(found?.job.id ?? ''))).body).toMatchObject({
      error_code: 'insufficient_credits',
    });
  });

  test('holds what it needs while it runs, and is charged what it used', async () => {
    await put({ subscription: 'active' });
    await grant({ tokens: 5_000 }, 'k');
    const { body } = await submit();
    let during: Reply | undefined;
    world.store.before('update', async () => {});
    world.store.before('update', async () => {
      during = await show();
    });
    expect(await world.clock.until(world.run({ tenant: 'default', id: body.job_id }))).toEqual({
      finished: 'completed',
    });
    const { reserved } = during?.body ?? {};
    expect(reserved).toBeGreaterThan(1_000);
    expect(during?.body).toMatchObject({ balance: 5_000, available: 5_000 - reserved, charged: { tokens: 0 } });
    expect((await show()).body).toMatchObject({
      balance: 4_995,
      reserved: 0,
      available: 4_995,
      charged: { tokens: 5 },
    });
  });
});

describe('what it costs', () => {
  const METHODS = ['create', 'get', 'getWithInput', 'update', 'list', 'slots'] as const;
  const callsOn = (store: CoreWorld['store']) => METHODS.map((method: keyof JobStore) => store.calls(method));

  async function plainJob(on: CoreWorld) {
    const { id } = await on.submit();
    await on.clock.until(on.run({ tenant: 'default', id }));
  }

  test('on: one look at submit and one at the claim, and no other call of the store; off: nothing', async () => {
    const off = coreWorld();
    await plainJob(off);
    await put({ subscription: 'active' });
    await grant({ tokens: 5_000 }, 'k');
    const before = world.accounts.calls('get');
    await plainJob(world);
    expect(callsOn(world.store)).toEqual(callsOn(off.store));
    expect(world.accounts.calls('get') - before).toBe(2);
    expect(['get', 'put', 'grant'].map((method) => off.accounts.calls(method as 'get'))).toEqual([0, 0, 0]);
    const [found] = await off.store.list({ tenant: 'default', limit: 5, offset: 0 });
    for (const field of ['hold', 'settled']) expect(found?.job).not.toHaveProperty(field);
    off.close();
  });

  test('off, the routes say so', async () => {
    const off = coreWorld();
    const calls = callsOf(appOver(off, { authenticate: alwaysAs(ADMIN) }));
    const { status, body } = await calls.get(pathOf('ada'));
    expect([status, body.code]).toEqual([409, 'credits_off']);
    expect(body.error).toContain('CREDITS=on');
    expect(off.accounts.calls('get')).toBe(0);
    off.close();
  });
});
