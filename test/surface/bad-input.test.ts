/** Bad input on the embedded service: each refusal names what is wrong, and nothing is stored, published or logged. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { BODY_BYTES_MOST } from '../../shared/http/body.ts';
import { JOB_TYPES } from '../../shared/job-types/registry.ts';
import * as app from '../support/app.ts';
import { general, LIST, pause, type Reply, SUBMIT } from '../support/app.ts';

/** Long enough for a doorbell that was published to be delivered, and for its delivery to be logged. */
const DELIVERY_MS = 10;
const INPUT_BYTES_MOST = 8_388_608;
const NOBODYS = '00000000-0000-4000-8000-000000000000';
const PROMPT = { prompt: 'Hello.' };
const USER = { role: 'user', content: 'Hello.' };
const JSON_TYPE = { 'Content-Type': 'application/json' };
const KNOWN_TYPES = `must be one of: ${JOB_TYPES.map((type) => type.name).join(', ')}`;
const KNOWN_INPUTS = 'known fields: llm, prompt, messages, vector_store_id, system_message, full_input';
const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
const NOT_JSON = 'The body is not valid JSON.';

let api: app.TestApp;
const lines: string[] = [];
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
  api = await app.openApp({ LOG_LEVEL: 'debug' });
});
afterEach(() => {
  lines.length = 0;
});
afterAll(async () => {
  await api.close();
  vi.restoreAllMocks();
});

/** Checks what every refusal has, and that the service is as it was. */
async function expectRefusal(reply: Reply, status: number, code: string): Promise<Reply['body']> {
  expect(reply).toMatchObject({ status, body: { success: false, code, error: expect.stringMatching(/\w+ .*\w/) } });
  expect(reply.body.request_id).toBe(reply.headers.get('X-Request-ID'));
  await pause(DELIVERY_MS);
  expect((await api.get(LIST)).body.jobs).toHaveLength(0);
  expect(lines).toEqual([]);
  return reply.body;
}

/** The words with which each wrong field is named, by its path. */
type Wrong = Record<string, string>;

/** Checks that exactly these fields are named. */
async function expectWrong(reply: Reply, wrong: Wrong): Promise<void> {
  const { error, details } = await expectRefusal(reply, 400, 'invalid_request');
  expect(details).toEqual(
    Object.entries(wrong).map(([path, words]) => ({ path, message: expect.stringContaining(words) })),
  );
  for (const { path, message } of details) expect(error).toContain(path === '' ? message : `${path}: ${message}`);
}

const postText = (text: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = JSON_TYPE) =>
  api.send('POST', SUBMIT, { body: text, headers });

test('what is accepted is seen in the list and in the log', async () => {
  const other = await app.openApp({ LOG_LEVEL: 'debug' });
  await other.poll(await other.submit('Hello.'));
  expect((await other.get(LIST)).body.jobs).toHaveLength(1);
  expect(lines.join('')).toMatch(/job-submitted.*attempt-started/s);
  await other.close();
});

describe('a submission is refused that has', () => {
  test.each<[string, unknown, Wrong]>([
    ['no model_id', { ...general(PROMPT), model_id: undefined }, { model_id: 'is required' }],
    ['an empty model_id', general(PROMPT, ''), { model_id: 'must not be empty' }],
    ['a model_id of a wrong type', general(PROMPT, 5), { model_id: 'must be a string' }],
    ['an unknown model', general(PROMPT, 'gpt-17'), { model_id: 'no such model; usable now: simulated' }],
    ['no job_type', { ...general(PROMPT), job_type: undefined }, { job_type: KNOWN_TYPES }],
    ['an unknown job_type', { ...general(PROMPT), job_type: 'foo' }, { job_type: KNOWN_TYPES }],
    [
      'the body of another contract',
      { text: 'I loved the clinic.' },
      {
        '': 'a body with `text` belongs to POST /llm/submit',
        ...{ job_type: KNOWN_TYPES, model_id: 'is required', input_data: 'is required', text: 'is not a known field' },
      },
    ],
    [
      'an unknown job_type and no model_id',
      { job_type: 'foo', input_data: PROMPT },
      { job_type: KNOWN_TYPES, model_id: 'is required' },
    ],
    ['a question_id of a wrong type', { ...general(PROMPT), question_id: 5 }, { question_id: 'must be a string' }],
    ['a field nobody knows', { ...general(PROMPT), colour: 1 }, { colour: 'is not a known field; known fields: job_' }],
    ['no input', general(undefined), { input_data: 'is required' }],
    ['an input of a wrong type', general('Hello.'), { input_data: 'must be an object' }],
  ])('%s', async (_, body, wrong) => {
    await expectWrong(await api.post(SUBMIT, body), wrong);
  });

  test.each<[string, unknown, Wrong]>([
    ['nothing', {}, { full_input: 'exactly one of prompt, messages, full_input' }],
    ['an empty prompt', { prompt: '' }, { prompt: 'must not be empty' }],
    ['a blank full_input', { full_input: ' \n\t' }, { full_input: 'must not be empty' }],
    ['a prompt of a wrong type', { prompt: 5 }, { prompt: 'must be a string' }],
    ['messages of a wrong type', { messages: USER }, { messages: 'must be an array' }],
    [
      'messages of the system alone',
      { messages: [{ role: 'system', content: 'Be brief.' }] },
      { messages: 'whose role is user or assistant' },
    ],
    ['a blank message', { messages: [{ ...USER, content: ' ' }] }, { 'messages.0.content': 'must not be empty' }],
    [
      'a message of an unknown role',
      { messages: [USER, { ...USER, role: 'robot' }] },
      { 'messages.1.role': 'must be one of: system, user, assistant' },
    ],
    ['a field nobody knows', { ...PROMPT, colour: 1 }, { colour: KNOWN_INPUTS }],
    [
      'one in a message',
      { messages: [{ ...USER, colour: 1 }] },
      { 'messages.0.colour': 'known fields: role, content' },
    ],
    ['a prompt and messages', { ...PROMPT, messages: [USER] }, { messages: 'must not be given beside prompt' }],
    ['a prompt and a full_input', { ...PROMPT, full_input: 'a' }, { full_input: 'must not be given beside prompt' }],
    ['messages and a full_input', { messages: [USER], full_input: 'a' }, { full_input: 'given beside messages' }],
    ['a prompt and a system_message', { ...PROMPT, system_message: 'a' }, { system_message: 'with full_input only' }],
  ])('in its input %s', async (_, input, wrong) => {
    const inInput = Object.entries(wrong).map(([path, words]) => [`input_data.${path}`, words]);
    await expectWrong(await api.post(SUBMIT, general(input)), Object.fromEntries(inInput));
  });

  test.each([
    ['no message in its messages', '{"messages":[]}', 'input_data.messages', 'at least one message'],
    ['half a character in a value', '{"prompt":"a\\ud800"}', 'input_data.prompt', 'lone surrogate'],
    ['half a character in a key', '{"\\ud800":1}', 'input_data', 'lone surrogate'],
    ['50,000 levels', `{"prompt":${DEEP}}`, 'input_data.prompt.0', 'levels deep'],
    ['a field named __proto__', '{"prompt":"a","__proto__":{}}', 'input_data.__proto__', KNOWN_INPUTS],
    ['a field named __proto__ alone', '{"__proto__":{"prompt":"a"}}', 'input_data.__proto__', KNOWN_INPUTS],
  ])('in its input %s', async (_, input, path, words) => {
    const text = JSON.stringify(general('HERE')).replace('"HERE"', () => input);
    const { error, details } = await expectRefusal(await postText(text), 400, 'invalid_request');
    expect(details).toContainEqual({ path, message: expect.stringContaining(words) });
    expect(error).toContain(`${path}: `);
  });

  test.each([
    ['a field named __proto__', '{"__proto__":{"model_id":"simulated"},', /__proto__: is not a known field/],
    [
      'half a character in a key',
      '{"a\\ud800":1,',
      /(name|key|field).*lone surrogate|lone surrogate.*(name|key|field)/,
    ],
    ['50,000 levels', `{"a":${DEEP},`, /a\.0\.0: is nested/],
  ])('at its top %s', async (_, start, words) => {
    const text = JSON.stringify(general(PROMPT)).replace('{', () => start);
    expect((await expectRefusal(await postText(text), 400, 'invalid_request')).error).toMatch(words);
  });
});

test('a submission of 170,000 wrong messages is refused in an answer no larger than itself', async () => {
  const wrong = general({ messages: Array.from({ length: 170_000 }, () => ({})) });
  const body = await expectRefusal(await api.post(SUBMIT, wrong), 400, 'invalid_request');
  expect(JSON.stringify(body).length).toBeLessThan(BODY_BYTES_MOST);
});

test.each<[string, unknown, Wrong]>([
  ['no full_input', { model_id: 'simulated' }, { full_input: 'is required' }],
  ['a blank one', { model_id: 'simulated', full_input: ' ' }, { full_input: 'must not be empty' }],
  ['a job_type', { model_id: 'simulated', full_input: 'a', job_type: 'b' }, { job_type: 'is not a known field' }],
])('a trainer analysis with %s is refused', async (_, body, wrong) => {
  await expectWrong(await api.post(app.TRAINER, body), wrong);
});

test.each(['x', 'submit', 'batch', '00000000-0000-1000-8000-000000000000', '00000000-0000-8000-8000-000000000000'])(
  'a job cannot be put under the id %s',
  async (id) => {
    const call = { body: JSON.stringify(general(PROMPT)), headers: JSON_TYPE };
    await expectWrong(await api.send('PUT', `/api/llm/jobs/${id}/`, call), { job_id: 'a UUID of version 4 or 7' });
  },
);

test.each([
  ['limit=abc', 'limit', 'from 1 to 100'],
  ['limit=0', 'limit', 'from 1 to 100'],
  ['limit=101', 'limit', 'from 1 to 100'],
  ['offset=-1', 'offset', 'from 0 to 1000'],
  ['offset=1001', 'offset', 'from 0 to 1000'],
  ['status=foo', 'status', 'must be one of: pending, processing, completed, failed, cancelled'],
  ['job_type=foo', 'job_type', KNOWN_TYPES],
  ['page=2', 'page', 'known fields: status, job_type, model, tag,'],
])('a list with ?%s is refused', async (query, path, words) => {
  await expectWrong(await api.get(`${LIST}?${query}`), { [path]: words });
});

describe('a body is refused that is', () => {
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const big = (size: number) => bytes(general({ prompt: 'x'.repeat(size) }));
  const CHUNKED = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' };

  test.each<[string, Uint8Array<ArrayBuffer> | string, Record<string, string>, number, string, string]>([
    ['empty', '', JSON_TYPE, 400, 'invalid_request', NOT_JSON],
    ['an array', '[]', JSON_TYPE, 400, 'invalid_request', 'object'],
    ['malformed', '{"job_type":', JSON_TYPE, 400, 'invalid_request', NOT_JSON],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0xc0, 0x22]), JSON_TYPE, 400, 'invalid_request', 'not valid UTF-8'],
    ['plain text', 'Hello.', { 'Content-Type': 'text/plain' }, 415, 'unsupported_media_type', 'application/json'],
    ['of no type', bytes(general(PROMPT)), {}, 415, 'unsupported_media_type', 'application/json'],
    [
      'of millions of values',
      `{"a":[${'1,'.repeat(5_000_000)}1]}`,
      JSON_TYPE,
      400,
      'invalid_request',
      'more than 30000 values',
    ],
    ['of millions of levels', '['.repeat(10_000_000), JSON_TYPE, 400, 'invalid_request', 'more than 30000 values'],
    ['of a too large input', big(INPUT_BYTES_MOST), JSON_TYPE, 413, 'input_too_large', `${INPUT_BYTES_MOST}`],
    ['too large', big(BODY_BYTES_MOST), JSON_TYPE, 413, 'input_too_large', `${BODY_BYTES_MOST} bytes`],
    ['too large, in chunks', big(BODY_BYTES_MOST), CHUNKED, 413, 'input_too_large', `${BODY_BYTES_MOST} bytes`],
  ])('%s', async (_, body, headers, status, code, words) => {
    expect((await expectRefusal(await postText(body, headers), status, code)).error).toContain(words);
  });
});

const JOB = `/api/llm/jobs/${NOBODYS}/`;
const READ = ['GET', 'HEAD'];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH'];
const ROUTES: [string, string[]][] = [
  [SUBMIT, ['DELETE', 'POST', 'PUT']],
  [app.BATCH, ['DELETE', 'POST', 'PUT']],
  [`${app.BATCH}${NOBODYS}/`, READ],
  [app.TRAINER, ['POST']],
  [JOB, ['DELETE', 'PUT']],
  ['/api/llm/users/nobody/', ['DELETE']],
  [app.cancelOf(NOBODYS), ['POST']],
  [app.retryOf(NOBODYS), ['POST']],
  ...[LIST, app.MODELS, app.statusOf(NOBODYS), app.resultOf(NOBODYS), '/health', '/openapi.json'].map(
    (path): [string, string[]] => [path, READ],
  ),
];
const REFUSED = ROUTES.flatMap(([path, allowed]) =>
  METHODS.filter((method) => !allowed.includes(method)).map((method) => [method, path, allowed] as const),
);

test.each<[string, Wrong]>([
  ['a%00b/', { user_id: 'must be 1 to 300 visible characters' }],
  [`${'x'.repeat(301)}/`, { user_id: 'must be 1 to 300 visible characters' }],
  ['local/?cursor=x', { cursor: 'is no cursor' }],
  ['local/?limit=5', { limit: 'is not a known field' }],
])('no user is erased at /api/llm/users/%s', async (path, wrong) => {
  await expectWrong(await api.send('DELETE', `/api/llm/users/${path}`), wrong);
});

test('whoever may not erase a user changes nothing', async () => {
  await expectRefusal(await api.send('DELETE', '/api/llm/users/ada/'), 403, 'forbidden');
});

test.each(REFUSED)('%s %s is not allowed; %j are', async (method, path, allowed) => {
  const reply = await api.send(method, path);
  expect([reply.status, reply.headers.get('Allow')?.split(', ').sort()]).toEqual([405, allowed]);
  if (method !== 'HEAD') await expectRefusal(reply, 405, 'method_not_allowed');
});

test.each(['/console/', '/api/llm/', '/api/llm/job/', '/api/llm/jobs//status/', `${JOB}nothing/`, '/API/llm/jobs/'])(
  '%s is no route',
  async (path) => {
    for (const reply of [await api.get(path), await api.post(path, PROMPT)]) {
      expect((await expectRefusal(reply, 404, 'route_not_found')).error).toContain(path.slice(0, -1));
    }
  },
);

test.each([
  NOBODYS,
  NOBODYS.replace(/-/g, ''),
  `${NOBODYS}x`,
  'x',
  '__proto__',
  'a%2Fb',
  '..%2F..%2Fhealth',
  '%00',
  '%',
])('there is no job %s', async (id) => {
  const asked = [api.get(app.statusOf(id)), api.get(app.resultOf(id)), api.send('POST', app.retryOf(id))];
  for (const reply of await Promise.all(asked)) {
    const { error } = await expectRefusal(reply, 404, 'job_not_found');
    expect(error).toBe('Job not found');
  }
});
