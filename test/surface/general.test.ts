/** `general_llm_request` in the words of the LLM module (seed 003), over HTTP. */
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BATCH,
  general,
  openApp,
  type Reply,
  resultOf,
  SUBMIT,
  statusOf,
  streamOf,
  type TestApp,
} from '../support/app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await openApp({ OPENAI_API_KEY: 'sk-unused', GEMINI_API_KEY: 'unused' });
});
afterAll(() => api.close());

const SCHEMA = { type: 'object', properties: { age: { type: 'integer', minimum: 3 } }, required: ['age'] };
const WEATHER = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const SPEC = { provider: 'simulated', model: 'simulated' };

/** The view of the job that a body makes, when it is over. */
async function done(input: object, more: object = { model_id: 'simulated' }): Promise<Reply['body']> {
  const { status, body } = await api.post(SUBMIT, { job_type: 'general_llm_request', ...more, input_data: input });
  expect([status, body.details]).toEqual([202, undefined]);
  return api.poll(body.job_id);
}

async function wrong(input: object, more: object = { model_id: 'simulated' }): Promise<Record<string, string>> {
  const { status, body } = await api.post(SUBMIT, { job_type: 'general_llm_request', ...more, input_data: input });
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  return Object.fromEntries(
    body.details.map(({ path, message }: { path: string; message: string }) => [path, message]),
  );
}

/** All events of a job's stream, to its end. */
async function eventsOf(id: string): Promise<{ event?: string | undefined; data: string }[]> {
  const events: { event?: string | undefined; data: string }[] = [];
  const response = await api.app.request(streamOf(id));
  createParser({ onEvent: (event) => void events.push(event) }).feed(await response.text());
  return events;
}

describe('a request in the words of the module', () => {
  test('names its model, and is answered in these words', async () => {
    const view = await done({ llm: { prompt: 'Hello.', llm_model_spec: { ...SPEC, temperature: 0.5 } } }, {});
    expect(view.result_data).toEqual({
      success: true,
      result: expect.stringContaining('"Hello."'),
      message: view.result_data.result,
      response_id: expect.stringMatching(/^simulated-/),
      model: 'simulated',
      input_tokens: view.usage.input_tokens,
      output_tokens: view.usage.output_tokens,
      total_tokens: view.usage.total_tokens,
      file_search_results: [],
      tool_calls: [],
      finish_reason: 'stop',
      warnings: [],
    });
    expect((await api.get(resultOf(view.job_id))).body.result_data).toEqual(view.result_data);
  });

  test('may name it twice, when both mean the same', async () => {
    const input = { llm: { prompt: 'Hello.', llm_model_spec: SPEC } };
    expect((await done(input, { model_id: 'Simulated' })).status).toBe('completed');
    expect(await wrong(input, { model_id: 'gpt-4o' })).toEqual({
      model_id: expect.stringContaining('contradicts input_data.llm.llm_model_spec.model (simulated/simulated)'),
    });
  });

  test('that names no model, or none that is there, is told where and what is near', async () => {
    expect(await wrong({ prompt: 'Hello.' }, {})).toEqual({ model_id: 'is required, a string' });
    const near = await wrong({ llm: { prompt: 'Hello.', llm_model_spec: { provider: 'openia', model: 'gpt-4' } } }, {});
    expect(near).toEqual({
      'input_data.llm.llm_model_spec.provider': expect.stringMatching(/must be one of: .*openai/),
    });
    const llm = { prompt: 'Hello.', llm_model_spec: { provider: 'openai', model: 'gpt-44' } };
    expect(await wrong({ llm }, {})).toEqual({
      'input_data.llm.llm_model_spec.model': expect.stringContaining('did you mean openai/gpt-4'),
    });
    expect(await wrong({ prompt: 'Hello.' }, { model_id: 'gpt-4oo' })).toEqual({
      model_id: expect.stringContaining('did you mean gpt-4o'),
    });
  });

  test('in a batch and by PUT, too', async () => {
    const body = { job_type: 'general_llm_request', input_data: { llm: { prompt: 'Hello.', llm_model_spec: SPEC } } };
    const batch = await api.post(BATCH, { jobs: [body, { ...body, input_data: { prompt: 'Hello.' } }] });
    expect(batch.body.items).toMatchObject([{ success: true }, { success: false, details: [{ path: 'model_id' }] }]);
    const path = `/api/llm/jobs/${crypto.randomUUID()}`;
    const headers = { 'Content-Type': 'application/json' };
    const put = await api.send('PUT', path, { body: JSON.stringify(body), headers });
    expect([put.status, put.body.model.name]).toEqual([202, 'Simulated']);
  });
});

describe('what contradicts itself is named', () => {
  test.each<[string, object, Record<string, string>]>([
    ['beside llm', { llm: { prompt: 'a', llm_model_spec: SPEC }, temperature: 1 }, { temperature: 'beside llm' }],
    ['two prompts', { llm: { prompt: 'a', messages: [{ role: 'user', content: 'b' }] } }, { 'llm.messages': 'prompt' }],
    ['no prompt', { llm: { llm_model_spec: SPEC } }, { 'llm.prompt': 'is required' }],
    ['results of no search', { prompt: 'a', max_num_results: 3 }, { max_num_results: 'vector_store_id' }],
    ['repairs of nothing', { prompt: 'a', max_repairs: 1 }, { max_repairs: 'response_schema' }],
    ['a choice of nothing', { prompt: 'a', tool_choice: 'auto' }, { tool_choice: 'tools' }],
    [
      'a choice that is not there',
      { prompt: 'a', tools: [WEATHER], tool_choice: { type: 'function', function: { name: 'time' } } },
      { 'tool_choice.function.name': 'must be one of the tools: weather' },
    ],
    [
      'a result of no call',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'tool', tool_call_id: 'c', content: '' },
        ],
      },
      { 'messages.1.tool_call_id': 'answers no tool call' },
    ],
    [
      'a call that nothing answers',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }] },
          { role: 'user', content: 'b' },
        ],
      },
      { 'messages.2': 'before the result of the call c' },
    ],
    ['two tools of one name', { prompt: 'a', tools: [WEATHER, WEATHER] }, { 'tools.1.function.name': 'another tool' }],
    [
      'arguments that are no JSON',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{' } }] },
        ],
      },
      { 'messages.1.tool_calls.0.function.arguments': 'must be JSON' },
    ],
    ['a schema that is none', { prompt: 'a', response_schema: [] }, { response_schema: 'an object' }],
    [
      'an image from anywhere',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'file:///etc/passwd' }] }] },
      { 'messages.0.content': 'https:' },
    ],
  ])('%s', async (_, input, paths) => {
    const details = await wrong(input);
    for (const [path, words] of Object.entries(paths)) {
      const found = Object.entries(details).find(([at]) => at.startsWith(`input_data.${path}`));
      expect(found?.[1]).toContain(words);
    }
  });
});

test('a value of no kind that may be is told which there are, once, beside what is wrong elsewhere', async () => {
  expect(await wrong({ messages: [{ role: 'user', content: 1 }] }, { timeout: 0 })).toEqual({
    'input_data.messages.0.content': 'must be a string or an array',
    timeout: expect.any(String),
  });
});

describe('what the model does not take', () => {
  test('is 400 at its own field, whichever way it was written', async () => {
    const flat = { prompt: 'a', temperature: 0.5, reasoning: { effort: 'minimal' } };
    expect(await wrong(flat, { model_id: 'o1' })).toEqual({
      'input_data.temperature': expect.stringContaining('o1'),
      'input_data.reasoning.effort': 'must be one of: low, medium, high',
    });
    const spec = { provider: 'openai', model: 'gpt-4', top_p: 2 };
    const image = [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }];
    const nested = { llm: { messages: [{ role: 'user', content: image }], llm_model_spec: spec } };
    expect(Object.keys(await wrong(nested, {}))).toEqual(
      expect.arrayContaining(['input_data.llm.llm_model_spec.top_p', 'input_data.llm.messages']),
    );
    expect(await wrong({ prompt: 'a', vector_store_id: 'vs' }, { model_id: 'gemini-2.5-flash' })).toHaveProperty([
      'input_data.vector_store_id',
    ]);
  });

  test('a schema that cannot be used is named to the keyword', async () => {
    const schema = { type: 'object', properties: { a: { $ref: 'https://example.com/a.json' } } };
    expect(await wrong({ prompt: 'a', response_schema: schema })).toEqual({
      'input_data.response_schema.properties.a.$ref': expect.stringContaining('nothing is fetched'),
    });
    const tool = { type: 'function', function: { name: 'a', parameters: { type: 'object', required: 'b' } } };
    expect(Object.keys(await wrong({ prompt: 'a', tools: [tool] }))).toEqual([
      expect.stringMatching(/^input_data\.tools\.0\.function\.parameters\.required/),
    ]);
  });
});

describe('structured output', () => {
  test('is a value, checked by its schema', async () => {
    expect((await done({ prompt: 'Age?', response_schema: SCHEMA })).result_data).toEqual({
      success: true,
      result: { age: 3 },
    });
  });

  test('that is wrong is mended by the model once, and who streams sees it begin anew', async () => {
    const input = { prompt: 'Your age? [simulate json=wrong times=1 seconds=1]', response_schema: SCHEMA };
    const { body } = await api.post(SUBMIT, { ...general(input), stream: true });
    const events = await eventsOf(body.job_id);
    const resets = events.filter(({ event }) => event === 'reset');
    expect(resets).toHaveLength(1);
    const after = events.slice(events.findIndex(({ event }) => event === 'reset'));
    const text = after.flatMap(({ event, data }) => (event === 'delta' ? [JSON.parse(data).text] : [])).join('');
    expect(JSON.parse(text)).toEqual({ age: 3 });
    const view = await api.poll(body.job_id);
    expect(view.attempts.map((attempt: { error_code?: string }) => attempt.error_code)).toEqual([
      'schema_violation',
      undefined,
    ]);
  });

  test('that stays wrong fails, and only its owner reads what was said', async () => {
    const prompt = 'An age? [simulate json=wrong]';
    const view = await done({ prompt, response_schema: SCHEMA, max_repairs: 0 });
    expect(view).toMatchObject({ status: 'failed', error_code: 'schema_violation', attempts: [{ calls: 1 }] });
    expect(view.rejected_text).toContain('not what was asked for');
    expect(view).not.toHaveProperty('result_data');
    expect((await api.get(resultOf(view.job_id))).status).toBe(409);
    const list = await api.get('/api/llm/jobs/?status=failed');
    expect(JSON.stringify(list.body)).not.toContain('rejected_text');
    await api.send('DELETE', `/api/llm/jobs/${view.job_id}`);
    expect((await api.get(statusOf(view.job_id))).status).toBe(404);
  });

  test('that ends at the output limit is never taken for the whole', async () => {
    const view = await done({ prompt: 'Age? [simulate finish=length]', response_schema: SCHEMA });
    expect(view).toMatchObject({ status: 'failed', error_code: 'answer_truncated' });
    expect(view.error_message).toContain('max_tokens');
    // Text is shown as it is, and says so.
    expect((await done({ prompt: 'Hi [simulate finish=length]' })).result_data.finish_reason).toBe('length');
  });
});

test('tools: definitions in, calls out, results continue the conversation', async () => {
  const prompt = 'Weather? [simulate tool=weather]';
  const first = await done({ prompt, tools: [WEATHER] });
  const [call] = first.result_data.tool_calls;
  expect(first.result_data).toMatchObject({ result: '', finish_reason: 'tool_calls' });
  expect(call).toMatchObject({ type: 'function', function: { name: 'weather' } });
  expect(JSON.parse(call.function.arguments)).toHaveProperty('city');
  const messages = [
    { role: 'user', content: prompt },
    { role: 'assistant', tool_calls: first.result_data.tool_calls },
    { role: 'tool', tool_call_id: call.id, content: 'Rain.' },
  ];
  // A schema is for the answer that follows them.
  const withSchema = await done({ prompt, tools: [WEATHER], response_schema: SCHEMA });
  expect(withSchema).toMatchObject({ status: 'completed', attempts: [{ calls: 1 }], result_data: { result: '' } });
  const second = await done({ messages, tools: [WEATHER] });
  expect(second.result_data.result).toContain('Rain.');
  expect(second.result_data).not.toHaveProperty('tool_calls');
});
