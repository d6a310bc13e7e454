/** Wrong fields and wrong bodies: each field is named, and nothing is stored or published. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { general, LIST, SUBMIT, TRAINER } from '../support/app.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';
import { JSON_TYPE, PROMPT, type Refuse, refuser } from './counted-app.ts';

let world: CoreWorld;
let refuse: Refuse;
beforeAll(() => {
  world = coreWorld();
  refuse = refuser(world);
});
afterAll(() => world.close());

async function pathsOf(body: unknown, path = SUBMIT): Promise<string[]> {
  const refused = await refuse('POST', path, JSON.stringify(body));
  expect(refused.body).toMatchObject({ success: false, code: 'invalid_request', request_id: expect.any(String) });
  expect(refused.status).toBe(400);
  for (const { path: wrong, message } of refused.body.details) {
    expect(message).not.toBe('');
    expect(refused.body.error).toContain(`${wrong}: ${message}`);
  }
  return [...new Set<string>(refused.body.details.map((detail: { path: string }) => detail.path))].sort();
}

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
    const { body } = await refuse('POST', SUBMIT, JSON.stringify({ ...general(PROMPT), job_type: 'foo' }));
    expect(body.error).toContain('general_llm_request');
    expect(body.error).toContain('trainer_question_analysis');
  });

  test('a trainer analysis with nothing, and with too much', async () => {
    expect(await pathsOf({}, TRAINER)).toEqual(['full_input', 'model_id']);
    expect(await pathsOf({ model_id: 'simulated', full_input: '', foo: 1 }, TRAINER)).toEqual(['foo', 'full_input']);
  });

  test('a hundred thousand levels', async () => {
    const text = JSON.stringify(general('HERE')).replace('"HERE"', deep(100_000));
    const { status, body } = await refuse('POST', SUBMIT, text);
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
  const { status, body } = await refuse('GET', `${LIST}?${query}`);
  expect(status).toBe(400);
  expect(body.details.map((detail: { path: string }) => detail.path).sort()).toEqual(paths);
});

describe('a body', () => {
  test.each(['null', '[]', '"text"', '5'])('that is %s is 400', async (text) => {
    expect(await refuse('POST', SUBMIT, text)).toMatchObject({ status: 400, body: { error: 'must be an object' } });
  });

  test.each(['', '{', '{"job_type":', 'job_type=a', '\u0000'])('that is no JSON (%j) is 400', async (text) => {
    expect(await refuse('POST', SUBMIT, text)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'text/json', 'application/jsonx', ''])(
    'of type "%s" is 415',
    async (type) => {
      const refused = await refuse('POST', SUBMIT, JSON.stringify(general(PROMPT)), { 'Content-Type': type });
      expect(refused).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    },
  );

  test('with an input of one byte too many is 413', async () => {
    const { status, body } = await refuse('POST', SUBMIT, JSON.stringify(general({ prompt: 'x'.repeat(262_132) })));
    expect({ status, body }).toMatchObject({ status: 413, body: { code: 'input_too_large' } });
    expect(body.error).toContain('262144');
  });

  test.each([
    ['as it says', {}],
    ['though it does not say so', { 'Transfer-Encoding': 'chunked', 'Content-Length': '' }],
  ])('far too large is 413, %s', async (_, headers) => {
    const text = JSON.stringify(general({ prompt: 'x'.repeat(600_000) }));
    const sent = Object.fromEntries(Object.entries({ ...JSON_TYPE, ...headers }).filter(([, value]) => value !== ''));
    expect(await refuse('POST', SUBMIT, text, sent)).toMatchObject({ status: 413, body: { code: 'input_too_large' } });
  });
});
