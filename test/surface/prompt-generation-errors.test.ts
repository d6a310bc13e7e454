/** Prompt generation (seed 004): what is refused, in the words of its clients, and what stops a page that polls. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, ServiceError, type ServiceErrorOptions } from '../../shared/core/errors.ts';
import type { JobService } from '../../shared/core/service.ts';
import { openApp } from '../support/app.ts';
import { openDoorWorld } from '../support/doors.ts';
import { type Refuse, refuser } from './counted-app.ts';
import { cancelOf, GENERATE, MANUAL, type PromptWorld, promptWorld, ROOT, START, statusOf } from './prompt-world.ts';

const REQUIRED = 'manual_prompt is required';
const ENDED = { status: 'failed', progress: 100 };
const SUBMITS = [START, GENERATE];
const ID = crypto.randomUUID();

let world: PromptWorld;
let refuse: Refuse;
beforeEach(() => {
  world = promptWorld();
  refuse = refuser(world.world);
});
afterEach(() => world.close());

describe.each(SUBMITS)('POST %s', (path) => {
  test.each(
    [
      undefined,
      {},
      [],
      'text',
      null,
      { manual_prompt: '' },
      { manual_prompt: ' \n\t' },
      { manual_prompt: null },
    ].concat([{ manual_prompt: 5 }, { manual_prompt: ['a'] }, { Manual_Prompt: 'a' }] as never[]),
  )('with %j says what is missing, and changes nothing', async (body) => {
    const raw = body === undefined ? undefined : JSON.stringify(body);
    const answered = await refuse('POST', path, raw);
    expect([answered.status, answered.body]).toEqual([400, { success: false, message: REQUIRED, error: REQUIRED }]);
  });

  test.each([
    [{ prompt: 'Hi', provider: 'openai', model: 'gpt-4o' }, 'POST /jobs'],
    [{ text: 'An invoice.' }, 'POST /llm/submit'],
    [{ job_type: 'general_llm_request', model_id: 'x', input_data: {} }, 'POST /api/llm/jobs/submit/'],
  ])('with the body of another contract, %j, names its endpoint', async (body, endpoint) => {
    const { status, body: answer } = await refuse('POST', path, JSON.stringify(body));
    expect([status, answer]).toEqual([
      400,
      { success: false, message: REQUIRED, error: expect.stringMatching(`^${REQUIRED}: .*${endpoint}`) },
    ]);
  });

  test.each([
    ['{"manual_prompt": ', 'application/json', 400, 'The body is not valid JSON.'],
    ['{"manual_prompt": "a\\ud800"}', 'application/json', 400, expect.stringContaining('manual_prompt ')],
    [JSON.stringify(MANUAL), 'text/plain', 415, expect.stringContaining('application/json')],
    [
      JSON.stringify({ manual_prompt: 'x'.repeat(300_000) }),
      'application/json',
      413,
      expect.stringContaining('at most 262144'),
    ],
  ])('with %.20s as %s is %d', async (body, type, status, message) => {
    const answered = await refuse('POST', path, body, { 'Content-Type': type });
    expect([answered.status, answered.body]).toEqual([status, { success: false, message, error: expect.any(String) }]);
  });
});

/** The endpoints over a service that answers every call with this error. */
function failing(code: ErrorCode, message: string, options: ServiceErrorOptions = {}) {
  const fail = async () => {
    throw new ServiceError(code, message, options);
  };
  const service: JobService = { ...world.service, submit: fail, read: fail, cancel: fail };
  return world.as(undefined, { service });
}

describe('an error at a submit', () => {
  test.each([
    [
      'subscription_inactive',
      'No.',
      403,
      'Subscription is not active. Renew your subscription to continue.',
      'Subscription is not active',
    ],
    [
      'insufficient_credits',
      'You need at least 700 tokens for prompt enhancement. Available: 250',
      402,
      'Insufficient tokens',
      'You need at least 700 tokens for prompt enhancement. Available: 250',
    ],
    [
      'model_unavailable',
      'GEMINI_API_KEY is not set.',
      503,
      'GEMINI_API_KEY is not set.',
      'GEMINI_API_KEY is not set.',
    ],
    ['rate_limited', 'Too many requests.', 429, 'Too many requests.', 'Too many requests.'],
  ] as const)('%s', async (code, sentence, status, message, error) => {
    for (const path of SUBMITS) {
      const reply = await failing(code, sentence).post(path, MANUAL);
      expect([reply.status, reply.body]).toEqual([status, { success: false, message, error }]);
    }
  });

  test('a task whose subscription ended is refused, and one whose tokens are few is taken in by the start alone', async () => {
    const asked: unknown[] = [];
    const submit: JobService['submit'] = (principal, submission) => {
      asked.push(submission.emptyAccount);
      return world.service.submit(principal, submission);
    };
    const read: JobService['read'] = (principal, id, options) =>
      world.service.read(principal, id, { ...options, waitMs: 0 });
    const api = world.as(undefined, { service: { ...world.service, submit, read } });
    for (const path of SUBMITS) await api.post(path, MANUAL);
    expect(asked).toEqual(['accept', undefined]);
  });
});

test.each(SUBMITS)('a store that gives no answer: POST %s says how to find out', async (path) => {
  world.store.fail('create', 'after');
  world.store.fail('get', 'before');
  const { status, headers, body } = await world.post(path, MANUAL);
  expect(world.store.fired()).toBe(2);
  expect([status, headers.get('Retry-After'), body]).toEqual([
    ...[503, '1'],
    {
      success: false,
      message: expect.stringMatching(/^It is not known whether the generation was started\. Check \/api\//),
      error: body.message,
    },
  ]);
  const [url = ''] = /\/api\/\S+/.exec(body.message) ?? [];
  expect((await world.get(url)).body).toMatchObject({ status: 'queued' });
});

test('a model of the setting that is not there is no fault of who asks', async () => {
  const api = await openApp({ PROMPT_GENERATION_MODEL: 'gemini-nothing' });
  const sentence = 'There is no model "gemini-nothing" (PROMPT_GENERATION_MODEL).';
  for (const path of SUBMITS) {
    const { status, body } = await api.post(path, MANUAL);
    expect([status, body]).toEqual([503, { success: false, message: sentence, error: sentence }]);
  }
  await api.close();
});

describe('an error while a page polls', () => {
  test.each([
    ['job_not_found', 404, true],
    ['forbidden', 403, true],
    ['unauthenticated', 401, true],
    ['invalid_request', 400, true],
    ['rate_limited', 429, false],
    ['store_unavailable', 503, false],
    ['internal_error', 500, false],
  ] as const)('%s is %d; does it stop the page? %s', async (code, status, stops) => {
    const api = failing(code, 'A sentence.', { retryAfterMs: 1_000 });
    const words = code === 'job_not_found' ? 'Task not found' : 'A sentence.';
    for (const reply of [await api.get(statusOf(ID)), await api.send('POST', cancelOf(ID))]) {
      const body = { success: false, message: words, error: words, ...(stops ? ENDED : {}) };
      expect([reply.status, reply.body]).toEqual([status, body]);
      expect(reply.headers.get('Retry-After')).toBe('1');
    }
  });

  test('who sends no token is told to stop, and at a submit why', async () => {
    const doors = await openDoorWorld();
    const refused = { success: false, message: expect.stringMatching(/^Credentials/), error: expect.any(String) };
    expect((await doors.send('GET', statusOf(ID))).body).toEqual({ ...refused, ...ENDED });
    expect((await doors.send('POST', START, { body: MANUAL })).body).toEqual(refused);
    await doors.close();
  });

  test('a path that is none, and a method that is not allowed', async () => {
    const none = await world.get(`${ROOT}/generate-prompt-async/status/`);
    expect([none.status, none.body]).toEqual([
      404,
      { success: false, message: expect.any(String), error: expect.any(String), ...ENDED },
    ]);
    const method = await world.get(START);
    expect([method.status, method.headers.get('Allow')]).toEqual([405, 'POST']);
    expect(method.body).toEqual({ success: false, message: expect.any(String), error: expect.any(String) });
  });
});
