/**
 * What the API refuses, and how: each wrong field is named, and nothing is stored or published. The store and the queue
 * are counted.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicApp, READS, WRITES } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import type { Job } from '../../shared/core/job.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { general, LIST, MODELS, resultOf, SUBMIT, statusOf, TRAINER } from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld, NO_PROVIDERS } from '../support/core-world.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const EVERYTHING = [...READS, ...WRITES];
const NOBODYS = '00000000-0000-4000-8000-000000000000';

let world: CoreWorld;
let app: HttpApp;
let job: Job;
beforeAll(async () => {
  world = coreWorld();
  app = appFor(EVERYTHING);
  job = await world.submit();
});
afterAll(() => world.close());

function appFor(methods: readonly string[]): HttpApp {
  const { log, service, clock } = world;
  const models = modelCatalog({ ...NO_PROVIDERS, clock });
  // All that the application asks of a runtime.
  const runtime: Partial<Runtime> = { config: readConfig({}), log, service, models, authenticate: async () => ADA };
  return publicApp(runtime as Runtime, methods);
}

/** Sends a request that must change nothing, and answers how it was refused. */
async function refusal(method: string, path: string, body?: string, headers: Record<string, string> = JSON_TYPE) {
  const before = [world.store.calls('create'), world.store.calls('update'), world.published.length];
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const init = body === undefined ? { method } : { method, body, headers: { ...length, ...headers } };
  const response = await app.request(path, init);
  expect([world.store.calls('create'), world.store.calls('update'), world.published.length]).toEqual(before);
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

async function pathsOf(body: unknown, path = SUBMIT): Promise<string[]> {
  const refused = await refusal('POST', path, JSON.stringify(body));
  expect(refused.body).toMatchObject({ success: false, code: 'invalid_request', request_id: expect.any(String) });
  expect(refused.status).toBe(400);
  for (const { path: wrong, message } of refused.body.details) {
    expect(message).not.toBe('');
    expect(refused.body.error).toContain(`${wrong}: ${message}`);
  }
  return [...new Set<string>(refused.body.details.map((detail: { path: string }) => detail.path))].sort();
}

const PROMPT = { prompt: 'Hello.' };
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('a submission with wrong fields is 400 and names them:', () => {
  test.each<[string, unknown, string[]]>([
    ['no model_id', { job_type: 'general_llm_request', input_data: PROMPT }, ['model_id']],
    ['no input_data', { job_type: 'general_llm_request', model_id: 'simulated' }, ['input_data']],
    ['an unknown job_type', { ...general(PROMPT), job_type: 'foo' }, ['job_type']],
    ['an unknown job_type and no model_id', { job_type: 'foo', input_data: PROMPT }, ['job_type', 'model_id']],
    ['an unknown model', general(PROMPT, 'gpt-17'), ['model_id']],
    ['a model that JavaScript knows', general(PROMPT, 'constructor'), ['model_id']],
    ['a model of a wrong type', general(PROMPT, 5), ['model_id']],
    ['an empty input', general({}), ['input_data.full_input']],
    ['a blank prompt', general({ prompt: ' \n' }), ['input_data.prompt']],
    ['no messages', general({ messages: [] }), ['input_data.messages']],
    ['a prompt of a wrong type', general({ prompt: 5 }), ['input_data.prompt']],
    ['an input of a wrong type', general('Hello.'), ['input_data']],
    [
      'wrong messages',
      general({ messages: [{ role: 'x', content: 'a' }, {}] }),
      ['input_data.messages.0.role', 'input_data.messages.1.content', 'input_data.messages.1.role'],
    ],
    ['two inputs', general({ ...PROMPT, full_input: 'b' }), ['input_data.full_input']],
    ['unknown fields', { ...general({ ...PROMPT, foo: 1 }), bar: 2 }, ['bar', 'input_data.foo']],
    ['a lone surrogate', general({ prompt: 'a\ud83d' }), ['input_data.prompt']],
    ['a lone surrogate in a name', general({ 'a\udc00': 1 }), ['input_data']],
    ['a question_id that is too long', { ...general(PROMPT), question_id: 'x'.repeat(201) }, ['question_id']],
  ])('%s', async (_, body, paths) => {
    expect(await pathsOf(body)).toEqual(paths);
  });

  test('an unknown job_type gets the list of known ones', async () => {
    const { body } = await refusal('POST', SUBMIT, JSON.stringify({ ...general(PROMPT), job_type: 'foo' }));
    expect(body.error).toContain('general_llm_request');
    expect(body.error).toContain('trainer_question_analysis');
  });

  test('a trainer analysis with nothing, and with too much', async () => {
    expect(await pathsOf({}, TRAINER)).toEqual(['full_input', 'model_id']);
    expect(await pathsOf({ model_id: 'simulated', full_input: '', foo: 1 }, TRAINER)).toEqual(['foo', 'full_input']);
  });

  test('a hundred thousand levels', async () => {
    const text = JSON.stringify(general('HERE')).replace('"HERE"', deep(100_000));
    const { status, body } = await refusal('POST', SUBMIT, text);
    expect(status).toBe(400);
    expect(body.details).toEqual([{ path: 'input_data.0.0', message: expect.stringContaining('levels deep') }]);
  });

  // The two tests that follow are of one sentence: 400 names each wrong field.
  test('an empty body: all that is required', async () => {
    expect(await pathsOf({})).toEqual(['input_data', 'job_type', 'model_id']);
  });

  test('an unknown job_type beside other wrong fields: all of them', async () => {
    expect(await pathsOf({ job_type: 'foo', model_id: 5, input_data: 5, bar: 1 })).toEqual([
      'bar',
      'input_data',
      'job_type',
      'model_id',
    ]);
  });
});

test.each([
  ['limit=abc', ['limit']],
  ['limit=101', ['limit']],
  ['limit=0', ['limit']],
  ['limit=', ['limit']],
  ['limit=1.5', ['limit']],
  ['limit=1&limit=2', ['limit']],
  ['offset=-1', ['offset']],
  ['offset=1001', ['offset']],
  ['status=foo', ['status']],
  ['status=', ['status']],
  ['job_type=foo', ['job_type']],
  ['foo=1', ['foo']],
  ['limit=101&status=foo&foo=1', ['foo', 'limit', 'status']],
])('a list with %s is 400 and names %j', async (query, paths) => {
  const { status, body } = await refusal('GET', `${LIST}?${query}`);
  expect(status).toBe(400);
  expect(body.details.map((detail: { path: string }) => detail.path).sort()).toEqual(paths);
});

describe('a body', () => {
  test.each(['null', '[]', '"text"', '5'])('that is %s is 400', async (text) => {
    expect(await refusal('POST', SUBMIT, text)).toMatchObject({ status: 400, body: { error: 'must be an object' } });
  });

  test.each(['', '{', '{"job_type":', 'job_type=a', '\u0000'])('that is no JSON (%j) is 400', async (text) => {
    expect(await refusal('POST', SUBMIT, text)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'text/json', 'application/jsonx', ''])(
    'of type "%s" is 415',
    async (type) => {
      const refused = await refusal('POST', SUBMIT, JSON.stringify(general(PROMPT)), { 'Content-Type': type });
      expect(refused).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    },
  );

  test('with an input of one byte too many is 413', async () => {
    const { status, body } = await refusal('POST', SUBMIT, JSON.stringify(general({ prompt: 'x'.repeat(262_132) })));
    expect({ status, body }).toMatchObject({ status: 413, body: { code: 'input_too_large' } });
    expect(body.error).toContain('262144');
  });

  test.each([
    ['as it says', {}],
    ['though it does not say so', { 'Transfer-Encoding': 'chunked', 'Content-Length': '' }],
  ])('far too large is 413, %s', async (_, headers) => {
    const text = JSON.stringify(general({ prompt: 'x'.repeat(600_000) }));
    const sent = Object.fromEntries(Object.entries({ ...JSON_TYPE, ...headers }).filter(([, value]) => value !== ''));
    expect(await refusal('POST', SUBMIT, text, sent)).toMatchObject({ status: 413, body: { code: 'input_too_large' } });
  });
});

describe('a job', () => {
  test.each([NOBODYS, 'x', '..%2f..', '%00', '%E0%A4%A', 'a'.repeat(5_000)])('%s is 404', async (id) => {
    for (const path of [statusOf(id), resultOf(id)]) {
      expect(await refusal('GET', path)).toMatchObject({
        status: 404,
        body: { success: false, error: 'Job not found', code: 'job_not_found' },
      });
    }
  });

  test('that is not ready has no result: 409 with the status', async () => {
    expect(await refusal('GET', resultOf(job.id))).toMatchObject({
      status: 409,
      body: { code: 'job_not_complete', status: 'pending' },
    });
  });
});

describe('a method', () => {
  test.each([
    ['GET', TRAINER, 'POST'],
    ['DELETE', SUBMIT, 'POST'],
    ['DELETE', LIST, 'GET'],
    ['POST', LIST, 'GET'],
    ['PUT', MODELS, 'GET'],
    ['POST', statusOf(NOBODYS), 'GET'],
    ['POST', '/health', 'GET'],
    ['PATCH', LIST, 'GET'],
    ['PATCH', TRAINER, 'POST'],
  ])('%s on %s is 405, and Allow has %s', async (method, path, allowed) => {
    const { status, headers, body } = await refusal(method, path);
    expect({ status, body }).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
    expect(headers.get('Allow')?.split(', ')).toContain(allowed);
    expect(headers.get('Allow')?.split(', ')).not.toContain(method);
  });

  test.each(['GET', 'POST', 'DELETE', 'PATCH'])('%s on a path that nobody knows is 404', async (method) => {
    expect(await refusal(method, '/nowhere')).toMatchObject({ status: 404, body: { code: 'route_not_found' } });
  });

  test.each([
    ['reads', READS, 'POST', LIST, 'GET'],
    ['writes', WRITES, 'GET', TRAINER, 'POST'],
  ] as const)(
    'that a deployment of the %s does not serve is 405, and Allow has the one it does',
    async (_, methods, method, path, allowed) => {
      const response = await appFor(methods).request(path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('Allow')?.split(', ')).toContain(allowed);
    },
  );
});

test('a model without its key is 503, names the setting, and says when to come again', async () => {
  const { status, headers, body } = await refusal('POST', SUBMIT, JSON.stringify(general(PROMPT, 'GPT-4')));
  expect({ status, body }).toMatchObject({ status: 503, body: { code: 'model_unavailable' } });
  expect(body.error).toContain('OPENAI_API_KEY');
  expect(headers.get('Retry-After')).toMatch(/^\d+$/);
});

test('a store that does not answer is 503, names the job, and says when to come again', async () => {
  world.store.fail('create', 'before');
  const text = JSON.stringify(general(PROMPT));
  const response = await app.request(SUBMIT, {
    method: 'POST',
    body: text,
    headers: { ...JSON_TYPE, 'Content-Length': String(text.length) },
  });
  expect(world.store.fired()).toBe(1);
  expect(response.status).toBe(503);
  expect(response.headers.get('Retry-After')).toBe('1');
  expect(await response.json()).toMatchObject({
    success: false,
    code: 'store_unavailable',
    job_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test('something that breaks on our side is 500 and shows nothing of it', async () => {
  const broken: Partial<Runtime> = {
    config: readConfig({}),
    log: world.log,
    models: modelCatalog({ ...NO_PROVIDERS, clock: world.clock }),
    service: { ...world.service, list: () => Promise.reject(new TypeError('secret of the inside')) },
    authenticate: async () => ADA,
  };
  const response = await publicApp(broken as Runtime, EVERYTHING).request(LIST);
  const text = await response.text();
  expect(response.status).toBe(500);
  expect(JSON.parse(text)).toMatchObject({ success: false, code: 'internal_error', request_id: expect.any(String) });
  expect(text).not.toContain('secret');
  expect(text).not.toContain('TypeError');
  expect(world.lines.join()).toContain('secret of the inside');
});
