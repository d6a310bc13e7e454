/** The background mode of the Responses API through OpenAI's real SDK, over a real socket. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { collect } from '../../shared/core/answers.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Background, LlmRequest, Look } from '../../shared/core/llm.ts';
import { fittedProvider, providerLoader } from '../../shared/llm/provider-loader.ts';
import { openaiProvider } from '../../shared/llm/providers/openai.ts';
import { modelSpecs } from '../../shared/llm/specs/registry.ts';
import { type BackgroundProvider, startBackgroundProvider } from '../support/background-provider.ts';
import { NO_PROVIDERS } from '../support/core-world.ts';
import { PLAIN } from '../support/llm-requests.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const KEY = 'sk-test';
const { signal } = new AbortController();
let server: BackgroundProvider;
let background: Background;

beforeAll(async () => {
  server = await startBackgroundProvider();
  const provider = await providerLoader({
    ...{ ...NO_PROVIDERS, clock: virtualClock() },
    ...{ openaiApiKey: KEY, openaiBaseUrl: `${server.url}/v1` },
  })('openai');
  if (!provider.background) throw new Error('no background mode');
  background = provider.background;
});
beforeEach(() => {
  server.requests.length = 0;
  server.looksLike({});
});
afterAll(() => server.stop());

const asking = (content: string): LlmRequest => ({
  ...PLAIN,
  model: 'gpt-4o-mini',
  messages: [{ role: 'user', content }],
});
async function begin(request: LlmRequest): Promise<{ id: string; providerRequestId?: string | undefined }> {
  const started = await background.start(request, { signal });
  if (!started.parts) return started;
  throw new Error('it was there at once');
}
const isThere = (seen: Look) => {
  if (!('parts' in seen)) throw new Error(`no answer: ${JSON.stringify(seen)}`);
  return seen.parts;
};
async function answerTo(request: LlmRequest, id: string) {
  const facts = {};
  const answer = await collect(isThere(await background.look(id, request, { signal })), { facts, text: '' });
  return { ...answer, facts };
}
async function failureOf(work: Promise<unknown>): Promise<ServiceError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ServiceError) return error;
  throw new Error(`it did not fail as it should: ${error}`);
}

test('a start, looks and the answer: one request each, nothing streamed, the answer kept until it is looked for', async () => {
  const request = asking('Wait.');
  const started = await begin(request);
  expect(started).toMatchObject({
    id: expect.stringMatching(/^resp_/),
    providerRequestId: expect.stringMatching(/^req-/),
  });
  for (const status of ['queued', 'in_progress']) {
    server.looksLike({ status });
    expect(await background.look(started.id, request, { signal })).toEqual({ pending: true });
  }
  server.looksLike({});
  expect(await answerTo(request, started.id)).toMatchObject({
    ...{ text: 'Done.', finishReason: 'stop', responseId: started.id, model: 'gpt-4o-mini-2024-07-18' },
    usage: { inputTokens: 11, outputTokens: 7, totalTokens: 18 },
  });
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /v1/responses',
    ...Array(3).fill(`GET /v1/responses/${started.id}`),
  ]);
  expect(server.requests[0]?.body).toMatchObject({
    background: true,
    store: true,
    stream: false,
    model: 'gpt-4o-mini',
  });
  for (const { headers } of server.requests) expect(headers.authorization).toBe(`Bearer ${KEY}`);
});

test('an answer is stopped; stopping it again, or one that is not there, is no error', async () => {
  const request = asking('Stop. [seconds=60]');
  const { id } = await begin(request);
  expect(await background.cancel(id, { signal })).toEqual({ usage: undefined });
  expect(await background.cancel(id, { signal })).toEqual({ usage: undefined });
  expect(server.begun('Stop.')).toMatchObject([{ isCancelled: true }]);
  expect(server.requests.at(-1)).toMatchObject({ method: 'POST', path: `/v1/responses/${id}/cancel` });
  expect(await background.cancel('resp_none', { signal })).toEqual({});
  // Looked for all the same, it is an answer that failed.
  const parts = isThere(await background.look(id, request, { signal }));
  expect((await failureOf(collect(parts, { facts: {}, text: '' }))).code).toBe('provider_error');
});

test('one that is over when it is stopped says what it used', async () => {
  const { id } = await begin(asking('At once.'));
  server.next('POST /v1/responses/', ({ json }) =>
    json(200, { id, status: 'cancelled', output: [], usage: { input_tokens: 3, output_tokens: 1, total_tokens: 4 } }),
  );
  const { usage } = await background.cancel(id, { signal });
  expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 1, totalTokens: 4 });
});

test('an answer that is not there any more', async () => {
  expect(await background.look('resp_none', PLAIN, { signal })).toEqual({ gone: true });
});

test.each([
  ['failed', { status: 'failed', error: { code: 'server_error', message: 'Broken.' } }, 'overloaded'],
  ['cancelled by others', { status: 'cancelled', output: [] }, 'provider_error'],
  ['cut by the filter', { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }, 'content_policy'],
])('an answer that %s fails as its class, and its usage is kept', async (_, fields, code) => {
  const request = asking('Fail.');
  const { id } = await begin(request);
  server.looksLike(fields);
  const record = { facts: {}, text: '' };
  const parts = isThere(await background.look(id, request, { signal }));
  expect((await failureOf(collect(parts, record))).code).toBe(code);
  expect(record.facts).toMatchObject({ usage: { totalTokens: 18 } });
});

test('an answer in a state that nobody knows is not over', async () => {
  server.next('GET', ({ json }) => json(200, { id: 'resp_1', status: 'paused', output: [], error: null }));
  expect(await background.look('resp_1', PLAIN, { signal })).toEqual({ pending: true });
});

test('a gateway that answers a look with its own error: the look failed, not the answer', async () => {
  server.next('GET', ({ json }) => json(200, { error: { code: 'server_error', message: 'Not now.' } }));
  expect((await failureOf(background.look('resp_1', PLAIN, { signal }))).code).toBe('overloaded');
});

test('a server that knows no background answers the start: that is the answer', async () => {
  const content = [{ type: 'output_text', text: 'At once.', annotations: [] }];
  const output = [{ type: 'message', role: 'assistant', status: 'completed', content }];
  const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
  server.next('POST', ({ json }) => json(200, { id: 'resp_1', status: 'completed', output, usage }));
  const started = await background.start({ ...asking('Hi.'), model: 'o1', temperature: 0.5 }, { signal });
  if (!started.parts) throw new Error('it was not there');
  const answer = await collect(started.parts, { facts: {}, text: '' });
  expect(answer).toMatchObject({ text: 'At once.', usage: { totalTokens: 5 } });
  expect(answer.warnings).toEqual([expect.stringContaining('temperature')]);
});

test('an answer that ended at the output limit is one', async () => {
  const request = asking('Long.');
  const { id } = await begin(request);
  server.looksLike({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
  expect(await answerTo(request, id)).toMatchObject({ text: 'Done.', finishReason: 'length' });
});

const refusals: [number, Record<string, string>, object][] = [
  [429, { 'retry-after': '7' }, { code: 'rate_limited', retryAfterMs: 7_000 }],
  [500, {}, { code: 'overloaded' }],
  [401, {}, { code: 'auth' }],
];
test.each(refusals)('%i is one request, classified, at every step', async (status, headers, expected) => {
  const steps = [
    () => background.start(PLAIN, { signal }),
    () => background.look('resp_1', PLAIN, { signal }),
    () => background.cancel('resp_1', { signal }),
  ];
  for (const step of steps) {
    server.requests.length = 0;
    // Asks to be tried again all the same.
    const asking = { ...headers, 'x-should-retry': 'true' };
    server.next('', ({ json }) => json(status, { error: { message: `No, not with ${KEY}.` } }, asking));
    const error = await failureOf(step());
    expect(error).toMatchObject({ ...expected, provider: { status } });
    expect(error.message).not.toContain(KEY);
    expect(server.requests).toHaveLength(1);
  }
});

test.each<[string, (write: { json: (status: number, body: unknown) => void; cut: () => void }) => void, string]>([
  ['a document without an id', ({ json }) => json(200, { status: 'queued' }), 'provider_error'],
  ['an id that is no text', ({ json }) => json(200, { id: 7 }), 'provider_error'],
  ['an id without end', ({ json }) => json(200, { id: 'r'.repeat(10_000) }), 'provider_error'],
  ['an id that leads elsewhere', ({ json }) => json(200, { id: '../models', status: 'queued' }), 'provider_error'],
  ['an id that leads up', ({ json }) => json(200, { id: '..', status: 'queued' }), 'provider_error'],
  [
    'an error inside',
    ({ json }) => json(200, { error: { code: 'rate_limit_exceeded', message: 'No.' } }),
    'rate_limited',
  ],
  ['a document that is a list', ({ json }) => json(200, 'resp_1'), 'provider_error'],
  ['nothing', ({ cut }) => cut(), 'network'],
])('a start that is answered with %s fails', async (_, reply, code) => {
  server.next('POST /v1/responses', reply);
  expect((await failureOf(background.start(PLAIN, { signal }))).code).toBe(code);
});

test('a stop breaks a request off, with its reason', async () => {
  server.next('GET', () => {});
  const stop = new AbortController();
  const looking = failureOf(background.look('resp_1', PLAIN, { signal: stop.signal }));
  await expect.poll(() => server.requests.length).toBe(1);
  stop.abort(new ServiceError('drained', 'told to stop'));
  expect((await looking).code).toBe('drained');
});

test('a request is fitted to its model, and what was changed is told with the answer', async () => {
  const request: LlmRequest = { ...asking('Think.'), model: 'o1', temperature: 0.5 };
  const { id } = await begin(request);
  expect(server.requests[0]?.body).not.toHaveProperty('temperature');
  expect((await answerTo(request, id)).warnings).toEqual([expect.stringContaining('temperature')]);
});

test('a client that only creates has no background mode', () => {
  const provider = openaiProvider({ client: { responses: { create: async () => ({}) } } });
  expect(provider.background).toBeUndefined();
  expect(fittedProvider(provider, (model) => modelSpecs.find('openai', model)).background).toBeUndefined();
});
