/** Fallbacks, experiments, cached answers and background mode on the wire: by every way in, what is shown, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobService } from '../../shared/core/service.ts';
import { intakeHandler } from '../../shared/http/intake.ts';
import { parsePublished } from '../../shared/job-types/submission.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import {
  BATCH,
  general,
  LIST,
  MODELS,
  openApp,
  resultOf,
  SUBMIT,
  statusOf,
  type TestApp,
  TRAINER,
} from '../support/app.ts';
import { ADA, coreWorld, NO_PROVIDERS } from '../support/core-world.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const KEYS = { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: 'http://127.0.0.1:9' };
const variants = (first: object = {}, second: object = {}) => [
  { name: 'short', weight: 70, ...first },
  { name: 'long', weight: 30, ...second },
];
const tone = (first: object = {}, second: object = {}) => ({
  experiment: { name: 'tone', variants: variants(first, second) },
});

const NO_MODEL = 'no such model; ';
const NAME = 'must be 1 to 64 letters, digits, dots, underscores or hyphens, not beginning with one of those three';
const WEIGHT = 'must be a number above 0 and below 100, with at most two decimals';
const CACHE = 'must be a whole number of seconds from 1 to 2592000';
const IS_MODEL = 'is the model of the job already; name another model, or leave it out';
const NO_BACKGROUND = 'has no background mode; these have: simulated, ';

/** What is wrong with each beside an input of a prompt and `temperature`, on gpt-4o, and how all of it is named. */
const WRONG: [string, object, [string, string][]][] = [
  ['no fallback', { fallbacks: [] }, [['fallbacks', 'must hold 1 to 5 models']]],
  ['six fallbacks', { fallbacks: Array(6).fill('simulated') }, [['fallbacks', 'must hold 1 to 5 models']]],
  ['fallbacks that are no list', { fallbacks: 'o3' }, [['fallbacks', 'must be an array']]],
  [
    'fallbacks that are no text',
    { fallbacks: ['', 7] },
    [
      ['fallbacks.0', 'must not be empty'],
      ['fallbacks.1', 'must be a string'],
    ],
  ],
  [
    'unknown fallbacks, all of them',
    { fallbacks: ['gpt-4.2', 'simulated', 'nothing'] },
    [
      ['fallbacks.0', `${NO_MODEL}did you mean gpt-4.1`],
      ['fallbacks.2', NO_MODEL],
    ],
  ],
  ['the model itself, under another name', { fallbacks: ['openai/gpt-4o'] }, [['fallbacks.0', IS_MODEL]]],
  ['a retired name of it', { fallbacks: ['gpt-4-turbo-preview'] }, [['fallbacks.0', IS_MODEL]]],
  [
    'a model twice',
    { fallbacks: ['simulated', 'gpt-4', 'Simulated'] },
    [['fallbacks.2', 'is fallbacks.0 already; name another model, or leave it out']],
  ],
  [
    'one that does not take the input',
    { fallbacks: ['simulated', 'o3'] },
    [['fallbacks.1', 'cannot take input_data.temperature: ']],
  ],
  [
    'several kinds at once',
    { fallbacks: ['nothing', 'gpt-4o'], store: false, cache_ttl_seconds: 60, background: true },
    [
      ['cache_ttl_seconds', 'needs an answer that is kept; leave it out, or leave out store: false'],
      ['fallbacks.0', NO_MODEL],
      ['fallbacks.1', IS_MODEL],
      ['background', 'has the provider keep the answer; leave it out, or leave out store: false'],
    ],
  ],
  [
    'weights that do not add up',
    tone({ weight: 60 }),
    [['experiment.variants', 'weights must add up to 100; these add up to 90']],
  ],
  [
    'weights that are none',
    tone({ weight: 70.001 }, { weight: '30' }),
    [
      ['experiment.variants.0.weight', WEIGHT],
      ['experiment.variants.1.weight', WEIGHT],
    ],
  ],
  [
    'two variants of one name',
    tone({ name: 'long' }),
    [['experiment.variants.1.name', 'is the name of experiment.variants.0 already; take another one']],
  ],
  [
    'names that are none',
    { experiment: { name: 'a/b', variants: variants({ name: '' }, { name: '-x' }) } },
    [
      ['experiment.name', NAME],
      ['experiment.variants.0.name', NAME],
      ['experiment.variants.1.name', NAME],
    ],
  ],
  [
    'one variant',
    { experiment: { name: 'tone', variants: [{ name: 'all', weight: 99 }] } },
    [['experiment.variants', 'must hold 2 to 10 variants']],
  ],
  [
    'an empty subject',
    { experiment: { ...tone().experiment, subject: '' } },
    [['experiment.subject', 'must not be empty']],
  ],
  [
    'a field that there is not',
    tone({ model: 'simulated' }),
    [['experiment.variants.0.model', 'is not a known field; known fields: name, weight, model_id, input_data']],
  ],
  [
    'an unknown model that no variant would ask',
    { ...tone({ model_id: 'gpt-4o' }, { model_id: 'gpt-4.1' }), model_id: 'nothing' },
    [['model_id', NO_MODEL]],
  ],
  ['an unknown model of a variant', tone({ model_id: 'nothing' }), [['experiment.variants.0.model_id', NO_MODEL]]],
  [
    'an input that is none',
    tone({}, { input_data: { prompt: '', temprature: 1 } }),
    [
      ['experiment.variants.1.input_data.prompt', 'must not be empty'],
      ['experiment.variants.1.input_data.temprature', 'is not a known field; '],
    ],
  ],
  [
    'an input that contradicts the rest',
    tone({}, { input_data: { messages: [{ role: 'user', content: 'Hi.' }] } }),
    [['experiment.variants.1.input_data.messages', 'must not be given beside prompt']],
  ],
  [
    'an input that its model does not take',
    tone({ input_data: { temperature: 2.5 } }),
    [['experiment.variants.0.input_data.temperature', '']],
  ],
  [
    "a model that does not take the job's input",
    tone({}, { model_id: 'o3' }),
    [['experiment.variants.1.input_data.temperature', '']],
  ],
  [
    'a fallback that does not take the input of a variant',
    {
      ...tone({ input_data: { top_p: 0.5 } }),
      fallbacks: ['o3'],
    },
    [
      ['fallbacks.0', 'cannot take input_data.temperature of experiment.variants.0: '],
      ['fallbacks.0', 'cannot take input_data.top_p of experiment.variants.0: '],
      ['fallbacks.0', 'cannot take input_data.temperature: '],
    ],
  ],
  [
    'a fallback that is the model of a variant',
    { ...tone({}, { model_id: 'simulated' }), fallbacks: ['Simulated'] },
    [['experiment.variants.1.model_id', 'is fallbacks.0 already; name another model here or there']],
  ],
  [
    'a fallback that is the model of the other variant',
    { ...tone({ model_id: 'simulated' }), fallbacks: ['gpt-4o'] },
    [['fallbacks.0', IS_MODEL]],
  ],
  [
    'an input with a name that is lost',
    JSON.parse(
      '{"experiment":{"name":"tone","variants":[{"name":"a","weight":50},{"name":"b","weight":50,"input_data":{"__proto__":1}}]}}',
    ),
    [['experiment.variants.1.input_data.__proto__', 'is a name that cannot be kept; use another one']],
  ],
  ...[0, 2_592_001, 1.5, -1, '60', null, true].map((value): [string, object, [string, string][]] => [
    `cache_ttl_seconds: ${JSON.stringify(value)}`,
    { cache_ttl_seconds: value },
    [['cache_ttl_seconds', CACHE]],
  ]),
  [
    'a cached answer that is not kept',
    { cache_ttl_seconds: 60, store: false },
    [['cache_ttl_seconds', 'needs an answer that is kept; leave it out, or leave out store: false']],
  ],
  ['background that is none', { background: 'yes' }, [['background', 'must be a boolean']]],
  [
    'background that is not kept',
    { background: true, store: false },
    [['background', 'has the provider keep the answer; leave it out, or leave out store: false']],
  ],
  [
    'background that is streamed',
    { background: true, stream: true },
    [['background', 'cannot be streamed; leave it out, or leave out stream: true']],
  ],
  [
    'background on a model without',
    { model_id: 'llama3.2', background: true },
    [['background', `llama3.2 ${NO_BACKGROUND}`]],
  ],
  [
    'background on fallbacks without',
    { background: true, fallbacks: ['gpt-4', 'llama3.2'] },
    [['fallbacks.1', `llama3.2 ${NO_BACKGROUND}`]],
  ],
  [
    'background on a variant without',
    { background: true, ...tone({ model_id: 'llama3.2' }) },
    [['experiment.variants.0.model_id', `llama3.2 ${NO_BACKGROUND}`]],
  ],
];
const BODY = { ...general({ prompt: 'Hello.', temperature: 0.5 }, 'gpt-4o') };
const expected = (wrong: [string, string][]) =>
  wrong.map(([path, words]) => ({ path, message: expect.stringContaining(words) }));

let api: TestApp;
beforeAll(async () => {
  const compatible = { OPENAI_COMPATIBLE_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_COMPATIBLE_MODELS: 'llama3.2' };
  api = await openApp({ ...KEYS, ...compatible });
});
afterAll(() => api.close());

describe.each<[string, (body: object) => Promise<{ status: number; details: object[] }>]>([
  [
    'a submit',
    async (body) => {
      const { status, body: refused } = await api.post(SUBMIT, body);
      return { status, details: refused.details };
    },
  ],
  [
    'a PUT',
    async (body) => {
      const path = `/api/llm/jobs/${crypto.randomUUID()}/`;
      const { status, body: refused } = await api.send('PUT', path, { body: JSON.stringify(body), headers: JSON_TYPE });
      return { status, details: refused.details };
    },
  ],
  [
    'a job of a batch',
    async (body) => {
      const { status, body: refused } = await api.post(BATCH, { jobs: [body] });
      return { status, details: refused.items[0].details };
    },
  ],
])('%s', (_, send) => {
  test.each(WRONG)('with %s is refused, and makes nothing', async (_what, fields, wrong) => {
    const refused = await send({ ...BODY, ...fields });
    expect(refused).toEqual({ status: 400, details: expect.arrayContaining(expected(wrong)) });
    expect(refused.details).toHaveLength(wrong.length);
    expect((await api.get(LIST)).body.jobs).toEqual([]);
  });
});

test.each(WRONG)('a published submission with %s is a failed job that says so', async (_, fields, wrong) => {
  const world = coreWorld();
  const own = { openaiCompatibleBaseUrl: 'http://127.0.0.1:9/v1', openaiCompatibleModels: ['llama3.2'] };
  const models = modelCatalog({ ...NO_PROVIDERS, ...own, openaiApiKey: 'sk-test', clock: world.clock });
  const service = jobService({ ...world, models, wakeShards: 1 });
  const publish = intakeHandler({ ...world, service, parse: parsePublished }, ADA);
  const data = Buffer.from(JSON.stringify({ ...BODY, ...fields })).toString('base64');
  expect(await publish({ message: { data, messageId: 'm-1' }, subscription: 's' })).toBe(true);
  const { jobs } = await world.service.list(ADA, { limit: 10, offset: 0 });
  expect(jobs).toMatchObject([{ job: { state: 'failed', error: { code: 'invalid_request' } } }]);
  for (const [path, words] of wrong) expect(jobs[0]?.job.error?.message).toContain(`${path}: ${words}`);
  expect(world.calls()).toBe(0);
  service.close();
  world.close();
});

test('a fallback, or a model of a variant, that cannot be used yet is named', async () => {
  const own = await openApp();
  const body = general({ prompt: 'Hello.' });
  const reason = 'GPT-4o cannot be used yet: set OPENAI_API_KEY where the service runs.';
  const named = async (fields: object) => {
    const { status, body: refused } = await own.post(SUBMIT, { ...body, ...fields });
    return [status, refused.code, refused.error, refused.details];
  };
  const path = 'experiment.variants.1.model_id';
  expect(await named({ fallbacks: ['gpt-4o'] })).toEqual([
    ...[503, 'model_unavailable', `fallbacks.0: ${reason}`, [{ path: 'fallbacks.0', message: reason }]],
  ]);
  expect(await named(tone({}, { model_id: 'gpt-4o' }))).toEqual([
    ...[503, 'model_unavailable', `${path}: ${reason}`, [{ path, message: reason }]],
  ]);
  // What is wrong comes first.
  expect((await named({ fallbacks: ['gpt-4o', 'nothing'] }))[0]).toBe(400);
  expect((await own.get(LIST)).body.jobs).toEqual([]);
  await own.close();
});

describe('a job that says all of it', () => {
  const said = { fallbacks: ['openai/gpt-4', 'gpt-4o-mini'], cache_ttl_seconds: 2_592_000, ...tone() };
  const shown = {
    fallbacks: [
      { id: '1a97ccb9-2e49-44b1-869c-e82054a05243', name: 'GPT-4', provider: 'openai' },
      { id: '26ed3a75-6c57-455c-bb19-197013987914', name: 'GPT-4o mini', provider: 'openai' },
    ],
    arm: expect.stringMatching(/^tone\/(short|long)$/),
    cache_ttl_seconds: 2_592_000,
  };

  test.each<[string, string, object]>([
    ['a submit', SUBMIT, general({ prompt: 'Hello.' })],
    ['a trainer analysis', TRAINER, { model_id: 'simulated', full_input: 'Hello.' }],
  ])('%s: it is in its answer, status, result and list', async (_, path, body) => {
    const submitted = await api.post(path, { ...body, ...said });
    expect([submitted.status, submitted.body.error]).toEqual([202, undefined]);
    const id = submitted.body.job_id;
    const view = await api.poll(id);
    const { body: result } = await api.get(resultOf(id));
    const { arm } = submitted.body;
    const { body: listed } = await api.get(`${LIST}?limit=1&arm=${encodeURIComponent(arm)}`);
    for (const seen of [submitted.body, view, result, listed.jobs[0]]) {
      expect(seen).toMatchObject({ job_id: id, ...shown, arm });
    }
    const other = arm === 'tone/short' ? 'tone/long' : 'tone/short';
    const ofOther = (await api.get(`${LIST}?arm=${other}`)).body.jobs.map((job: { job_id: string }) => job.job_id);
    expect(ofOther).not.toContain(id);
  });

  test('background is shown, and what says nothing shows nothing', async () => {
    const { body } = await api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), background: true });
    expect((await api.get(statusOf(body.job_id))).body).toMatchObject({ background: true });
    const plain = await api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), background: false });
    for (const name of ['fallbacks', 'arm', 'background', 'cache_ttl_seconds']) {
      expect(plain.body).not.toHaveProperty(name);
      expect((await api.get(statusOf(plain.body.job_id))).body).not.toHaveProperty(name);
    }
  });
});

describe('a variant', () => {
  test("lays its fields over the job's, and takes its own model; a subject always gets the same one", async () => {
    const world = coreWorld();
    const models = modelCatalog({ ...NO_PROVIDERS, openaiApiKey: 'sk-test', clock: world.clock });
    const service = jobService({ ...world, models, wakeShards: 1 });
    const experiment = {
      name: 'tone',
      variants: variants(
        { weight: 50, input: { temperature: 1 } },
        { weight: 50, model: 'gpt-4o', input: { max_tokens: 50 } },
      ),
    };
    const arms = new Map<string, string>();
    for (let n = 0; n < 40; n++) {
      const subject = `user-${n % 10}`;
      const { job } = await service.submit(ADA, {
        ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.', temperature: 0 } },
        experiment: { ...experiment, subject },
      });
      const { input } = (await world.store.getWithInput(job)) ?? {};
      const arm = job.arm ?? '';
      expect([job.model.model, input]).toEqual(
        arm === 'tone/short'
          ? ['simulated', { prompt: 'Hello.', temperature: 1 }]
          : ['gpt-4o', { prompt: 'Hello.', temperature: 0, max_tokens: 50 }],
      );
      expect(arms.get(subject) ?? arm).toBe(arm);
      arms.set(subject, arm);
    }
    expect(new Set(arms.values())).toEqual(new Set(['tone/short', 'tone/long']));
    service.close();
    world.close();
  });

  test('that would cost more than max_cost is refused, whichever the job would get', async () => {
    const body = { ...general({ prompt: 'x'.repeat(4_000) }), max_cost: 0.0001 };
    expect((await api.post(SUBMIT, body)).status).toBe(202);
    const costly = tone({ weight: 99.99 }, { weight: 0.01, model_id: 'gpt-4' });
    const { status, body: refused } = await api.post(SUBMIT, { ...body, ...costly });
    expect([status, refused.details]).toEqual([
      400,
      [{ path: 'max_cost', message: expect.stringContaining('A call of gpt-4 with this input costs at least') }],
    ]);
  });

  test.each<[string, object, number]>([
    ['says the same', tone(), 202],
    ['has other weights', tone({ weight: 60 }, { weight: 40 }), 409],
    ['has a subject', { experiment: { ...tone().experiment, subject: 'a' } }, 409],
    ['has no experiment', {}, 409],
    ['has a fallback', { ...tone(), fallbacks: ['gpt-4'] }, 409],
    ['may be cached', { ...tone(), cache_ttl_seconds: 60 }, 409],
    ['is in the background', { ...tone(), background: true }, 409],
    ['says that it is not', { ...tone(), background: false }, 202],
  ])('of a repeat under the same key that %s', async (what, fields, status) => {
    const submit = (more: object) =>
      api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), ...more }, { 'Idempotency-Key': `routing: ${what}` });
    const first = await submit(tone());
    const again = await submit(fields);
    expect([first.status, again.status]).toEqual([202, status]);
    if (status === 409) expect(again.body.code).toBe('idempotency_conflict');
    else expect([again.body.job_id, again.body.arm]).toEqual([first.body.job_id, first.body.arm]);
  });
});

test('a contract that has no such fields takes none, and shows none', async () => {
  const { body } = await api.post(SUBMIT, {
    ...general({ prompt: 'Hello.' }),
    ...{ fallbacks: ['gpt-4'], cache_ttl_seconds: 60, background: true, ...tone() },
  });
  const shown = JSON.stringify((await api.get(`/jobs/${body.job_id}`)).body);
  expect(shown).toContain(body.job_id);
  for (const word of ['fallbacks', 'arm', 'tone', 'GPT-4', 'cache', 'background']) expect(shown).not.toContain(word);
  const own = await api.post('/jobs', {
    prompt: 'Hello.',
    provider: 'simulated',
    model: 'simulated',
    fallbacks: ['x'],
  });
  const { job } = (await api.get(statusOf(own.body.jobId ?? own.body.id))).body;
  expect([own.status < 300, job?.fallbacks]).toEqual([true, undefined]);
});

test('variants whose inputs together are too large are refused', async () => {
  const small = { input_data: { temperature: 1 } };
  const whole = { ...general({ prompt: 'x'.repeat(4_500_000) }), ...tone(small, {}) };
  const together = await api.post(SUBMIT, whole);
  expect([together.status, together.body.error]).toEqual([
    413,
    expect.stringMatching(/^The inputs of all variants together are 90000\d\d bytes; at most 8388608 are accepted\.$/),
  ]);
});

test('models say whether they have a background mode', async () => {
  const { models } = (await api.get(MODELS)).body as { models: { model: string; capabilities: object }[] };
  const can = (name: string) => models.find(({ model }) => model === name)?.capabilities;
  for (const name of ['simulated', 'gpt-4o', 'o3']) expect(can(name)).toMatchObject({ supports_background: true });
  for (const name of ['llama3.2', 'gemini-2.5-flash', 'claude-sonnet-4-5']) {
    if (can(name)) expect(can(name)).toMatchObject({ supports_background: false });
  }
});

test('the reference and the schema of what is published describe the fields', async () => {
  const { body } = await api.get('/api/llm/schemas/published-submission.json');
  for (const { properties } of body.oneOf) {
    expect(properties.fallbacks).toMatchObject({ type: 'array', minItems: 1, maxItems: 5 });
    expect(properties.experiment.properties.variants).toMatchObject({ minItems: 2, maxItems: 10 });
    expect(properties.cache_ttl_seconds).toMatchObject({ type: 'integer', minimum: 1, maximum: 2_592_000 });
    expect(properties.background).toMatchObject({ type: 'boolean' });
  }
  const { body: described } = await api.get('/openapi.json');
  const submit = JSON.stringify(described.paths['/api/llm/jobs/submit'].post.requestBody);
  for (const name of ['fallbacks', 'experiment', 'cache_ttl_seconds', 'background'])
    expect(submit).toContain(`"${name}"`);
  for (const name of ['fallbacks', 'arm', 'cache_ttl_seconds', 'background']) {
    expect(described.components.schemas.Job.properties).toHaveProperty(name);
  }
});
