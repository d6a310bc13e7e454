/** The Jobs API as seed 000 shows it, plus the fields of ours: whole bodies, compared. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as app from '../support/app.ts';
import {
  cancelOf,
  general,
  openApp,
  resultOf,
  retryOf,
  SUBMIT,
  statusOf,
  streamOf,
  type TestApp,
} from '../support/app.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const SIMULATED = { id: '6e1b493d-10ca-4796-8088-6e8ec9e4f974', name: 'Simulated', provider: 'simulated' };
const GPT_4 = { id: '1a97ccb9-2e49-44b1-869c-e82054a05243', name: 'GPT-4', provider: 'openai' };
const GPT_4O_MINI = { id: '26ed3a75-6c57-455c-bb19-197013987914', name: 'GPT-4o mini', provider: 'openai' };
const NO_KEY = 'GPT-4o mini cannot be used yet: set OPENAI_API_KEY where the service runs.';
const USAGE = { input_tokens: expect.any(Number), output_tokens: expect.any(Number), total_tokens: expect.any(Number) };
const SEED_SUBMIT = {
  job_type: 'trainer_question_analysis',
  model_id: SIMULATED.id,
  input_data: { system_message: 'You are a helpful assistant.', full_input: 'Analyze this question...' },
  question_id: 'optional-question-id',
};
const SEED_TRAINER = {
  model_id: SIMULATED.id,
  question_id: 'question-123',
  system_message: 'You are an expert code reviewer.',
  full_input: 'Please analyze this coding problem...',
};

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

const urlsOf = (id: string) => ({
  status: statusOf(id),
  result: resultOf(id),
  stream: streamOf(id),
  cancel: cancelOf(id),
});
/** The clocks and the retention where nobody asked for others. */
const CLOCKS = {
  start_within: 86_400,
  timeout: 86_400,
  attempt_timeout: 540,
  idle_timeout: 240,
  ttl_seconds: 2_592_000,
};
const POLL_AFTER_MS = expect.any(Number);

function submittedView(id: string, model: object) {
  return {
    success: true,
    job_id: UUID,
    status: 'pending',
    message: 'Job submitted successfully. Use job_id to poll for results.',
    job_type: 'trainer_question_analysis',
    created_at: TIME,
    model,
    poll_after_ms: POLL_AFTER_MS,
    urls: urlsOf(id),
  };
}

function endedView(id: string, job_type: string) {
  const attempt = { n: 1, started_at: TIME, ended_at: TIME, provider: 'simulated', model: 'simulated', calls: 1 };
  return {
    view: {
      success: true,
      job_id: id,
      job_type,
      is_complete: true,
      created_at: TIME,
      started_at: TIME,
      completed_at: TIME,
      expires_at: TIME,
      processing_time: expect.any(Number),
      model: SIMULATED,
      progress: 100,
      billing: 'final',
      ...CLOCKS,
      version: 3,
      urls: urlsOf(id),
    },
    attempt: { ...attempt, provider_request_id: expect.stringMatching(/^simulated-[0-9a-f]{8}$/) },
  };
}

function completedView(id: string, question_id: string, asked: string) {
  const { view, attempt } = endedView(id, 'trainer_question_analysis');
  return {
    ...view,
    status: 'completed',
    result_data: { success: true, result: expect.stringContaining(asked) },
    question_id,
    message: 'Done',
    attempts: [{ ...attempt, outcome: 'completed', finish_reason: 'stop', usage: USAGE, cost: 0 }],
    usage: USAGE,
    cost: 0,
  };
}

describe("seed 000's examples", () => {
  test.each([
    ['a submission', SUBMIT, SEED_SUBMIT, SEED_SUBMIT.input_data.full_input],
    ['a trainer analysis', app.TRAINER, SEED_TRAINER, SEED_TRAINER.full_input],
  ])('%s is answered 202 with where to poll it, and completes', async (_, path, sent, asked) => {
    const { status, headers, body } = await api.post(path, sent);
    expect(status).toBe(202);
    expect(body).toEqual(submittedView(body.job_id, SIMULATED));
    expect(headers.get('Location')).toBe(statusOf(body.job_id));
    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(headers.get('Content-Type')).toContain('application/json');
    const view = await api.poll(body.job_id);
    expect(view).toEqual(completedView(body.job_id, sent.question_id, asked));
    expect(view.created_at <= view.started_at && view.started_at <= view.completed_at).toBe(true);
    expect(Math.abs(Date.parse(view.created_at) - Date.now())).toBeLessThan(30_000);
  });

  test('the result endpoint shows the result alone', async () => {
    const { body: submitted } = await api.post(SUBMIT, SEED_SUBMIT);
    const { processing_time, result_data } = await api.poll(submitted.job_id);
    const { status, headers, body } = await api.get(resultOf(submitted.job_id));
    expect(status).toBe(200);
    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(body).toEqual({
      success: true,
      job_id: submitted.job_id,
      job_type: 'trainer_question_analysis',
      status: 'completed',
      result_data,
      processing_time,
      model: SIMULATED,
      question_id: 'optional-question-id',
    });
  });
});

describe('a job that waits for a worker', () => {
  const BUSY = { WORKER_CONCURRENCY: '1', OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' };
  let busy: TestApp;
  let running: string;
  let waiting: string;
  beforeAll(async () => {
    busy = await openApp(BUSY);
    running = await busy.submit('[simulate seconds=30]');
    while ((await busy.get(statusOf(running))).body.status === 'pending') await app.pause(5);
    waiting = (await busy.post(SUBMIT, { ...SEED_SUBMIT, model_id: GPT_4.id })).body.job_id;
    await app.pause(30);
  });
  afterAll(() => busy.close());

  test('is shown as pending, as in seed 000', async () => {
    const { status, headers, body } = await busy.get(statusOf(waiting));
    expect(status).toBe(200);
    expect(headers.get('Cache-Control')).toBe('no-store');
    expect(body).toEqual({
      success: true,
      job_id: waiting,
      job_type: 'trainer_question_analysis',
      status: 'pending',
      is_complete: false,
      created_at: TIME,
      model: GPT_4,
      question_id: 'optional-question-id',
      progress: 0,
      message: 'Waiting for a worker',
      poll_after_ms: POLL_AFTER_MS,
      ...CLOCKS,
      version: 1,
      attempts: [],
      urls: urlsOf(waiting),
    });
  });

  test('and the one that the worker has is shown as processing', async () => {
    expect((await busy.get(statusOf(running))).body).toEqual({
      success: true,
      job_id: running,
      job_type: 'general_llm_request',
      status: 'processing',
      is_complete: false,
      created_at: TIME,
      started_at: TIME,
      model: SIMULATED,
      progress: expect.any(Number),
      poll_after_ms: POLL_AFTER_MS,
      stage: 'calling_llm',
      message: 'Waiting for Simulated to answer',
      ...CLOCKS,
      version: 2,
      attempts: [{ n: 1, started_at: TIME, provider: 'simulated', model: 'simulated', calls: 1 }],
      urls: urlsOf(running),
    });
  });

  test.each(['GPT-4', 'gPt-4', GPT_4.id, GPT_4.id.toUpperCase()])('can name its model as %s', async (name) => {
    const { status, body } = await busy.post(SUBMIT, general({ prompt: 'Hello.' }, name));
    expect([status, body.model]).toEqual([202, GPT_4]);
  });

  test.each([
    ['pending', () => waiting],
    ['processing', () => running],
  ])('has no result while %s: 409 with the status', async (state, id) => {
    const { status, body } = await busy.get(resultOf(id()));
    expect(status).toBe(409);
    expect(body).toEqual({
      success: false,
      error: `The job is ${state}; it has no result yet.`,
      code: 'job_not_complete',
      request_id: expect.any(String),
      status: state,
    });
  });
});

test('a failed job is a successful answer with the error and no result', async () => {
  const id = await api.submit('[simulate fail=content_policy]');
  const { view, attempt } = endedView(id, 'general_llm_request');
  const failed = await api.poll(id);
  expect(failed).toEqual({
    ...view,
    status: 'failed',
    error_message: 'The simulated model was told to fail: content_policy.',
    error_code: 'content_policy',
    urls: { ...view.urls, retry: retryOf(id) },
    message: 'Failed',
    billing: 'possible',
    attempts: [{ ...attempt, outcome: 'failed', error_code: 'content_policy', cost: 0, cost_estimated: true }],
    ...{ cost: 0, cost_estimated: true },
  });
  const { status, body } = await api.get(resultOf(id));
  expect(status).toBe(409);
  expect(body).toMatchObject({ success: false, code: 'job_not_complete', status: 'failed' });
  expect(body.error).toContain(failed.error_message);
});

describe('an input is', () => {
  const said = ['system: Be brief.', 'user: First.', 'assistant: Second.', 'user: Ask five 🦆.'];
  const TURNS = said.map((line) => ({ role: line.split(': ')[0], content: line.split(': ')[1] }));
  test.each([
    ['a prompt', { prompt: 'Ask one.' }, 'Ask one.'],
    ['a full_input', { full_input: 'Ask two.' }, 'Ask two.'],
    ['a full_input under a system message', { full_input: 'Ask three.', system_message: 'Be brief.' }, 'Ask three.'],
    ['a conversation', { messages: [{ role: 'user', content: 'Ask four.' }] }, 'Ask four.'],
    ['a conversation of several turns', { messages: TURNS }, 'Ask five 🦆.'],
  ])('%s', async (_, input, asked) => {
    const { status, body } = await api.post(SUBMIT, general(input));
    expect(status).toBe(202);
    const view = await api.poll(body.job_id);
    expect(view).toMatchObject({ status: 'completed', job_type: 'general_llm_request' });
    expect(view.result_data.result).toContain(`"${asked}"`);
  });
});

test('the models are listed under ids that never change', async () => {
  const { status, body } = await api.get(app.MODELS);
  expect([status, body]).toEqual([200, { success: true, models: expect.any(Array) }]);
  const needsKey = { available: false, unavailable_reason: NO_KEY };
  const described = { capabilities: expect.any(Object), parameters: expect.any(Array) };
  expect(body.models).toContainEqual({ ...SIMULATED, model: 'simulated', available: true, ...described });
  expect(body.models).toContainEqual({ ...GPT_4O_MINI, model: 'gpt-4o-mini', ...needsKey, ...described });
  expect(body.models).toContainEqual(expect.objectContaining({ ...GPT_4, model: 'gpt-4', available: false }));
});

test('each model says what it can do and what it takes, a retired one what its successor does', async () => {
  type Row = { model: string; capabilities: object; parameters: object[] };
  const { models } = (await api.get(app.MODELS)).body as { models: Row[] };
  const describedAs = (name: string) =>
    models
      .filter(({ model }) => model === name)
      .map(({ capabilities, parameters }) => ({ capabilities, parameters }))[0];
  const can = {
    ...{ supports_streaming: true, supports_vision: true, supports_reasoning: true, supports_verbosity: false },
    ...{ supports_file_search: true, supports_tools: true, supports_structured_output: true },
    supports_background: true,
  };
  expect(describedAs('o1')).toEqual({
    capabilities: can,
    parameters: [
      { name: 'max_tokens', type: 'int', min_value: 16, max_value: 100_000 },
      {
        ...{ name: 'reasoning.effort', type: 'enum', allowed_values: ['low', 'medium', 'high'] },
        default_value: 'medium',
      },
      { name: 'text.verbosity', type: 'enum', allowed_values: ['medium'], default_value: 'medium' },
    ],
  });
  expect(describedAs('gpt-4')).toMatchObject({ capabilities: { supports_vision: false, supports_file_search: true } });
  expect(describedAs('gemini-pro')?.parameters).toContainEqual({
    ...{ name: 'temperature', type: 'float', min_value: 0, max_value: 2, default_value: 1 },
  });
  for (const [retired, successor] of [
    ['gpt-3.5-turbo', 'gpt-4o-mini'],
    ['gemini-2.0-flash', 'gemini-2.5-flash'],
  ] as const) {
    expect(describedAs(retired)).toEqual(describedAs(successor));
  }
});

test('a model whose key is missing is 503 and names the variable to set', async () => {
  const { status, headers, body } = await api.post(SUBMIT, general({ prompt: 'Hello.' }, 'gpt-4o-mini'));
  const request_id = headers.get('X-Request-ID');
  expect([status, body]).toEqual([503, { success: false, error: NO_KEY, code: 'model_unavailable', request_id }]);
});

test('the service says that it is well', async () => {
  const { status, headers, body } = await api.get('/health');
  expect([status, headers.get('Cache-Control'), body]).toEqual([200, 'no-store', { status: 'ok' }]);
});
