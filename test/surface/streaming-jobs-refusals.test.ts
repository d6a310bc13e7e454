/** What `/jobs` refuses, in its document's one shape of errors, and that nothing is stored then. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callsOf, type TestApp } from '../support/app.ts';
import { appOver } from './counted-app.ts';
import { STORY, type StreamingWorld, streamingWorld } from './streaming-world.ts';

const MISSING = 'is required, a string';
const STRING = 'must be a string';
const EMPTY = 'must not be empty';
const OPENAI = /no such model of openai; models of openai: .*gpt-4, .*gpt-3\.5-turbo/;

let api: StreamingWorld;
let keyless: Pick<TestApp, 'post'>;
beforeAll(() => {
  api = streamingWorld();
  // Its catalog has no key but that of the simulated model.
  keyless = callsOf(appOver(api.world));
});
afterAll(() => api.close());

const changes = () => [api.world.store.calls('create'), api.world.store.calls('update'), api.world.published.length];

async function expectRefused(sent: Promise<{ status: number; headers: Headers; body: unknown }>, status: number) {
  const before = changes();
  const reply = await sent;
  expect([reply.status, Object.keys(reply.body as object)]).toEqual([status, ['error']]);
  expect(reply.headers.get('content-type')).toBe('application/json');
  expect(reply.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  expect(changes()).toEqual(before);
  return { ...reply, error: (reply.body as { error: string }).error };
}

const without = (...names: (keyof typeof STORY)[]) =>
  Object.fromEntries(Object.entries(STORY).filter(([name]) => !names.includes(name as keyof typeof STORY)));

describe('a body is refused', () => {
  test.each<[string, unknown, string | RegExp]>([
    ['without prompt', without('prompt'), `prompt: ${MISSING}`],
    ['without provider', without('provider'), `provider: ${MISSING}`],
    ['without model', without('model'), `model: ${MISSING}`],
    ['without two', without('prompt', 'model'), `prompt: ${MISSING}; model: ${MISSING}`],
    ['without any', {}, `prompt: ${MISSING}; provider: ${MISSING}; model: ${MISSING}`],
    ['with an empty prompt', { ...STORY, prompt: '' }, `prompt: ${EMPTY}`],
    ['with a blank prompt', { ...STORY, prompt: ' \n' }, `prompt: ${EMPTY}`],
    ['with an empty provider', { ...STORY, provider: '' }, `provider: ${EMPTY}`],
    ['with an empty model', { ...STORY, model: '' }, `model: ${EMPTY}`],
    ['with a prompt that is no text', { ...STORY, prompt: 5 }, `prompt: ${STRING}`],
    ['with a prompt that is null', { ...STORY, prompt: null }, `prompt: ${STRING}`],
    ['with a prompt in a list', { ...STORY, prompt: ['a'] }, `prompt: ${STRING}`],
    ['with a provider that is no text', { ...STORY, provider: {} }, `provider: ${STRING}`],
    ['with a model that is no text', { ...STORY, model: true }, `model: ${STRING}`],
    [
      'that is wrong in each way',
      { prompt: '', provider: 1 },
      `prompt: ${EMPTY}; provider: ${STRING}; model: ${MISSING}`,
    ],
    ['that is a list', [STORY], 'must be an object'],
    ['that is null', null, 'must be an object'],
    ['that is text', 'prompt', 'must be an object'],
    ['of an unknown provider', { ...STORY, provider: 'opnai' }, /^provider: must be one of: .*openai, gemini/],
    ['of a provider in another case', { ...STORY, provider: 'OpenAI' }, /^provider: must be one of: .*openai, gemini/],
    ['of a prototype', { ...STORY, provider: '__proto__', model: 'constructor' }, /^provider: must be one of: /],
    [
      'of a model of another provider',
      { ...STORY, model: 'gemini-pro' },
      /^model: is a model of gemini, not of openai; /,
    ],
    [
      'of another provider of the model',
      { ...STORY, provider: 'gemini' },
      /^model: is a model of openai, not of gemini; /,
    ],
    [
      'of an unknown model that looks like one',
      { ...STORY, model: 'gpt4' },
      /no such model of openai; did you mean .*gpt-4/,
    ],
    ['of an unknown model', { ...STORY, model: 'llama' }, OPENAI],
    [
      'of another contract, 000',
      { job_type: 'a', model_id: 'b' },
      /^a body with `job_type` and `model_id` belongs to POST \/api\/llm\/jobs\/submit\/; prompt: /,
    ],
    [
      'of another contract, 002',
      { text: 'I loved the clinic.' },
      /^a body with `text` belongs to POST \/llm\/submit; prompt: /,
    ],
    [
      'of another contract, 004',
      { manual_prompt: 'Your prompt' },
      /^a body with `manual_prompt` belongs to POST \/api\/v1\/web-knowledge\/generate-prompt-async\/; /,
    ],
  ])('%s', async (_, body, words) => {
    const { error } = await expectRefused(api.post('/jobs', body), 400);
    if (typeof words === 'string') expect(error).toBe(words);
    else expect(error).toMatch(words);
  });

  test.each<[string, number, string, string, Record<string, string>]>([
    ['that is empty', 400, '', `prompt: ${MISSING}; provider: ${MISSING}; model: ${MISSING}`, {}],
    ['that is no JSON', 400, '{"prompt":', 'The body is not valid JSON.', {}],
    [
      'with a lone surrogate',
      400,
      JSON.stringify({ ...STORY, prompt: '\ud800' }),
      'prompt: holds a lone surrogate; it must be valid Unicode',
      {},
    ],
    [
      'of another type',
      415,
      'prompt=a',
      'The body must be JSON, with Content-Type: application/json.',
      { 'Content-Type': 'application/x-www-form-urlencoded' },
    ],
    ['that is too large', 413, ' '.repeat(10_485_761), 'The body is larger than 10485760 bytes.', {}],
    [
      'with a prompt that is too large',
      413,
      JSON.stringify({ ...STORY, prompt: 'x'.repeat(262_144) }),
      'The input is 262157 bytes; at most 262144 are accepted.',
      {},
    ],
  ])('%s: %d', async (_, status, body, error, headers) => {
    const sent = api.send('POST', '/jobs', { body, headers: { 'Content-Type': 'application/json', ...headers } });
    expect((await expectRefused(sent, status)).error).toBe(error);
  });

  test('that is not there', async () => {
    const { error } = await expectRefused(api.send('POST', '/jobs'), 400);
    expect(error).toBe(`prompt: ${MISSING}; provider: ${MISSING}; model: ${MISSING}`);
  });
});

describe('503', () => {
  test.each([
    ['openai', 'gpt-4', 'GPT-4 cannot be used yet: set OPENAI_API_KEY where the service runs.'],
    ['gemini', 'gemini-pro', 'Gemini Pro cannot be used yet: set GEMINI_API_KEY where the service runs.'],
  ])('for %s without its key, when all else is right', async (provider, model, sentence) => {
    const body = { ...STORY, provider, model };
    const { headers, error } = await expectRefused(keyless.post('/jobs', body), 503);
    expect([error, headers.get('Retry-After')]).toEqual([sentence, '60']);
    await expectRefused(keyless.post('/jobs', { ...body, prompt: '' }), 400);
    await expectRefused(keyless.post('/jobs', { ...body, model: 'llama' }), 400);
  });

  test('simulated needs no key', async () => {
    expect((await keyless.post('/jobs', { ...STORY, provider: 'simulated', model: 'simulated' })).status).toBe(202);
  });

  test('for a store that gives no answer: the sentence says how to find out', async () => {
    api.world.store.fail('create', 'after');
    api.world.store.fail('get', 'before');
    const reply = await api.post('/jobs', STORY);
    expect(api.world.store.fired()).toBe(2);
    expect([reply.status, reply.headers.get('Retry-After')]).toEqual([503, '1']);
    const [, path = ''] =
      /^It is not known whether the job was created\. Look at GET (\/jobs\/[\w-]{36}) before/.exec(reply.body.error) ??
      [];
    expect((await api.get(path)).body).toMatchObject({ status: 'pending', prompt: STORY.prompt });
  });

  test('for a store that reads nothing', async () => {
    const id = await api.create();
    for (const [method, path] of [
      ['inputs', `/jobs/${id}`],
      ['inputs', '/jobs'],
      ['list', '/jobs'],
      ['get', `/jobs/${id}`],
      ['inputs', `/jobs/${id}/stream`],
    ] as const) {
      const fired = api.world.store.fired();
      api.world.store.fail(method, 'before');
      const { error } = await expectRefused(api.get(path), 503);
      expect([path, error, api.world.store.fired()]).toEqual([path, 'failed by the test (before)', fired + 1]);
    }
  });
});

describe('what is not there', () => {
  test.each([
    ['GET', `/jobs/${crypto.randomUUID()}`, 404, 'Job not found'],
    ['GET', '/jobs/17', 404, 'Job not found'],
    ['GET', '/jobs/%00', 404, 'Job not found'],
    ['POST', '/jobs/17/stream', 405, 'POST is not allowed here; allowed: GET, HEAD.'],
    ['PUT', '/jobs', 405, 'PUT is not allowed here; allowed: POST, GET, HEAD.'],
    ['DELETE', '/jobs/17', 405, 'DELETE is not allowed here; allowed: GET, HEAD.'],
    [
      'GET',
      '/jobs/17/result',
      404,
      'There is no GET /jobs/17/result. The API is described at /docs and /openapi.json.',
    ],
  ])('%s %s is %d', async (method, path, status, sentence) => {
    const { error, headers } = await expectRefused(api.send(method, path), status);
    expect(error).toBe(sentence);
    if (status === 405) expect(headers.get('Allow')).toBe(sentence.replace(/^.*allowed: |\.$/g, ''));
  });

  test.each(['/jobs', '/jobs/17'])('%s takes no token in its URL', async (path) => {
    const { error } = await expectRefused(api.get(`${path}?access_token=x`), 400);
    expect(error).toMatch(/^access_token: belongs in `Authorization: Bearer …`/);
  });
});
