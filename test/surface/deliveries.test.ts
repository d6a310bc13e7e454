/** The log of deliveries, and sending again: what is shown of each state, to whom, and what becomes of the webhook with its job. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Sent } from '../../shared/core/notices.ts';
import { READ_GRACE_MS } from '../../shared/core/payloads.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { deliveriesOf, general, LIST, redeliverOf, retryOf, SECRETS, SUBMIT, statusOf } from '../support/app.ts';
import { ADA, answer, coreWorld } from '../support/core-world.ts';
import { appOver, JSON_TYPE, refuser } from './counted-app.ts';
import { DELIVERED, HOOK, openWebhookWorld, WEBHOOK_SECRET } from './webhook-world.ts';

const ADMIN: Principal = { tenant: ADA.tenant, user: 'root', scopes: ['jobs:read', 'jobs:write', 'admin'] };
const EVE: Principal = { ...ADA, user: 'eve' };
const ALL = ['job.started', 'job.completed', 'job.failed', 'job.cancelled'];
const BROKEN: Sent = { delivered: false, ms: 7, status: 500, failure: 'status', message: 'It answered 500.' };
const DAY_MS = 86_400_000;
const NOBODYS = '00000000-0000-4000-8000-000000000000';

let world: ReturnType<typeof openWebhookWorld>;
beforeEach(() => {
  world = openWebhookWorld();
});
afterEach(() => world.close());

const log = async (id: string) => (await world.api.get(deliveriesOf(id))).body;
const redeliver = (id: string) => world.api.send('POST', redeliverOf(id));
const time = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

async function submitted(webhook: object | undefined = { url: HOOK }, more: object = {}): Promise<string> {
  const { status, body } = await world.api.post(SUBMIT, { ...general({ prompt: 'Secret.' }), webhook, ...more });
  expect([status, body.error]).toEqual([202, undefined]);
  return body.job_id;
}

/** A job that is over, and whose webhook was not told yet. */
async function ended(webhook?: object, more?: object): Promise<string> {
  const id = await submitted(webhook, more);
  await world.doorbell(id);
  return id;
}

describe('the log shows', () => {
  test('nothing of a job that has no webhook', async () => {
    const { body } = await world.api.post(SUBMIT, general({ prompt: 'Hello.' }));
    expect(body.urls).not.toHaveProperty('deliveries');
    expect(await log(body.job_id)).toEqual({ success: true, job_id: body.job_id, pending: [], deliveries: [] });
  });

  test('what has to be told, then what was, the newest first, each by the id that was sent', async () => {
    const id = await ended({ url: HOOK, events: ALL });
    const before = await log(id);
    expect(before).toEqual({
      ...{ success: true, job_id: id, webhook: { url: HOOK, events: ALL }, tries: 0, deliveries: [] },
      pending: ['job.started', 'job.completed'].map((type) => ({
        ...{ event_id: expect.stringMatching(/^evt_[0-9a-f-]{36}$/), type, version: expect.any(Number) },
        happened_at: time(world.clock.nowMs()),
      })),
      next_try_at: time(world.clock.nowMs()),
    });
    await world.clock.advance(1_000);
    await world.doorbell(id);
    const [started, completed] = before.pending;
    const tried = { tried_at: time(world.clock.nowMs()), duration_ms: 12, outcome: 'delivered', status: 204 };
    expect(await log(id)).toEqual({
      ...{ success: true, job_id: id, webhook: { url: HOOK, events: ALL }, pending: [] },
      deliveries: [
        { ...completed, ...tried },
        { ...started, ...tried },
      ],
    });
    expect(started.version).toBeLessThan(completed.version);
    expect(world.sent.map(({ message }) => message.id)).toEqual([started.event_id, completed.event_id]);
    expect((await world.api.get(deliveriesOf(id))).headers.get('Cache-Control')).toBe('no-store');
  });

  test('why a try failed, when the next one is, and none while somebody is at it', async () => {
    const id = await ended();
    let meanwhile: unknown;
    world.answers.push(async () => {
      meanwhile = await log(id);
      return BROKEN;
    });
    await world.doorbell(id);
    expect(meanwhile).toMatchObject({ pending: [{ type: 'job.completed' }], tries: 1, deliveries: [] });
    expect(meanwhile).not.toHaveProperty('next_try_at');
    const failed = await log(id);
    expect(failed).toMatchObject({
      ...{ tries: 1, pending: [{ type: 'job.completed', event_id: world.sent[0]?.message.id }] },
      deliveries: [
        {
          ...{ outcome: 'failed', status: 500, reason: 'status', message: 'It answered 500.', duration_ms: 7 },
          ...failed.pending[0],
        },
      ],
    });
    // Five seconds, and the fifth of that on top.
    expect(failed.next_try_at).toBe(time(world.clock.nowMs() + 6_000));
    expect(failed).not.toHaveProperty('given_up');

    await world.clock.advance(6_000);
    const gone: Sent = { delivered: false, ms: 3, failure: 'timeout', message: 'No answer in time.' };
    world.answers.push(gone);
    await world.doorbell(id);
    const again = await log(id);
    expect(again.tries).toBe(2);
    expect(again.deliveries).toHaveLength(2);
    expect(again.deliveries[0]).toMatchObject({ outcome: 'failed', reason: 'timeout', message: 'No answer in time.' });
    expect(again.deliveries[0]).not.toHaveProperty('status');
    await world.clock.advance(DAY_MS);
    await world.doorbell(id);
    expect(await log(id)).toMatchObject({ pending: [], deliveries: [{ outcome: 'delivered' }, {}, {}] });
    expect(await log(id)).not.toHaveProperty('given_up');
    expect(new Set(world.sent.map(({ message }) => JSON.stringify(message))).size).toBe(1);
  });

  test('that it was given up, after ten tries', async () => {
    const id = await ended();
    for (let tries = 1; tries <= 10; tries++) {
      world.answers.push(BROKEN);
      await world.doorbell(id);
      expect(await log(id)).toMatchObject(tries < 10 ? { tries } : { given_up: true });
      await world.clock.advance(2 * DAY_MS);
    }
    await world.doorbell(id);
    expect(world.sent).toHaveLength(10);
    const over = await log(id);
    expect(over).toMatchObject({ given_up: true, pending: [], deliveries: Array(10).fill({ outcome: 'failed' }) });
    expect(over).not.toHaveProperty('next_try_at');
    expect((await world.api.get(statusOf(id))).body).toMatchObject({ status: 'completed' });
  });

  test('that it was given up, when the receiver wants no more, with what it was not called with', async () => {
    const id = await ended({ url: HOOK, events: ALL });
    world.answers.push({ delivered: false, ms: 1, status: 410, failure: 'gone', message: 'It wants no more.' });
    await world.doorbell(id);
    const gone = await log(id);
    expect(gone).toMatchObject({
      ...{ given_up: true, pending: [] },
      deliveries: [
        { type: 'job.completed', reason: 'gone', duration_ms: 0 },
        { type: 'job.started', reason: 'gone', status: 410 },
      ],
    });
    expect(gone.deliveries[0]).not.toHaveProperty('status');
    expect(world.sent).toHaveLength(1);
  });

  test('when a receiver that asked for patience is called again', async () => {
    const id = await ended({ url: HOOK, events: ALL });
    world.answers.push({ ...BROKEN, status: 429, retryAfterMs: 3_600_000 });
    await world.doorbell(id);
    expect((await log(id)).next_try_at).toBe(time(world.clock.nowMs() + 3_600_000));
  });

  test('that, too, where the topic of all events has to be told sooner', async () => {
    const broken = async () => {
      throw new ServiceError('store_unavailable', 'failed by the test');
    };
    const own = openWebhookWorld({ eventsTopic: { publish: broken } });
    const { body } = await own.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook: { url: HOOK } });
    await own.doorbell(body.job_id);
    own.answers.push({ ...BROKEN, status: 429, retryAfterMs: 3_600_000 });
    await own.doorbell(body.job_id);
    expect((await own.stored(body.job_id))?.outbox?.dueAt).toBeLessThan(own.clock.nowMs() + 60_000);
    const shown = (await own.api.get(deliveriesOf(body.job_id))).body;
    expect(shown.next_try_at).toBe(time(own.clock.nowMs() + 3_600_000));
    own.close();
  });

  test('nothing of what the topic of all events has to be told', async () => {
    const own = openWebhookWorld({ eventsTopic: { publish: async () => {} } });
    const { body } = await own.api.post(SUBMIT, {
      ...general({ prompt: 'Hello.' }),
      webhook: { url: HOOK, events: ['job.failed'] },
    });
    await own.doorbell(body.job_id);
    expect((await own.stored(body.job_id))?.outbox?.notices).toMatchObject([{ to: ['topic'] }, { to: ['topic'] }]);
    const shown = (await own.api.get(deliveriesOf(body.job_id))).body;
    expect(Object.keys(shown)).toEqual(['success', 'job_id', 'webhook', 'pending', 'deliveries']);
    expect(shown.pending).toEqual([]);
    own.close();
  });
});

describe('sending again', () => {
  test('sends the newest event with the id and the body that it had, delivered or not', async () => {
    const id = await ended({ url: HOOK, events: ALL });
    await world.doorbell(id);
    const before = await log(id);
    const published = world.published.length;
    const { status, body, headers } = await redeliver(id);
    const { event_id, type, version, happened_at } = before.deliveries[0];
    expect([status, body]).toEqual([
      202,
      {
        ...{ ...before, pending: [{ event_id, type, version, happened_at }] },
        ...{ next_try_at: time(world.clock.nowMs()), tries: 0 },
      },
    ]);
    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(await log(id)).toEqual(body);
    expect(world.published.slice(published)).toEqual([{ tenant: ADA.tenant, id }]);
    await world.doorbell(id);
    expect(world.sent).toHaveLength(3);
    expect(world.sent[2]).toEqual(world.sent[1]);
    expect((await log(id)).deliveries).toHaveLength(3);
    // Nobody who follows the job sees any of it.
    expect((await world.stored(id))?.version).toBe(version);
  });

  test('begins the schedule anew for one that was given up', async () => {
    const id = await ended();
    world.answers.push({ delivered: false, ms: 1, status: 410, failure: 'gone', message: 'It wants no more.' });
    await world.doorbell(id);
    expect((await redeliver(id)).body).toMatchObject({ pending: [{ type: 'job.completed' }], tries: 0 });
    expect(await log(id)).not.toHaveProperty('given_up');
    world.answers.push(BROKEN);
    await world.doorbell(id);
    expect(await log(id)).toMatchObject({ pending: [{ type: 'job.completed' }], tries: 1 });
    expect((await redeliver(id)).body).toMatchObject({ tries: 0, next_try_at: time(world.clock.nowMs()) });
    await world.doorbell(id);
    expect(await log(id)).toMatchObject({ pending: [], deliveries: [{ outcome: 'delivered' }, {}, {}] });
  });

  test.each<[string, object | undefined, string]>([
    ['no webhook', undefined, 'it has no webhook'],
    [
      'a webhook that wants none of what happened',
      { url: HOOK, events: ['job.failed'] },
      'none of the events it asked',
    ],
  ])('of a job with %s is refused: 409, and changes nothing', async (_, webhook, words) => {
    const { body: made } = await world.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook });
    await world.doorbell(made.job_id);
    const before = await world.store.get({ tenant: ADA.tenant, id: made.job_id });
    const [published, { status, body }] = [world.published.length, await redeliver(made.job_id)];
    expect([status, body.code]).toEqual([409, 'nothing_to_deliver']);
    expect(body.error).toContain(words);
    expect((await world.store.get({ tenant: ADA.tenant, id: made.job_id }))?.revision).toBe(before?.revision);
    expect([world.published.length, world.sent]).toEqual([published, []]);
  });

  test('needs no body, and takes none that says something', async () => {
    const id = await ended();
    for (const [body, headers, expected] of [
      ['{}', JSON_TYPE, 202],
      ['{"event":"job.completed"}', JSON_TYPE, 400],
      ['{', JSON_TYPE, 400],
      ['now', { 'Content-Type': 'text/plain' }, 415],
    ] as const) {
      expect([body, (await world.api.send('POST', redeliverOf(id), { body, headers })).status]).toEqual([
        body,
        expected,
      ]);
    }
  });

  test('on a store that gives no answer: 503, to be asked again', async () => {
    const id = await ended();
    await world.doorbell(id);
    world.store.fail('update', 'before');
    const { status, body } = await redeliver(id);
    expect([status, body.code]).toEqual([503, 'store_unavailable']);
    expect(world.store.fired()).toBe(1);
    expect((await redeliver(id)).status).toBe(202);
  });
});

describe('who may', () => {
  test.each<[string, Principal]>([
    ['another user', EVE],
    ['another tenant', { ...ADMIN, tenant: 'other' }],
  ])('not: %s finds nothing, and changes nothing', async (_, who) => {
    const id = await ended();
    const before = await world.store.get({ tenant: ADA.tenant, id });
    const theirs = world.as(who);
    for (const { status, body } of [
      await theirs.get(deliveriesOf(id)),
      await theirs.send('POST', redeliverOf(id)),
      await theirs.get(deliveriesOf(NOBODYS)),
      await theirs.send('POST', redeliverOf(NOBODYS)),
    ]) {
      const { request_id: _, ...rest } = body;
      expect([status, rest]).toEqual([404, { success: false, error: 'Job not found', code: 'job_not_found' }]);
    }
    expect((await world.store.get({ tenant: ADA.tenant, id }))?.revision).toBe(before?.revision);
  });

  test.each([NOBODYS, 'x', '__proto__', '%00', '%', 'a%2Fb'])('there is no job %s: 404', async (id) => {
    expect([(await world.api.get(deliveriesOf(id))).status, (await redeliver(id)).status]).toEqual([404, 404]);
  });

  test('an administrator of the tenant, who leaves a line for each', async () => {
    const id = await ended();
    world.lines.length = 0;
    const admin = world.as(ADMIN);
    expect((await admin.get(deliveriesOf(id))).body).toEqual(await log(id));
    expect((await admin.send('POST', redeliverOf(id))).status).toBe(202);
    const audits = world.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'audit');
    const line = { severity: 'info', event: 'audit', actor: 'root', tenant: ADA.tenant, job_id: id, owner: 'ada' };
    expect(audits).toEqual([
      { ...line, act: 'read' },
      { ...line, act: 'redeliver' },
    ]);
  });

  test('deployments of reads look, and those of writes send again', async () => {
    const id = await ended();
    const over = { service: world.service, authenticate: alwaysAs(ADMIN) };
    for (const [method, path, reads, writes] of [
      ['GET', deliveriesOf(id), 200, 404],
      ['GET', SECRETS, 200, 404],
      ['POST', redeliverOf(id), 404, 202],
    ] as const) {
      const statusBy = async (kind: 'reads' | 'writes') =>
        (await appOver(world, over, [kind]).request(path, { method })).status;
      expect([path, await statusBy('reads'), await statusBy('writes')]).toEqual([path, reads, writes]);
    }
  });
});

describe('the secrets', () => {
  test("are those of the caller's tenant, and kept by no cache", async () => {
    const shown = [];
    for (const tenant of ['default', 'acme', 'umbrella', 'acme']) {
      const { status, headers, body } = await world.as({ ...ADMIN, tenant }).get(SECRETS);
      expect([status, headers.get('Cache-Control'), Object.keys(body)]).toEqual([
        200,
        'no-store',
        ['success', 'secrets'],
      ]);
      expect(body.secrets).toEqual([expect.stringMatching(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/)]);
      shown.push(body.secrets[0]);
    }
    const [own, acme, umbrella, again] = shown;
    expect([own, acme]).toEqual([WEBHOOK_SECRET, again]);
    expect(new Set([own, acme, umbrella]).size).toBe(3);
    const audits = world.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'audit');
    const line = { severity: 'info', event: 'audit', actor: 'root', act: 'webhook-secrets' };
    expect(audits).toEqual(['default', 'acme', 'umbrella', 'acme'].map((tenant) => ({ ...line, tenant })));
  });

  test('are not for who is no administrator', async () => {
    const { status, body } = await world.api.get(SECRETS);
    expect([status, body.code, body.scope]).toEqual([403, 'forbidden', 'admin']);
    expect(JSON.stringify(body)).not.toContain('whsec_');
  });

  test('are not there where webhooks are off', async () => {
    const off = coreWorld();
    const response = await appOver(off, { authenticate: alwaysAs(ADMIN) }).request(SECRETS);
    expect([response.status, await response.json()]).toMatchObject([409, { code: 'webhooks_off' }]);
    off.close();
  });
});

describe('with its job the webhook', () => {
  test('is deleted: its address, its log, and what it has to be told', async () => {
    const id = await ended({ url: `${HOOK}?canary`, events: ALL });
    world.answers.push(BROKEN);
    await world.doorbell(id);
    expect(JSON.stringify(await world.stored(id))).toMatch(/canary.*It answered 500/);
    expect((await world.api.send('DELETE', `/api/llm/jobs/${id}/`)).status).toBe(200);
    const left = await world.stored(id);
    for (const field of ['webhook', 'deliveries', 'outbox']) expect(left).not.toHaveProperty(field);
    expect(JSON.stringify(left)).not.toMatch(/canary|It answered/);
    await world.clock.advance(DAY_MS);
    await world.doorbell(id);
    expect(world.sent).toHaveLength(1);
    expect([(await world.api.get(deliveriesOf(id))).status, (await redeliver(id)).status]).toEqual([404, 404]);
  });

  test('is not told that it was deleted before its end', async () => {
    const id = await submitted({ url: HOOK, events: ALL });
    await world.api.send('DELETE', `/api/llm/jobs/${id}/`);
    await world.doorbell(id);
    expect([(await world.stored(id))?.state, world.sent]).toEqual(['cancelled', []]);
  });

  test('goes on to the job that is made of it', async () => {
    const failing = openWebhookWorld({
      // biome-ignore lint/correctness/useYield: it fails before
      generate: async function* () {
        throw new Error('failed by the test');
      },
    });
    const webhook = { url: HOOK, events: ['job.started', 'job.failed'], include: 'job' };
    const { body: old } = await failing.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook });
    await failing.doorbell(old.job_id);
    const { status, body: made } = await failing.api.send('POST', retryOf(old.job_id));
    expect(status).toBe(202);
    expect((await failing.api.get(made.urls.deliveries)).body).toEqual({
      ...{ success: true, job_id: made.job_id, webhook, pending: [], deliveries: [] },
    });
    await failing.doorbell(made.job_id);
    await failing.doorbell(made.job_id);
    const told = failing.sent.map(({ url, message }) => [url, JSON.parse(message.body)]);
    expect(told).toMatchObject([
      [HOOK, { type: 'job.started', data: { job_id: made.job_id } }],
      [HOOK, { type: 'job.failed', data: { job_id: made.job_id, job: { retry_of: old.job_id } } }],
    ]);
    failing.close();
  });

  test('that was not told before the job expired is told of its end, without the job', async () => {
    const id = await ended({ url: HOOK, include: 'job' }, { ttl_seconds: 60 });
    world.answers.push({ ...BROKEN, retryAfterMs: 120_000 });
    await world.doorbell(id);
    await world.clock.advance(120_000);
    await world.doorbell(id);
    const [first, second] = world.sent.map(({ message }) => JSON.parse(message.body));
    expect([first.data.job.status, second.type]).toEqual(['completed', 'job.completed']);
    expect(second.data).not.toHaveProperty('job');
  });

  test('with store: false gets the job with its result while that is there, and without it from then on', async () => {
    const id = await ended({ url: HOOK, include: 'job' }, { store: false });
    await world.doorbell(id);
    const first = JSON.parse(world.sent[0]?.message.body ?? '');
    expect(first.data.job).toMatchObject({ status: 'completed', store: false, result_data: { result: 'Hi!' } });
    // To be told is not to have read it.
    expect((await world.api.get(statusOf(id))).body.result_data).toBeDefined();
    await world.clock.advance(READ_GRACE_MS);
    await redeliver(id);
    await world.doorbell(id);
    const second = JSON.parse(world.sent[1]?.message.body ?? '');
    expect(second.data.job).toMatchObject({
      status: 'completed',
      store: false,
      payloads_removed_at: expect.any(String),
    });
    expect(second.data.job).not.toHaveProperty('result_data');
    expect(world.sent[1]?.message.id).toBe(world.sent[0]?.message.id);
    expect(JSON.stringify(await world.store.getWithInput({ tenant: ADA.tenant, id }))).toContain(HOOK);
  });
});

test('an event that comes while an earlier one is told follows at once, whatever the clocks say', async () => {
  let finish = () => {};
  const own = openWebhookWorld({
    generate: async function* () {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      yield* answer();
    },
  });
  const { body } = await own.api.post(SUBMIT, {
    ...general({ prompt: 'Hello.' }),
    webhook: { url: HOOK, events: ALL },
  });
  const running = own.run({ tenant: ADA.tenant, id: body.job_id });
  await own.clock.advance(0);
  own.answers.push(async () => {
    finish();
    await running;
    // Within a millisecond, as every look at the store takes a while.
    own.store.before('get', () => own.clock.advance(0.4));
    return DELIVERED;
  });
  await own.doorbell(body.job_id);
  const told = own.sent.map(({ message }) => JSON.parse(message.body).type);
  expect(told).toEqual(['job.started', 'job.completed']);
  own.close();
});

test('an event costs a message, a read and two writes, and so does each try', async () => {
  const costs = () => {
    const [reads, writes] = [world.store.calls('get'), world.store.calls('create') + world.store.calls('update')];
    return [world.store.calls('getWithInput') + reads, writes, world.published.length];
  };
  const costOf = async (work: () => Promise<unknown>) => {
    const before = costs();
    await work();
    return costs().map((calls, index) => calls - (before[index] ?? 0));
  };
  const { body } = await world.api.post(SUBMIT, general({ prompt: 'Hello.' }));
  const plain = await costOf(() => world.doorbell(body.job_id));
  const id = await submitted();
  expect(await costOf(() => world.doorbell(id))).toEqual([plain[0], plain[1], (plain[2] ?? 0) + 1]);
  world.answers.push(BROKEN);
  for (const outcome of ['failed', 'delivered']) {
    expect(await costOf(() => world.doorbell(id))).toEqual([1, 2, 0]);
    expect((await log(id)).deliveries[0].outcome).toBe(outcome);
    await world.clock.advance(6_000);
  }
});

test('a service without a sender shows what was, and sends nothing again', async () => {
  const off = coreWorld();
  const job = await off.submit();
  const refuse = refuser(off);
  expect((await refuse('POST', redeliverOf(job.id), '{}')).body.code).toBe('nothing_to_deliver');
  expect((await refuse('GET', deliveriesOf(job.id))).body).toMatchObject({ pending: [], deliveries: [] });
  expect((await refuse('GET', LIST)).body.jobs).toHaveLength(1);
  off.close();
});
