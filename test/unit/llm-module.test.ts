/** The code samples of seed 003, translated: each runs as it would in a user's program, against a real socket. */
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { LlmProvider, LlmRequest } from '../../shared/core/llm.ts';
import {
  complete,
  DEFAULT_MAX_RESULTS,
  DEFAULT_TEMPERATURE,
  DEFAULT_TOP_P,
  executeLlmBatch,
  executeLlmCall,
  isApiCallError,
  isLlmServiceError,
  isRetryable,
  isUnsupportedProviderError,
  isValidationError,
  type LlmCallRequest,
  modelSpecs,
  registerProvider,
  registerSpecs,
  registerTransformer,
  SUPPORTED_PROVIDERS,
  startJob,
} from '../../shared/llm/llm.ts';
import { coreWorld } from '../support/core-world.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';

let provider: ScriptedProvider;
let client: OpenAI;
const asked = () => provider.requests.at(-1)?.body as Record<string, unknown>;

const event = (value: { type: string }) => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
const USAGE = {
  input_tokens: 10,
  output_tokens: 20,
  total_tokens: 30,
  input_tokens_details: { cached_tokens: 4 },
  output_tokens_details: { reasoning_tokens: 8 },
};
const answered = (output: object[], model: string) =>
  event({
    type: 'response.completed',
    response: { id: 'resp_1', status: 'completed', model, output, usage: USAGE },
  } as never);
const said = (text: string) => ({ type: 'message', content: [{ type: 'output_text', text }] });

/** Answers each request with this text, and with what else is in the output. */
function answerWith(text: string, ...besides: object[]): void {
  provider.answerWith(async ({ stream, write, response, body }) => {
    stream();
    await write(event({ type: 'response.output_text.delta', delta: text } as never));
    await write(answered([...besides, said(text)], (body as { model: string }).model));
    response.end();
  });
}

beforeAll(async () => {
  provider = await startScriptedProvider();
  client = new OpenAI({ apiKey: 'sk-test', baseURL: `${provider.url}/v1` });
});
beforeEach(() => {
  provider.requests.length = 0;
});
afterAll(() => provider.stop());

test('basic call', async () => {
  answerWith('It is about very small things.');
  const request: LlmCallRequest = {
    llm: {
      prompt: 'Explain quantum computing',
      llm_model_spec: { model: 'gpt-4', provider: 'openai', temperature: 0.7, max_tokens: 500 },
    },
  };

  const { response, error } = await executeLlmCall(request, { client });

  expect(error).toBeNull();
  expect(response).toEqual({
    message: 'It is about very small things.',
    response_id: 'resp_1',
    model: 'gpt-4',
    input_tokens: 10,
    output_tokens: 20,
    total_tokens: 30,
    cached_input_tokens: 4,
    reasoning_tokens: 8,
    file_search_results: [],
    tool_calls: [],
    finish_reason: 'stop',
    // 10 × $30 and 20 × $60 a million; gpt-4 has no price of its own for cached input.
    cost: 0.0015,
    warnings: [],
  });
  expect(asked()).toMatchObject({ model: 'gpt-4', temperature: 0.7, max_output_tokens: 500 });
});

test('with a vector store', async () => {
  const results = [{ file_id: 'f1', filename: 'auth.md', score: 0.9, text: 'Send a Bearer token.' }];
  answerWith('With a Bearer token.', { type: 'file_search_call', id: 'fs_1', status: 'completed', results });
  const request: LlmCallRequest = {
    llm: {
      prompt: 'What does the documentation say about authentication?',
      vector_store_id: 'vs_abc123',
      llm_model_spec: { model: 'gpt-4', provider: 'openai' },
    },
    max_num_results: 10,
  };

  const { response } = await executeLlmCall(request, { client });

  const shown = response?.file_search_results.map((result) => `Score: ${result.score}, Text: ${result.text}`);
  expect(shown).toEqual(['Score: 0.9, Text: Send a Bearer token.']);
  expect(asked().tools).toEqual([{ type: 'file_search', vector_store_ids: ['vs_abc123'], max_num_results: 10 }]);
});

test('o-series models', async () => {
  answerWith('Solved.');
  const request: LlmCallRequest = {
    llm: {
      prompt: 'Solve this complex problem...',
      llm_model_spec: { model: 'o1', provider: 'openai', reasoning: { effort: 'high' }, text: { verbosity: 'medium' } },
    },
  };

  const { response, error } = await executeLlmCall(request, { client });

  expect(error).toBeNull();
  expect(response?.message).toBe('Solved.');
  expect(response?.reasoning_tokens).toBe(8);
  expect(asked()).toMatchObject({ reasoning: { effort: 'high' }, text: { verbosity: 'medium' } });
});

test('an asynchronous job', async () => {
  const world = coreWorld();
  const request: LlmCallRequest = {
    llm: { prompt: 'Explain quantum computing', llm_model_spec: { model: 'simulated', provider: 'simulated' } },
  };

  const jobId = await startJob({ jobs: world.service, request, projectId: 123, organizationId: 456 });

  const stored = await world.store.getWithInput({ tenant: '456', id: jobId });
  expect(stored?.job).toMatchObject({ state: 'pending', jobType: 'general_llm_request', projectId: '123' });
  await world.run({ tenant: '456', id: jobId });
  expect((await world.store.get({ tenant: '456', id: jobId }))?.job.state).toBe('completed');
  world.close();
});

test('adding a provider', async () => {
  // 1. the provider
  type Client = { messages: { create(body: object): Promise<{ id: string; text: string }> } };
  const acmeProvider = ({ client: sdk, transform }: { client: Client; transform: typeof toAcmeBody }): LlmProvider => ({
    async *generate(request) {
      const { body, warnings } = transform(request);
      const answer = await sdk.messages.create(body);
      yield { type: 'accepted' };
      for (const warning of warnings) yield { type: 'warning', message: warning };
      yield { type: 'response', id: answer.id };
      yield { type: 'text-delta', text: answer.text };
      yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 4, totalTokens: 7 } };
      yield { type: 'finish', reason: 'stop' };
    },
  });
  // 2. the transformer
  const toAcmeBody = (request: LlmRequest) => ({
    body: { model: request.model, messages: request.messages, max_tokens: request.maxOutputTokens ?? 1024 },
    warnings: [],
  });
  // 3. the specs
  const undo = [
    registerSpecs([
      {
        id: '5f0f4dd4-1d0c-4f0e-8f0b-6f8e0a6f8a01',
        modelName: 'acme-3-opus',
        displayName: 'Acme 3 Opus',
        provider: 'acme',
        capabilities: { supportsStreaming: true, supportsVision: true },
        parameters: [{ name: 'temperature', type: 'float', minValue: 0, maxValue: 1 }],
      },
    ]),
    // 4. the registration
    registerProvider('acme', {
      load: async (_settings, { client, transform }) => acmeProvider({ client, transform } as never),
    }),
    registerTransformer('acme', toAcmeBody),
  ];

  const bodies: object[] = [];
  const acme: Client = {
    messages: {
      async create(body) {
        bodies.push(body);
        return { id: 'msg_1', text: 'Hello from Acme.' };
      },
    },
  };
  const spec = { model: 'acme-3-opus', provider: 'acme', temperature: 0.5 };
  const { response, error } = await executeLlmCall({ llm: { prompt: 'Hi', llm_model_spec: spec } }, { client: acme });
  expect(error).toBeNull();
  expect(response).toMatchObject({ message: 'Hello from Acme.', response_id: 'msg_1', total_tokens: 7, cost: null });
  expect(bodies).toEqual([{ model: 'acme-3-opus', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1024 }]);

  const tooHot = { ...spec, temperature: 1.5 };
  const refused = await executeLlmCall({ llm: { prompt: 'Hi', llm_model_spec: tooHot } }, { client: acme });
  expect(isValidationError(refused.error)).toBe(true);
  expect(refused.error?.details).toEqual([
    { path: 'llm.llm_model_spec.temperature', message: 'must be a number from 0 to 1' },
  ]);
  expect(bodies).toHaveLength(1);
  for (const takeBack of undo) takeBack();
});

test('with a mock client', async () => {
  const mockClient = {
    responses: {
      create: async () => ({
        id: 'resp_123',
        output_text: 'Test response',
        model: 'gpt-4',
        usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 },
      }),
    },
  };
  const request: LlmCallRequest = {
    llm: { prompt: 'Hi', llm_model_spec: { model: 'gpt-4', provider: 'openai' } },
  };
  const { response } = await executeLlmCall(request, { client: mockClient });
  expect(response?.message).toBe('Test response');
  expect(response).toMatchObject({ response_id: 'resp_123', total_tokens: 30 });
});

test('the text as it comes (seed 001)', async () => {
  const text: string[] = [];
  const options = { provider: 'simulated', model: 'simulated', settings: { simulatedMs: 50 } };
  for await (const token of complete('Write a short story about AI', options)) text.push(token);
  expect(text.length).toBeGreaterThanOrEqual(10);
  expect(text.join('')).toContain('Write a short story about AI');
});

test('many calls, in order, a few at a time', async () => {
  let open = 0;
  let most = 0;
  provider.answerWith(async ({ stream, write, response, body }) => {
    most = Math.max(most, ++open);
    const { input } = body as { input: { content: string }[] };
    const number = Number(input[0]?.content);
    await new Promise((resolve) => setTimeout(resolve, 40 - 4 * number));
    stream();
    await write(answered([said(`answer ${number}`)], 'gpt-4o-mini'));
    open--;
    response.end();
  });
  const requests = Array.from({ length: 10 }, (_, n) => ({
    llm: { prompt: String(n), llm_model_spec: { provider: 'openai', model: 'gpt-4o-mini' } },
  }));
  const outcomes = await executeLlmBatch(requests, { client, atOnce: 3 });
  expect(outcomes.map(({ response }) => response?.message)).toEqual(requests.map((_, n) => `answer ${n}`));
  expect(most).toBe(3);
});

test('what seed 003 names is there', () => {
  expect([DEFAULT_TEMPERATURE, DEFAULT_TOP_P, DEFAULT_MAX_RESULTS]).toEqual([1, 1, 20]);
  expect(SUPPORTED_PROVIDERS).toEqual(expect.arrayContaining(['openai', 'gemini', 'openai-compatible', 'simulated']));
  expect(modelSpecs.find('openai', 'gpt-4')?.capabilities.supportsFileSearch).toBe(true);
});

const asking = (spec: object, more: object = {}) =>
  executeLlmCall({ llm: { prompt: 'Hi', llm_model_spec: spec }, ...more } as never, { client });

test.each([
  [{ provider: 'openia', model: 'gpt-4' }, {}, 'unsupported_provider', 'llm.llm_model_spec.provider'],
  [{ provider: 'openai', model: 'gpt-44' }, {}, 'invalid_request', 'llm.llm_model_spec.model'],
  [{ provider: 'openai', model: 'gpt-4', temperature: 3 }, {}, 'invalid_request', 'llm.llm_model_spec.temperature'],
  [{ provider: 'openai', model: 'o1', temperature: 0.5 }, {}, 'invalid_request', 'llm.llm_model_spec.temperature'],
  [{ provider: 'openai', model: 'gpt-4', tempratur: 1 }, {}, 'invalid_request', 'llm.llm_model_spec.tempratur'],
  [{ provider: 'openai', model: 'gpt-4' }, { max_num_results: 3 }, 'invalid_request', 'max_num_results'],
  [{ provider: 'openai', model: 'gpt-4' }, { max_cost: 0.000_000_1 }, 'cost_limit', 'max_cost'],
  [
    { provider: 'openai', model: 'gpt-4o' },
    { response_schema: { type: 'string' } },
    'invalid_request',
    'response_schema',
  ],
])('a wrong request is a value that names the field, and makes no call: %j %j', async (spec, more, code, path) => {
  const { response, error } = await asking(spec, more);
  expect(response).toBeNull();
  expect(error).toMatchObject({ code, details: [{ path: expect.stringContaining(path) }] });
  expect(isLlmServiceError(error)).toBe(true);
  expect(isUnsupportedProviderError(error)).toBe(code === 'unsupported_provider');
  expect(isValidationError(error)).toBe(code !== 'unsupported_provider');
  expect(provider.requests).toEqual([]);
});

test('a call that fails keeps what the provider said', async () => {
  provider.answerWith(({ json }) =>
    json(
      429,
      { error: { message: 'Slow down.', code: 'rate_limit_exceeded' } },
      { 'x-request-id': 'req-9', 'retry-after': '2' },
    ),
  );
  const { error } = await asking({ provider: 'openai', model: 'gpt-4o-mini' });
  expect(error).toMatchObject({
    code: 'rate_limited',
    retryAfterMs: 2_000,
    provider: { status: 429, requestId: 'req-9' },
  });
  expect(isApiCallError(error)).toBe(true);
  expect(isRetryable(error)).toBe(true);
  // The client would have tried twice more by itself.
  expect(provider.requests).toHaveLength(1);
});

test('a call that is cancelled says so', async () => {
  provider.answerWith(({ stream }) => stream());
  const abort = new AbortController();
  const spec = { provider: 'openai', model: 'gpt-4o-mini' };
  const outcome = executeLlmCall({ llm: { prompt: 'Hi', llm_model_spec: spec } }, { client, signal: abort.signal });
  setTimeout(() => abort.abort(), 50);
  expect((await outcome).error?.code).toBe('cancelled');
});

test('without a client and without a key nothing is called', async () => {
  const spec = { provider: 'openai', model: 'gpt-4o-mini' };
  const { error } = await executeLlmCall({ llm: { prompt: 'Hi', llm_model_spec: spec } });
  expect(error?.code).toBe('model_unavailable');
});

describe('structured output', () => {
  const spec = { provider: 'openai', model: 'gpt-4o-mini' };
  const Person = z.object({ name: z.string(), age: z.int().min(0), email: z.string().default('none') });

  test('of a zod schema is what zod makes of the answer, asked for natively', async () => {
    answerWith('{"name":"Ada","age":36}');
    const request = { llm: { prompt: 'Who?', llm_model_spec: spec }, response_schema: Person };
    const { response } = await executeLlmCall(request, { client });
    expect(response?.parsed).toEqual({ name: 'Ada', age: 36, email: 'none' });
    const { text } = asked() as { text: { format: { type: string; schema: { properties: object } } } };
    expect(text.format.type).toBe('json_schema');
    expect(Object.keys(text.format.schema.properties)).toEqual(['name', 'age', 'email']);
  });

  test('that is wrong is mended by further calls, all of them paid; then it is an error with what was said', async () => {
    const texts = ['{"name":"Ada"}', 'not JSON', '{"name":"Ada","age":-1}'];
    let calls = 0;
    provider.answerWith(async ({ stream, write, response }) => {
      stream();
      await write(answered([said(texts[calls++] ?? '{"name":"Ada","age":36}')], 'gpt-4o-mini'));
      response.end();
    });
    const request = { llm: { prompt: 'Who?', llm_model_spec: spec }, response_schema: Person };
    const failed = await executeLlmCall({ ...request, max_repairs: 2 }, { client });
    expect(failed.error).toMatchObject({ code: 'schema_violation', fields: { rejected_text: texts[2] } });
    expect(calls).toBe(3);
    const mended = await executeLlmCall(request, { client });
    expect(mended.response).toMatchObject({ parsed: { age: 36 }, warnings: [] });
    calls = 2;
    const paid = await executeLlmCall(request, { client });
    // Twice: 6 × $0.15, 4 cached × $0.075 and 20 × $0.60 a million.
    expect(paid.response?.cost).toBeCloseTo(2 * 0.0000132, 10);
    expect(paid.response?.warnings).toEqual([expect.stringContaining('mend its answer')]);
    expect((asked() as { input: object[] }).input).toHaveLength(3);
  });

  test('that was cut is an error, not half a value', async () => {
    provider.answerWith(async ({ stream, write, response }) => {
      stream();
      const incomplete = { id: 'r', status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } };
      const end = { ...incomplete, output: [said('{"name":"Ada","age":3')], usage: USAGE };
      await write(event({ type: 'response.incomplete', response: end } as never));
      response.end();
    });
    const request = { llm: { prompt: 'Who?', llm_model_spec: spec }, response_schema: Person };
    const { error } = await executeLlmCall(request, { client });
    expect(error?.code).toBe('answer_truncated');
    expect(provider.requests).toHaveLength(1);
  });

  test('of a schema that JSON Schema has no word for is a wrong request', async () => {
    const request = { llm: { prompt: 'When?', llm_model_spec: spec }, response_schema: z.object({ at: z.date() }) };
    const { error } = await executeLlmCall(request, { client });
    expect(isValidationError(error)).toBe(true);
    expect(error?.message).toMatch(/date/i);
    expect(provider.requests).toEqual([]);
  });
});

test('max_cost holds for all calls together, those that mend included', async () => {
  const limits: number[] = [];
  provider.answerWith(async ({ stream, write, response, body }) => {
    const limit = (body as { max_output_tokens: number }).max_output_tokens;
    limits.push(limit);
    stream();
    const usage = { input_tokens: 40, output_tokens: limit, total_tokens: 40 + limit };
    const end = { id: 'r', status: 'completed', output: [said('{"wrong":1}')], usage };
    await write(event({ type: 'response.completed', response: end } as never));
    response.end();
  });
  const schema = { type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] };
  const llm = { prompt: 'Age?', llm_model_spec: { provider: 'openai', model: 'gpt-4o' } };
  const outcome = await executeLlmCall({ llm, response_schema: schema, max_repairs: 3, max_cost: 0.001 }, { client });
  expect(outcome.error?.code).toBe('cost_limit');
  expect(limits).toHaveLength(1);
  // What was paid all the same: 40 in by $2.50 and the limit out by $10 a million.
  expect(outcome).toMatchObject({ cost: (40 * 2_500 + (limits[0] ?? 0) * 10_000) / 1_000_000_000 });
});

test.each([undefined, null, 'Hi', 7, []])('%j is a wrong request, not an accident', async (request) => {
  const { error } = await executeLlmCall(request as never, { client });
  expect(error?.code).toBe('invalid_request');
});

test('a job of a wrong request is not started, one of a zod schema is started with its JSON Schema', async () => {
  const world = coreWorld();
  const start = (more: object) => {
    const llm = { prompt: 'Hi', llm_model_spec: { provider: 'simulated', model: 'simulated' } };
    return startJob({ jobs: world.service, request: { llm, ...more } as never, organizationId: 'acme' });
  };
  await expect(start({ prompt: 'twice' })).rejects.toMatchObject({ details: [{ path: 'prompt' }] });
  await expect(start({ colour: 1 })).rejects.toMatchObject({ details: [{ path: 'colour' }] });
  const id = await start({ response_schema: z.object({ age: z.int() }) });
  const stored = await world.store.getWithInput({ tenant: 'acme', id });
  expect(stored?.input).toMatchObject({ response_schema: { properties: { age: { type: 'integer' } } } });
  world.close();
});

test.each([0, Number.NaN, 1.5])('%d at once is refused', async (atOnce) => {
  await expect(executeLlmBatch([], { atOnce })).rejects.toMatchObject({ details: [{ path: 'atOnce' }] });
});

test('lenient: what the model does not take is left out, and told', async () => {
  answerWith('Fine.');
  const llm = { prompt: 'Hi', llm_model_spec: { provider: 'openai', model: 'o1', temperature: 0.5 } };
  const { response } = await executeLlmCall({ llm, validation: 'lenient' }, { client });
  expect(response).toMatchObject({ message: 'Fine.', warnings: [expect.stringContaining('temperature')] });
  expect(asked()).not.toHaveProperty('temperature');
});

test('who breaks off a stream ends the connection', async () => {
  provider.answerWith(async ({ stream, write }) => {
    stream();
    await write(event({ type: 'response.output_text.delta', delta: 'one' } as never));
  });
  const before = provider.abandoned();
  for await (const text of complete('Count.', { provider: 'openai', model: 'gpt-4o-mini', client })) {
    expect(text).toBe('one');
    break;
  }
  await expect.poll(() => provider.abandoned()).toBe(before + 1);
});
