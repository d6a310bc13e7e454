/** The errors of seed 002, as FastAPI and pydantic have them, each of which changes nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alwaysAs } from '../../shared/http/auth.ts';
import { BATCH_BODY_BYTES_MOST, BODY_BYTES_MOST } from '../../shared/http/body.ts';
import { openApp } from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver, JSON_TYPE, type Refuse, refuser } from './counted-app.ts';
import { extractionWorld } from './extraction-world.ts';

let world: CoreWorld;
let refuse: Refuse;
beforeAll(() => {
  world = coreWorld();
  refuse = refuser(world);
});
afterAll(() => world.close());

const SUBMIT = '/llm/submit';
const BATCH = '/llm/submit/batch';
const required = (loc: unknown[], input: unknown) => ({ type: 'missing', loc, msg: 'Field required', input });
const noString = (loc: unknown[], input: unknown) => ({
  ...{ type: 'string_type', loc, msg: 'Input should be a valid string', input },
});
const tooShort = (loc: unknown[]) => ({
  ...{ type: 'string_too_short', loc, msg: 'String should have at least 1 character', input: '' },
  ctx: { min_length: 1 },
});
const noObject = (input: unknown) => ({
  ...{ type: 'model_attributes_type', loc: ['body'], input },
  msg: 'Input should be a valid dictionary or object to extract fields from',
});
const noBool = (input: unknown) => ({
  ...{ type: 'bool_type', loc: ['body', 'extended'], msg: 'Input should be a valid boolean', input },
});
const wrongValue = (loc: unknown[], message: string) => ({
  ...{ type: 'value_error', loc, msg: `Value error, ${message}`, input: null, ctx: { error: message } },
});
const SURROGATE = 'holds a lone surrogate; it must be valid Unicode';

/** The path, the body as sent, and the whole list. */
type Row = [name: string, path: string, body: string | undefined, detail: unknown[]];

const BODIES: Row[] = [
  ['no text', SUBMIT, '{}', [required(['body', 'text'], {})]],
  ['no text, and another field', SUBMIT, '{"txt":"a"}', [required(['body', 'text'], { txt: 'a' })]],
  ['a number', SUBMIT, '{"text":5}', [noString(['body', 'text'], 5)]],
  ['null', SUBMIT, '{"text":null}', [noString(['body', 'text'], null)]],
  ['a list', SUBMIT, '{"text":["a"]}', [noString(['body', 'text'], ['a'])]],
  ['an empty text', SUBMIT, '{"text":""}', [tooShort(['body', 'text'])]],
  ['extended as text', SUBMIT, '{"text":"a","extended":"yes"}', [noBool('yes')]],
  ['extended as null', SUBMIT, '{"text":"a","extended":null}', [noBool(null)]],
  ['two wrong fields', SUBMIT, '{"extended":1}', [required(['body', 'text'], { extended: 1 }), noBool(1)]],
  ['a body that is a list', SUBMIT, '[]', [noObject([])]],
  ['a body that is a string', SUBMIT, '"a"', [noObject('a')]],
  ['a body that is a number', SUBMIT, '5', [noObject(5)]],
  ['a body that is null', SUBMIT, 'null', [required(['body'], null)]],
  ['no body', SUBMIT, undefined, [required(['body'], null)]],
  ['an empty body', SUBMIT, '', [required(['body'], null)]],
  ['a lone surrogate', SUBMIT, '{"text":"\\ud800"}', [wrongValue(['body', 'text'], SURROGATE)]],
  [
    'a lone surrogate in a field that nobody reads',
    SUBMIT,
    '{"text":"a","b":{"c":["\\udc00"]}}',
    [wrongValue(['body', 'b', 'c', 0], SURROGATE)],
  ],
  ['no texts', BATCH, '{}', [required(['body', 'texts'], {})]],
  ['no body of a batch', BATCH, undefined, [required(['body'], null)]],
  [
    'texts that are no list',
    BATCH,
    '{"texts":"a"}',
    [{ type: 'list_type', loc: ['body', 'texts'], msg: 'Input should be a valid list', input: 'a' }],
  ],
  [
    'an empty list',
    BATCH,
    '{"texts":[]}',
    [
      {
        ...{ type: 'too_short', loc: ['body', 'texts'], input: [] },
        msg: 'List should have at least 1 item after validation, not 0',
        ctx: { field_type: 'List', min_length: 1, actual_length: 0 },
      },
    ],
  ],
  [
    '101 texts, some of them wrong, and a wrong field',
    BATCH,
    JSON.stringify({ texts: Array(101).fill(5), extended: 5 }),
    [
      {
        ...{ type: 'too_long', loc: ['body', 'texts'], input: Array(101).fill(5) },
        msg: 'List should have at most 100 items after validation, not 101',
        ctx: { field_type: 'List', max_length: 100, actual_length: 101 },
      },
      noBool(5),
    ],
  ],
  [
    'some wrong texts',
    BATCH,
    '{"texts":["a",5,"","b",{}]}',
    [noString(['body', 'texts', 1], 5), tooShort(['body', 'texts', 2]), noString(['body', 'texts', 4], {})],
  ],
  ['a lone surrogate in a batch', BATCH, '{"texts":["a","\\ud800"]}', [wrongValue(['body', 'texts', 1], SURROGATE)]],
];

describe('a wrong body is 422, whole:', () => {
  test.each(BODIES)('%s', async (_, path, sent, detail) => {
    const { status, body, headers } = await refuse('POST', path, sent);
    expect([status, body]).toEqual([422, { detail }]);
    expect(headers.get('content-type')).toBe('application/json');
  });

  test('not JSON, and where, as far as it is known', async () => {
    const { body } = await refuse('POST', SUBMIT, '{bad');
    expect(body.detail[0].loc).toEqual(['body', 1]);
  });

  test.each(['{"text":', '{text: "a"}', "{'text': 'a'}", '{"text":"a"}}', 'a'])('not JSON: %s', async (sent) => {
    for (const path of [SUBMIT, BATCH]) {
      const { status, body } = await refuse('POST', path, sent);
      const entry = { type: 'json_invalid', msg: 'JSON decode error', input: {}, ctx: { error: expect.any(String) } };
      expect([status, body]).toEqual([422, { detail: [{ ...entry, loc: expect.any(Array) }] }]);
      expect(body.detail[0].loc[0]).toBe('body');
    }
  });

  test('bytes that are not UTF-8', async () => {
    const response = await appOver(world).request(SUBMIT, {
      ...{ method: 'POST', body: new Uint8Array([0x22, 0xff, 0x22]) },
      headers: { ...JSON_TYPE, 'Content-Length': '3' },
    });
    const detail = [wrongValue(['body'], 'The body is not valid UTF-8.')];
    expect([response.status, await response.json()]).toEqual([422, { detail }]);
  });

  test('a batch of more values than are looked at', async () => {
    const sent = JSON.stringify({ texts: ['a'], more: Array(40_000).fill(1) });
    const { status, body } = await refuse('POST', BATCH, sent);
    expect([status, body]).toEqual([422, { detail: [wrongValue(['body'], 'the body holds more than 30000 values')] }]);
  });

  test.each([
    [
      { prompt: 'a', provider: 'openai', model: 'b' },
      'a body with `prompt`, `provider` and `model` belongs to POST /jobs',
    ],
    [
      { job_type: 'x', input_data: {} },
      'a body with `job_type` and `input_data` belongs to POST /api/llm/jobs/submit/',
    ],
  ])('one of another contract, which is named: %j', async (sent, hint) => {
    for (const [path, field] of [
      [SUBMIT, 'text'],
      [BATCH, 'texts'],
    ]) {
      const { status, body } = await refuse('POST', path ?? '', JSON.stringify(sent));
      const entry = { ...required(['body', field], sent), msg: `Field required; ${hint}` };
      expect([status, body]).toEqual([422, { detail: [entry] }]);
    }
  });

  test('a wrong Idempotency-Key', async () => {
    for (const path of [SUBMIT, BATCH]) {
      const sent = JSON.stringify({ text: 'a', texts: ['a'] });
      const { status, body } = await refuse('POST', path, sent, { ...JSON_TYPE, 'Idempotency-Key': 'x'.repeat(256) });
      const detail = [wrongValue(['header', 'idempotency-key'], 'must be 1 to 255 visible ASCII characters')];
      expect([status, body]).toEqual([422, { detail }]);
    }
  });
});

describe('any other error is one sentence:', () => {
  test.each<[string, string, string | undefined, Record<string, string>, number, unknown]>([
    ['POST', SUBMIT, '{}', { 'Content-Type': 'text/plain' }, 415, expect.stringContaining('application/json')],
    ['POST', SUBMIT, '{}', {}, 415, expect.stringContaining('application/json')],
    ['POST', SUBMIT, '{}', { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, 415, expect.stringContaining('compressed')],
    ['POST', SUBMIT, 'x'.repeat(BODY_BYTES_MOST + 1), JSON_TYPE, 413, expect.stringContaining(`${BODY_BYTES_MOST}`)],
    ['POST', BATCH, 'x'.repeat(BATCH_BODY_BYTES_MOST + 1), JSON_TYPE, 413, expect.stringContaining('bytes')],
    [
      'POST',
      SUBMIT,
      JSON.stringify({ text: 'x'.repeat(300_000) }),
      JSON_TYPE,
      413,
      expect.stringMatching(/^The input is 300011 bytes; at most 262144/),
    ],
    ['GET', SUBMIT, undefined, {}, 405, 'Method Not Allowed'],
    ['PUT', '/llm/status/x', '{}', JSON_TYPE, 405, 'Method Not Allowed'],
    ['GET', '/llm', undefined, {}, 404, 'Not Found'],
    ['POST', '/llm/nowhere', '{}', JSON_TYPE, 404, 'Not Found'],
    ['GET', '/llm/status', undefined, {}, 404, 'Not Found'],
  ])('%s %s %.20s', async (method, path, sent, headers, status, detail) => {
    const answer = await refuse(method, path, sent, headers);
    expect([answer.status, answer.body]).toEqual([status, { detail }]);
  });

  test('a store that gives no answer', async () => {
    const own = coreWorld();
    const app = appOver(own);
    const submit = () =>
      app.request(SUBMIT, { method: 'POST', body: '{"text":"a"}', headers: { ...JSON_TYPE, 'Content-Length': '12' } });
    own.store.fail('create', 'before');
    const response = await submit();
    expect(own.store.fired()).toBe(1);
    expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '1']);
    expect(await response.json()).toEqual({ detail: expect.stringMatching(/^It is not known .*Submit it again;/) });
    own.store.fail('get', 'before');
    const read = await app.request(`/llm/result/${crypto.randomUUID()}`);
    expect([read.status, await read.json()]).toEqual([503, { detail: expect.any(String) }]);
    own.close();
  });

  test('something of ours that broke', async () => {
    const own = coreWorld();
    const service = { ...own.service, read: () => Promise.reject(new Error('a secret')) };
    const response = await appOver(own, { service }).request(`/llm/status/${crypto.randomUUID()}`);
    expect([response.status, await response.json()]).toEqual([500, { detail: 'Something broke on our side.' }]);
    own.close();
  });

  test('a model without a key, where nothing is simulated, and one that is not there', async () => {
    for (const [environment, words] of [
      [{ ALLOW_SIMULATED: 'false' }, 'OPENAI_API_KEY'],
      [{ OPENAI_MODEL: 'gpt-nothing' }, 'There is no model "gpt-nothing" (OPENAI_MODEL).'],
    ] as const) {
      const api = await openApp(environment);
      for (const [path, body] of [
        [SUBMIT, { text: 'a' }],
        [BATCH, { texts: ['a', 'b'] }],
      ] as const) {
        const answer = await api.post(path, body);
        expect([path, answer.status, answer.body]).toEqual([path, 503, { detail: expect.stringContaining(words) }]);
      }
      expect((await api.get('/api/llm/jobs/')).body.jobs).toEqual([]);
      await api.close();
    }
  });

  test('credentials that are missing, wrong or too weak, and too many requests', async () => {
    const limits = { RATE_LIMITS: 'writes=60,reads=60,job-reads=120,strangers=1' };
    const stranger = extractionWorld(undefined, limits, { authenticate: async () => ({ refused: 'missing' }) });
    const missing = await stranger.post(SUBMIT, { text: 'a' });
    expect([missing.status, missing.body]).toEqual([401, { detail: expect.stringContaining('missing') }]);
    expect(missing.headers.get('WWW-Authenticate')).toBe('Bearer realm="llm-jobs"');
    let last = missing;
    for (let n = 0; n < 30 && last.status === 401; n++) last = await stranger.get('/llm/status/x');
    expect([last.status, last.body]).toEqual([429, { detail: expect.stringMatching(/^Too many requests/) }]);
    expect(last.headers.get('Retry-After')).toMatch(/^\d+$/);
    const reader = extractionWorld(undefined, {}, { authenticate: alwaysAs({ ...ADA, scopes: ['jobs:read'] }) });
    const weak = await reader.post(SUBMIT, { text: 'a' });
    expect([weak.status, weak.body]).toEqual([403, { detail: 'This needs the scope jobs:write.' }]);
    for (const one of [stranger, reader]) one.close();
  });
});
