/** Several things wrong at once are all named; bodies that are none. Store and queue are counted: a refusal touches neither. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { general, LIST, SUBMIT, TRAINER } from '../support/app.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';
import { PROMPT, type Refuse, refuser } from './counted-app.ts';

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

describe('a submission with wrong fields is 400 and names them:', () => {
  test.each<[string, unknown, string[]]>([
    ['nothing', {}, ['input_data', 'job_type', 'model_id']],
    ['a model that JavaScript knows', general(PROMPT, 'constructor'), ['model_id']],
    [
      'wrong messages',
      general({ messages: [{ role: 'x', content: 'a' }, {}] }),
      ['input_data.messages.0.role', 'input_data.messages.1.role'],
    ],
    ['unknown fields', { ...general({ ...PROMPT, foo: 1 }), bar: 2 }, ['bar', 'input_data.foo']],
    ['a question_id that is too long', { ...general(PROMPT), question_id: 'x'.repeat(201) }, ['question_id']],
  ])('%s', async (_, body, paths) => {
    expect(await pathsOf(body)).toEqual(paths);
  });

  test('a trainer analysis with nothing, and with too much', async () => {
    expect(await pathsOf({}, TRAINER)).toEqual(['full_input', 'model_id']);
    expect(await pathsOf({ model_id: 'simulated', full_input: '', foo: 1 }, TRAINER)).toEqual(['foo', 'full_input']);
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
  ['limit=', ['limit']],
  ['limit=1.5', ['limit']],
  ['limit=1&limit=2', ['limit']],
  ['status=', ['status']],
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
});
