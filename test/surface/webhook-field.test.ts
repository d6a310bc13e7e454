/** `webhook` on the wire: by every way in, what is kept of it, what is shown, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NOTICE_TYPES } from '../../shared/core/notices.ts';
import { intakeHandler } from '../../shared/http/intake.ts';
import { parsePublished } from '../../shared/job-types/submission.ts';
import { toWebhook } from '../../shared/job-types/webhook-field.ts';
import { BATCH, general, LIST, openApp, SUBMIT, statusOf, type TestApp, TRAINER } from '../support/app.ts';
import { ADA, coreWorld } from '../support/core-world.ts';
import { JSON_TYPE, refuser } from './counted-app.ts';
import { openWebhookWorld } from './webhook-world.ts';

const URL_ = 'https://hooks.example.com/jobs?token=canary-of-the-url';
const RULE = 'must be an http or https URL of at most 2048 characters';
const ONE_OF = 'must be one of: job.started, job.completed, job.failed, job.cancelled';
const KNOWN = 'is not a known field; known fields: url, events, include';
const BODY = general({ prompt: 'Hello.' });
const TRAINER_BODY = { model_id: 'simulated', full_input: 'Hello.' };

/** What is wrong with each, and how all of it is named. */
const WRONG: [string, unknown, [string, string][]][] = [
  ...[null, 'https://hooks.example.com/', 7, true].map((webhook): [string, unknown, [string, string][]] => [
    JSON.stringify(webhook),
    webhook,
    [['webhook', 'must be an object']],
  ]),
  ['a list', [URL_], [['webhook', 'must be an object']]],
  ['nothing in it', {}, [['webhook.url', 'is required, a string']]],
  ['a number for a URL', { url: 7 }, [['webhook.url', 'must be a string']]],
  ['a list for a URL', { url: [] }, [['webhook.url', 'must be a string']]],
  ...[
    ...[
      '',
      ' ',
      'hooks.example.com',
      '/hooks',
      '//hooks.example.com/',
      'https:hooks.example.com',
      'https://',
      'http:///',
    ],
    ...[
      'ftp://hooks.example.com/',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'data:,x',
      'https://a b/',
      'http://[::1',
    ],
    ...[` ${URL_}`, `${URL_}\n`, 'ht\ttps://hooks.example.com/', 'https://hooks.example.com:70000/', 'https://%00/'],
    ...[`https://hooks.example.com/${'x'.repeat(2_048 - 25)}`, 'https://ho\u0000oks.example.com/'],
  ].map((url): [string, unknown, [string, string][]] => [
    `the URL ${JSON.stringify(url).slice(0, 50)}`,
    { url },
    [['webhook.url', RULE]],
  ]),
  ['events that are no list', { url: URL_, events: 'job.failed' }, [['webhook.events', 'must be an array']]],
  ['no event', { url: URL_, events: [] }, [['webhook.events', 'must hold 1 to 4 events']]],
  [
    'unknown events, all of them',
    { url: URL_, events: ['job.failed', 'failed', 'job.*', 5, null] },
    [
      ['webhook.events.1', ONE_OF],
      ['webhook.events.2', ONE_OF],
      ['webhook.events.3', ONE_OF],
      ['webhook.events.4', ONE_OF],
    ],
  ],
  [
    'five events',
    { url: URL_, events: [...NOTICE_TYPES.map((type) => `job.${type}`), 'job.failed'] },
    [['webhook.events', 'must hold 1 to 4 events']],
  ],
  [
    'an event three times',
    { url: URL_, events: ['job.failed', 'job.started', 'job.failed', 'job.failed'] },
    [
      ['webhook.events.2', 'is webhook.events.0 already; leave it out'],
      ['webhook.events.3', 'is webhook.events.0 already; leave it out'],
    ],
  ],
  ...['result', 'Job', '', null, true, ['job']].map((include): [string, unknown, [string, string][]] => [
    `include ${JSON.stringify(include)}`,
    { url: URL_, include },
    [['webhook.include', 'must be one of: job']],
  ]),
  [
    'unknown fields, and all else wrong, too',
    { uri: URL_, secret: 'x', events: ['done'], include: 'all' },
    [
      ['webhook.url', 'is required, a string'],
      ['webhook.events.0', ONE_OF],
      ['webhook.include', 'must be one of: job'],
      ['webhook.uri', KNOWN],
      ['webhook.secret', KNOWN],
    ],
  ],
  ['a lone surrogate', { url: 'https://hooks.example.com/\ud800' }, [['webhook.url', 'holds a lone surrogate; ']]],
];
const detailsOf = (wrong: [string, string][]) =>
  wrong.map(([path, words]) => ({ path, message: expect.stringContaining(words) }));

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

type Refused = { status: number; details: object[] };
const DOORS: [string, (webhook: unknown) => Promise<Refused>][] = [
  [
    'a submit',
    async (webhook) => {
      const { status, body } = await api.post(SUBMIT, { ...BODY, webhook });
      return { status, details: body.details };
    },
  ],
  [
    'a PUT',
    async (webhook) => {
      const call = { body: JSON.stringify({ ...BODY, webhook }), headers: JSON_TYPE };
      const { status, body } = await api.send('PUT', `/api/llm/jobs/${crypto.randomUUID()}/`, call);
      return { status, details: body.details };
    },
  ],
  [
    'a trainer analysis',
    async (webhook) => {
      const { status, body } = await api.post(TRAINER, { ...TRAINER_BODY, webhook });
      return { status, details: body.details };
    },
  ],
  [
    'a job of a batch',
    async (webhook) => {
      const { status, body } = await api.post(BATCH, { jobs: [{ ...BODY, webhook }] });
      return { status, details: body.items[0].details };
    },
  ],
];

describe.each(DOORS)('%s', (_, send) => {
  test.each(WRONG)('with %s is refused, and makes nothing', async (_what, webhook, wrong) => {
    const { status, details } = await send(webhook);
    expect(status).toBe(400);
    expect(details).toHaveLength(wrong.length);
    expect(details).toEqual(expect.arrayContaining(detailsOf(wrong)));
    expect((await api.get(LIST)).body.jobs).toEqual([]);
  });
});

test('a published submission with any of them is a failed job that says so, and tells nobody', async () => {
  const world = openWebhookWorld();
  const publish = intakeHandler({ service: world.service, log: world.log, parse: parsePublished }, ADA);
  for (const [what, webhook, wrong] of WRONG) {
    const data = Buffer.from(JSON.stringify({ ...BODY, webhook })).toString('base64');
    expect(await publish({ message: { data, messageId: what }, subscription: 's' })).toBe(true);
    const { jobs } = await world.service.list(ADA, { limit: 1, offset: 0 });
    const { state, error } = jobs[0]?.job ?? {};
    expect([what, state, error?.code]).toEqual([what, 'failed', 'invalid_request']);
    for (const [path, words] of wrong) expect(error?.message).toContain(`${path}: ${words}`);
    expect(jobs[0]?.job).not.toHaveProperty('webhook');
    await world.clock.advance(1_000);
  }
  expect([world.calls(), world.sent]).toEqual([0, []]);
  world.close();
});

describe.each<[string, string, string, object, (body: object) => object]>([
  ['a submit', 'POST', SUBMIT, BODY, (body) => body],
  ['a PUT', 'PUT', `/api/llm/jobs/${crypto.randomUUID()}/`, BODY, (body) => body],
  ['a trainer analysis', 'POST', TRAINER, TRAINER_BODY, (body) => body],
  ['a job of a batch', 'POST', BATCH, BODY, (body) => ({ jobs: [body] })],
])('%s', (_, method, path, own, wrap) => {
  const detailsIn = (body: { details?: object[]; items?: { details: object[] }[] }) =>
    body.items?.[0]?.details ?? body.details;

  test('names the webhook where there are none', async () => {
    const off = coreWorld();
    const refused = await refuser(off)(method, path, JSON.stringify(wrap({ ...own, webhook: { url: URL_ } })));
    expect([refused.status, detailsIn(refused.body)]).toEqual([
      400,
      [{ path: 'webhook', message: 'cannot be had here: WEBHOOK_SECRETS is not set' }],
    ]);
    off.close();
  });

  test.each([
    ['http://hooks.example.com/', 'must be an https URL'],
    ['https://user:secret@hooks.example.com/', 'must hold no user or password'],
    ['https://other.example.org/', 'must go to one of: *.example.com, 127.0.0.1'],
    ['https://hooks.example.com.evil.example/', 'must go to one of: *.example.com, 127.0.0.1'],
    ['https://127.0.0.1/', 'must name a public host, not such an address'],
    ['https://0x7f.1/', 'must name a public host, not such an address'],
  ])('names its URL where it may not be called: %s', async (url, message) => {
    const picky = openWebhookWorld({ hosts: ['*.example.com', '127.0.0.1'], allowPrivate: false });
    const call = { body: JSON.stringify(wrap({ ...own, webhook: { url } })), headers: JSON_TYPE };
    const { status, body } = await picky.api.send(method, path, call);
    expect([status, detailsIn(body)]).toEqual([400, [{ path: 'webhook.url', message }]]);
    expect([JSON.stringify(body).includes('secret'), (await picky.api.get(LIST)).body.jobs]).toEqual([false, []]);
    picky.close();
  });
});

test('one job of a batch whose webhook may not be called is one job less', async () => {
  const picky = openWebhookWorld({ allowPrivate: false });
  const jobs = [BODY, { ...BODY, webhook: { url: 'https://localhost/' } }, { ...BODY, webhook: { url: URL_ } }];
  const { status, body } = await picky.api.post(BATCH, { jobs });
  expect([status, body]).toMatchObject([202, { accepted: 2, rejected: 1 }]);
  expect(body.items[1]).toMatchObject({ index: 1, code: 'invalid_request', details: [{ path: 'webhook.url' }] });
  picky.close();
});

test('a service that has no sender still refuses what it would not understand', async () => {
  const world = coreWorld();
  const refuse = refuser(world);
  const { body } = await refuse('POST', SUBMIT, JSON.stringify({ ...BODY, webhook: { url: 'x' } }));
  expect(body.details).toEqual([{ path: 'webhook.url', message: RULE }]);
  world.close();
});

describe('what is accepted', () => {
  const MOST = { url: URL_, events: ['job.cancelled', 'job.started', 'job.failed'], include: 'job' };

  test('is kept with the job by every way in, and only its deliveries show it', async () => {
    const world = openWebhookWorld();
    const id = crypto.randomUUID();
    const put = { body: JSON.stringify({ ...BODY, webhook: MOST }), headers: JSON_TYPE };
    const { body: batch } = await world.api.post(BATCH, { jobs: [{ ...BODY, webhook: MOST }] });
    const made = [
      (await world.api.post(SUBMIT, { ...BODY, webhook: MOST })).body,
      (await world.api.send('PUT', `/api/llm/jobs/${id}/`, put)).body,
      (await world.api.post(TRAINER, { ...TRAINER_BODY, webhook: MOST })).body,
      batch.items[0],
    ];
    const publish = intakeHandler({ service: world.service, log: world.log, parse: parsePublished }, ADA);
    const job_id = crypto.randomUUID();
    const data = Buffer.from(JSON.stringify({ ...BODY, job_id, webhook: MOST })).toString('base64');
    expect(await publish({ message: { data, messageId: 'm' }, subscription: 's' })).toBe(true);
    made.push((await world.api.get(statusOf(job_id))).body);
    for (const submitted of made) {
      const urls = { deliveries: `/api/llm/jobs/${submitted.job_id}/deliveries/` };
      expect(submitted).toMatchObject({ success: true, urls });
      expect((await world.api.get(statusOf(submitted.job_id))).body).toMatchObject({ urls });
      expect((await world.store.get({ tenant: ADA.tenant, id: submitted.job_id }))?.job.webhook).toEqual({
        ...{ url: URL_, events: ['started', 'failed', 'cancelled'], include: 'job' },
      });
      const log = await world.api.get(urls.deliveries);
      const webhook = { ...MOST, events: ['job.started', 'job.failed', 'job.cancelled'] };
      expect([log.status, log.body]).toEqual([
        200,
        { success: true, job_id: submitted.job_id, webhook, pending: [], deliveries: [] },
      ]);
    }
    const shown = JSON.stringify([made, (await world.api.get(LIST)).body]);
    expect([shown.includes('canary'), shown.includes('"webhook"'), made.length]).toEqual([false, false, 5]);
    // Nor does a line of the log.
    expect(world.lines.join('\n')).not.toContain('canary');
    world.close();
  });

  test.each([
    URL_,
    'http://127.0.0.1:9/',
    'HTTPS://HOOKS.EXAMPLE.COM',
    'https://hooks.example.com:8443/a/../b?c=%20#d',
    'https://bücher.example/ä',
    `https://hooks.example.com/${'x'.repeat(2_048 - 26)}`,
  ])('the URL %.50s', async (url) => {
    const own = openWebhookWorld();
    const { status, body } = await own.api.post(SUBMIT, { ...BODY, webhook: { url } });
    expect([status, body.error]).toEqual([202, undefined]);
    expect((await own.api.get(body.urls.deliveries)).body.webhook.url).toBe(url);
    own.close();
  });

  test('without events is told the ends', () => {
    const ends = ['completed', 'failed', 'cancelled'];
    expect(toWebhook({ webhook: { url: URL_ } })).toEqual({ webhook: { url: URL_, events: ends } });
    expect(toWebhook({})).toEqual({});
  });

  test('is the same submission when it means the same, and another one when it does not', async () => {
    const own = openWebhookWorld();
    const send = async (webhook: object | undefined) => {
      const { status, body } = await own.api.post(SUBMIT, { ...BODY, webhook }, { 'Idempotency-Key': 'k' });
      return status === 202 ? body.job_id : body.code;
    };
    const first = await send({ url: URL_ });
    const ends = ['job.cancelled', 'job.failed', 'job.completed'];
    expect(await send({ events: ends, url: URL_ })).toBe(first);
    expect(await send({ url: URL_, events: ends.toReversed() })).toBe(first);
    for (const other of [
      undefined,
      { url: `${URL_}2` },
      { url: URL_, include: 'job' },
      { url: URL_, events: ['job.failed'] },
      { url: URL_, events: [...ends, 'job.started'] },
    ]) {
      expect([other, await send(other)]).toEqual([other, 'idempotency_conflict']);
    }
    own.close();
  });
});

test('the description and the schema of messages say what it may hold', async () => {
  const { body } = await api.get('/openapi.json');
  const published = (await api.get('/api/llm/schemas/published-submission.json')).body;
  const branches = [
    ...body.paths['/api/llm/jobs/submit'].post.requestBody.content['application/json'].schema.oneOf,
    body.paths['/api/llm/trainer-analysis'].post.requestBody.content['application/json'].schema,
    ...published.oneOf,
  ];
  expect(branches.length).toBeGreaterThan(10);
  for (const { properties } of branches) {
    const { webhook } = properties;
    expect(webhook).toMatchObject({ type: 'object', required: ['url'], additionalProperties: false });
    expect(Object.keys(webhook.properties)).toEqual(['url', 'events', 'include']);
    expect(webhook.properties.events).toMatchObject({
      ...{ type: 'array', minItems: 1, maxItems: 4 },
      uniqueItems: true,
      items: { enum: NOTICE_TYPES.map((type) => `job.${type}`) },
    });
  }
});

test('other contracts know no webhook', async () => {
  const world = openWebhookWorld();
  const { status, body } = await world.api.post('/jobs', {
    ...{ prompt: 'Hello.', provider: 'simulated', model: 'simulated' },
    webhook: { url: URL_ },
  });
  expect(status).toBe(202);
  expect((await world.store.get({ tenant: ADA.tenant, id: body.id ?? body.jobId }))?.job).not.toHaveProperty('webhook');
  world.close();
});
