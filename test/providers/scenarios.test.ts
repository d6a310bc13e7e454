/**
 * Every way a provider can answer or fail, over real sockets and the real SDKs, in each protocol. Each ends in the right
 * class; none hangs, none is taken for success, and the server saw exactly the recorded calls.
 */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { memoryResultCache } from '../../shared/adapters/memory-result-cache.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { estimates } from '../../shared/core/estimates.ts';
import type { Job } from '../../shared/core/job.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { routing } from '../../shared/core/routing.ts';
import { jobWorker } from '../../shared/core/worker.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { NO_RETRY } from '../support/core-world.ts';
import { type Script, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { sqliteStores } from '../support/stores.ts';
import { PROTOCOLS, type Protocol, USAGE } from './protocols.ts';

/** Every byte boundary of it is a cut: emoji with joiners, CJK, combining marks, right to left. */
const TEXT = 'Hi 👩‍🔬, 分析 é ﷽ end';
/** Of a stream that is to stall; other tests wait longer than any grace. */
const IDLE_MS = 1_000;
const PATIENT_MS = 10_000;

let server: ScriptedProvider;
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeAll(async () => {
  process.on('unhandledRejection', note);
  server = await startScriptedProvider();
});
afterEach(() => {
  server.requests.length = 0;
});
afterAll(async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off('unhandledRejection', note);
  await server.stop();
  expect(unhandled).toEqual([]);
});

/** Runs one job against the script and answers how it ended. */
async function run(
  protocol: Protocol,
  script: Script,
  { url = server.url, idleTimeoutMs = PATIENT_MS } = {},
): Promise<Job> {
  const clock = systemClock();
  const { store, chunks, parts, estimateStore, close } = sqliteStores(clock);
  const log = () => {};
  const model = { id: crypto.randomUUID(), name: protocol.model, provider: 'p', model: protocol.model };
  const job = sampleJob({ model, createdAt: Date.now(), limits: { ...DEFAULT_LIMITS, idleTimeoutMs } });
  await store.create(job, {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ],
  });
  server.answerWith(script);
  const worker = jobWorker({
    store,
    queue: { publish: async () => {} },
    clock,
    providerFor: async () => protocol.provider(url),
    pricing: tablePricing(),
    jobTypes: new Map([[generalLlmRequest.name, { ...generalLlmRequest, retry: NO_RETRY }]]),
    newId: () => crypto.randomUUID(),
    random: Math.random,
    instance: 'worker',
    log,
    leaseMs: 60_000,
    jobsAtOnce: 1,
    ...{ chunks, parts },
    flushMs: 0,
    estimates: estimates({ estimateStore, clock, log }),
    routing: routing({ clock, log }),
    resultCache: memoryResultCache({ clock }),
  });
  await worker.run(job);
  const ended = (await store.get(job))?.job;
  await close();
  if (!ended) throw new Error('the job is gone');
  return ended;
}

const streamed =
  (...frames: string[]): Script =>
  async ({ stream, write, response }) => {
    stream();
    for (const frame of frames) await write(frame);
    response.end();
  };

describe.each(PROTOCOLS)('$name', (protocol) => {
  const { opening, delta, ending, errorBody } = protocol;

  async function completes(script: Script, text: string, finishReason = 'stop'): Promise<void> {
    const job = await run(protocol, script);
    expect(job).toMatchObject({
      state: 'completed',
      result: { success: true, result: text },
      attempts: [{ calls: 1, outcome: 'completed', finishReason, usage: USAGE }],
    });
    expect(server.requests).toHaveLength(1);
  }

  async function fails(script: Script, code: string, idleTimeoutMs?: number): Promise<Job> {
    const job = await run(protocol, script, idleTimeoutMs === undefined ? {} : { idleTimeoutMs });
    expect(job).toMatchObject({
      state: 'failed',
      error: { code },
      attempts: [{ calls: 1, outcome: 'failed', errorCode: code }],
    });
    expect(job).not.toHaveProperty('result');
    expect(server.requests).toHaveLength(1);
    return job;
  }

  test('a streamed answer is gathered, with the usage that was reported', () =>
    completes(streamed(opening, ...[...TEXT].map(delta), ending), TEXT));

  test('an answer whose bytes are cut anywhere arrives unharmed', () =>
    completes(async ({ stream, write, response }) => {
      stream();
      await write(opening + delta(TEXT) + ending, true);
      response.end();
    }, TEXT));

  if (protocol.whole) {
    test('a whole answer is taken, too', () => completes(({ json }) => json(200, protocol.whole?.(TEXT)), TEXT));

    test('an answer that fills the wire', () =>
      fails(async ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const megabyte = Buffer.alloc(1024 * 1024, ' ');
        await pipeline(Readable.from(Array(80).fill(megabyte)), response).catch(() => {});
      }, 'response_too_large'));
  }

  test('a call that is aborted before it starts sends nothing', async () => {
    const reason = new Error('too late');
    const parts = protocol
      .provider(server.url)
      .generate({ model: protocol.model, messages: [] }, { signal: AbortSignal.abort(reason) });
    await expect(parts[Symbol.asyncIterator]().next()).rejects.toBe(reason);
    expect(server.requests).toHaveLength(0);
  });

  test('an answer that ended at the output limit is kept and says so', () =>
    completes(streamed(opening, delta('cut'), protocol.lengthEnding), 'cut', 'length'));

  test('a key that is not accepted', async () => {
    const job = await fails(
      ({ json }) => json(401, errorBody('Incorrect API key provided: sk-secret99', 'invalid_api_key')),
      'auth',
    );
    expect(JSON.stringify(job)).not.toContain('secret99');
  });

  test.each<[string, Record<string, string>, number]>([
    ['in seconds', { 'retry-after': '7' }, 7_000],
    ['in milliseconds', { 'retry-after-ms': '1500' }, 1_500],
    ["in Azure's milliseconds", { 'x-ms-retry-after-ms': '2500' }, 2_500],
    [
      "as a date, by the provider's clock",
      { 'retry-after': 'Thu, 01 Jan 2015 00:00:30 GMT', date: 'Thu, 01 Jan 2015 00:00:00 GMT' },
      30_000,
    ],
  ])('a wait %s is known with the failure', async (_, headers, retryAfterMs) => {
    server.answerWith(({ json }) => json(429, errorBody('slow down', 'rate_limit_exceeded'), headers));
    const request = { model: protocol.model, messages: [{ role: 'user' as const, content: 'Hi' }] };
    const { signal } = new AbortController();
    const call = protocol.provider(server.url).generate(request, { signal })[Symbol.asyncIterator]();
    await expect(call.next()).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs });
  });

  test.each([
    ['in seconds', { 'retry-after': '7' }],
    ['as a date', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }],
    ['in milliseconds', { 'retry-after-ms': '1500' }],
  ])('a rate limit with a wait %s is not waited for by the SDK', async (_, headers) => {
    await fails(
      ({ json }) => json(429, errorBody('slow down', 'rate_limit_exceeded'), headers as never),
      'rate_limited',
    );
  });

  test.each([
    [500, 'overloaded'],
    [503, 'overloaded'],
    [408, 'timeout'],
    [504, 'timeout'],
    [400, 'invalid_request'],
    [404, 'invalid_request'],
    [403, 'auth'],
  ])('HTTP %s is %s, after one call', async (status, code) => {
    await fails(({ json }) => json(status, errorBody('no', 'x')), code);
  });

  test('an error page in HTML', () =>
    fails(
      ({ response }) => void response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>'),
      'overloaded',
    ));

  test('a stream that is cut', () =>
    fails(async ({ stream, write, cut }) => {
      stream();
      await write(opening + delta('Hi'));
      setTimeout(cut, 20);
    }, 'network'));

  test('a connection that is cut before the headers', () => fails(({ cut }) => cut(), 'network'));

  test('a stream that ends cleanly without its last event', () => fails(streamed(opening, delta('Hi')), 'network'));

  test('an empty stream', () => fails(streamed(), 'network'));

  test('a stream that stalls', async () => {
    const before = server.abandoned();
    await fails(
      async ({ stream, write }) => {
        stream();
        await write(opening + delta('Hi'));
      },
      'idle_timeout',
      IDLE_MS,
    );
    await expect.poll(() => server.abandoned()).toBe(before + 1);
  });

  test('headers that never come', async () => {
    const before = server.abandoned();
    await fails(() => {}, 'idle_timeout', IDLE_MS);
    await expect.poll(() => server.abandoned()).toBe(before + 1);
  });

  test('HTML with status 200 in place of an answer', () =>
    fails(
      ({ response }) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Hello</h1>'),
      expect.stringMatching(/^(provider_error|network)$/) as never,
    ));

  test('a frame that is not JSON', () =>
    fails(streamed(opening, delta('Hi'), 'data: {"broken\n\n', ending), 'provider_error'));

  test('an error within the stream', () => fails(streamed(opening, delta('Hi'), protocol.streamError), 'overloaded'));

  test('a refusal, or a blocked prompt, keeps the usage that it cost', async () => {
    const job = await fails(streamed(opening, protocol.refusal, ending), 'content_policy');
    expect(job.attempts[0]?.usage).toEqual(USAGE);
  });

  test('an answer that the filter withheld keeps the usage that it cost', async () => {
    const job = await fails(streamed(opening, delta('part'), protocol.filteredEnding), 'content_policy');
    expect(job.attempts[0]?.usage).toEqual(USAGE);
  });

  test('a redirect is not followed: neither the prompt nor the key leaves for another address', async () => {
    const elsewhere = await startScriptedProvider();
    for (const status of [302, 307]) {
      server.requests.length = 0;
      await fails(
        ({ response }) => void response.writeHead(status, { location: `${elsewhere.url}/x` }).end(),
        'provider_error',
      );
    }
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.stop();
  });

  test('an end for a reason that nobody knows is no success', () =>
    fails(streamed(opening, delta('part'), protocol.unknownEnding), 'provider_error'));

  test('an answer that ended at the output limit without a word', () =>
    fails(streamed(opening, protocol.lengthEnding), 'answer_truncated'));

  test('one JSON document that is cut', () =>
    fails(
      ({ response }) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('{"id": "x", "choices": [{'),
      expect.stringMatching(/^(provider_error|network)$/) as never,
    ));

  test('an empty answer', () => fails(streamed(opening, ending), 'provider_error'));

  test('an answer whose connection stays open after its end is complete', async () => {
    const open: Script = async ({ stream, write }) => {
      stream();
      await write(opening + delta(TEXT) + ending);
    };
    await completes(open, TEXT);
  });
});

describe('only there', () => {
  const [responses, chat, gemini, vertex] = PROTOCOLS as [Protocol, Protocol, Protocol, Protocol];

  async function failsAs(protocol: Protocol, script: Script, code: string): Promise<Job> {
    const job = await run(protocol, script);
    expect(job).toMatchObject({ state: 'failed', error: { code }, attempts: [{ calls: 1 }] });
    expect(server.requests).toHaveLength(1);
    return job;
  }

  const failedResponse = (response: object) => `data: ${JSON.stringify({ type: 'response.failed', response })}\n\n`;

  const anthropic = PROTOCOLS.find(({ name }) => name === 'anthropic') as Protocol;

  test('an answer of Anthropic that is cut keeps the usage of what it read', async () => {
    const job = await failsAs(anthropic, streamed(anthropic.opening, anthropic.delta('Hi')), 'network');
    expect(job.attempts[0]?.usage).toMatchObject({ inputTokens: 11, outputTokens: 1, cachedInputTokens: 4 });
  });

  test('a model of Anthropic that thinks in silence is known by its pings to be alive', async () => {
    const job = await run(
      anthropic,
      async ({ stream, write, response }) => {
        stream();
        await write(anthropic.opening);
        for (let pings = 0; pings < 6; pings++) {
          await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 4));
          await write('event: ping\ndata: {"type": "ping"}\n\n');
        }
        await write(anthropic.delta('Hi') + anthropic.ending);
        response.end();
      },
      { idleTimeoutMs: IDLE_MS },
    );
    expect(job).toMatchObject({ state: 'completed', result: { result: 'Hi' } });
  });

  test('response.failed keeps the usage that it reports', async () => {
    const usage = { input_tokens: 3, output_tokens: 1, total_tokens: 4 };
    const frame = failedResponse({ status: 'failed', usage, error: { code: 'server_error', message: 'boom' } });
    const job = await failsAs(responses, streamed(responses.opening, frame), 'overloaded');
    expect(job.attempts[0]?.usage).toMatchObject({ totalTokens: 4 });
  });

  test('a "completed" response that says failed inside', () => {
    const frame = failedResponse({ status: 'failed', error: { code: 'x', message: 'boom' } }).replace(
      'response.failed',
      'response.completed',
    );
    return failsAs(responses, streamed(responses.opening, frame), 'provider_error');
  });

  test('a Gemini answer in pieces that all say STOP is kept whole, with the last usage', async () => {
    const piece = (text: string, tokens: number) => {
      const candidates = [{ index: 0, finishReason: 'STOP', content: { role: 'model', parts: [{ text }] } }];
      const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: tokens, totalTokenCount: tokens + 1 };
      return `data: ${JSON.stringify({ candidates, usageMetadata })}\r\n\r\n`;
    };
    const job = await run(gemini, streamed(piece('one ', 1), piece('two ', 2), piece('three', 3)));
    expect(job).toMatchObject({
      state: 'completed',
      result: { result: 'one two three' },
      attempts: [{ usage: { outputTokens: 3 } }],
    });
  });

  const chatChunk = (choice: object, more: object = {}) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }], ...more })}\n\n`;

  test.each(['error', 'abort', 'insufficient_system_resource'])(
    'a chat that a gateway ended with %s is no success',
    (reason) =>
      failsAs(
        chat,
        streamed(chat.opening, chat.delta('part'), chatChunk({ delta: {}, finish_reason: reason })),
        'provider_error',
      ).then(() => {}),
  );

  test('a chat whose content comes as parts keeps their text', async () => {
    const content = [
      { type: 'thinking', thinking: [] },
      { type: 'text', text: 'Bonjour' },
    ];
    const job = await run(chat, streamed(chatChunk({ delta: { content } }), chat.ending));
    expect(job).toMatchObject({ state: 'completed', result: { result: 'Bonjour' } });
  });

  test('a chat that reports usage with every chunk is counted at its end', async () => {
    const early = chatChunk(
      { delta: { content: 'Hi' } },
      { usage: { prompt_tokens: 9, completion_tokens: 0, total_tokens: 9 } },
    );
    const job = await run(chat, streamed(early, chat.ending));
    expect(job.attempts[0]?.usage).toEqual(USAGE);
  });

  test.each(PROTOCOLS)('a connection of $name serves the next call, also where its end is late', async (protocol) => {
    const fresh = await startScriptedProvider();
    const sockets = new Set<unknown>();
    for (let call = 0; call < 3; call++) {
      fresh.answerWith(async ({ stream, write, response }) => {
        sockets.add(response.socket);
        stream();
        await write(protocol.opening + protocol.delta('Hi') + protocol.ending);
        await new Promise((resolve) => setTimeout(resolve, 50));
        response.end();
      });
      const job = await run(protocol, () => {}, { url: fresh.url });
      expect(job.state).toBe('completed');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await fresh.stop();
    expect(sockets.size).toBe(1);
  });

  test.each(PROTOCOLS)('a connection of $name that stays open after the answer is given up', async (protocol) => {
    const before = server.abandoned();
    const job = await run(protocol, async ({ stream, write }) => {
      stream();
      await write(protocol.opening + protocol.delta('Hi') + protocol.ending);
    });
    expect(job.state).toBe('completed');
    await vi.waitFor(() => expect(server.abandoned()).toBe(before + 1), PATIENT_MS);
  });

  test('a chat without usage, whose connection stays open after [DONE], is complete', async () => {
    const job = await run(chat, async ({ stream, write }) => {
      stream();
      await write(`${chat.delta('Hi')}${chatChunk({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
    });
    expect(job).toMatchObject({ state: 'completed', result: { result: 'Hi' } });
  });

  test('a chat is complete also where a broken piece comes after its end', async () => {
    const end = chatChunk({ delta: {}, finish_reason: 'stop' });
    const job = await run(chat, streamed(chat.delta('Hi'), end, chatChunk({ delta: { content: {} } })));
    expect(job).toMatchObject({ state: 'completed', result: { result: 'Hi' } });
  });

  test('a Responses answer whose text comes only with its end is kept', async () => {
    const response = {
      status: 'completed',
      output: [{ type: 'message', content: [{ type: 'output_text', text: 'late' }] }],
    };
    const job = await run(
      responses,
      streamed(responses.opening, `data: ${JSON.stringify({ type: 'response.completed', response })}\n\n`),
    );
    expect(job).toMatchObject({ state: 'completed', result: { result: 'late' } });
  });

  test('a whole Responses answer without a status is taken for what it holds', async () => {
    const output = [{ type: 'message', content: [{ type: 'output_text', text: 'whole' }] }];
    const job = await run(responses, ({ json }) => json(200, { output }));
    expect(job).toMatchObject({ state: 'completed', result: { result: 'whole' } });
    server.requests.length = 0;
    await failsAs(responses, ({ json }) => json(200, {}), 'provider_error');
  });

  test.each([
    ['response.failed', { error: { code: 'server_error', message: 'boom' } }, 'overloaded'],
    ['response.incomplete', { incomplete_details: { reason: 'content_filter' } }, 'content_policy'],
  ])('%s without a status inside is what it says', (type, response, code) =>
    failsAs(responses, streamed(responses.delta('half'), `data: ${JSON.stringify({ type, response })}\n\n`), code).then(
      () => {},
    ),
  );

  test.each([
    [chat, { error: { code: 'insufficient_quota', message: 'pay' } }, 'quota_exhausted'],
    [responses, { error: { code: 'rate_limit_exceeded', message: 'slow' } }, 'rate_limited'],
    [responses, null, 'provider_error'],
  ])('HTTP 200 with an error, or nothing, inside is a failure', (protocol, body, code) =>
    failsAs(protocol, ({ json }) => json(200, body), code).then(() => {}),
  );

  test("a bad key that Gemini reports within the stream is ours, not the user's", () =>
    failsAs(
      gemini,
      streamed(
        `data: ${JSON.stringify({ error: { code: 400, message: 'bad', details: [{ reason: 'API_KEY_INVALID' }] } })}\r\n\r\n`,
      ),
      'auth',
    ));

  test('a quota per day is no rate limit', () =>
    failsAs(
      gemini,
      ({ json }) =>
        json(429, {
          error: {
            code: 429,
            message: 'x',
            details: [{ violations: [{ quotaId: 'GenerateRequestsPerDayPerProject' }] }],
          },
        }),
      'quota_exhausted',
    ));

  test.each([
    [{ prompt_tokens: '3', completion_tokens: 1, total_tokens: 4 }, undefined],
    [{ prompt_tokens: 3, completion_tokens: 1e300, total_tokens: 4 }, undefined],
    [
      { prompt_tokens: 3, completion_tokens: 1 },
      { inputTokens: 3, outputTokens: 1, totalTokens: 4 },
    ],
    [
      { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4, prompt_tokens_details: { cached_tokens: null } },
      { inputTokens: 3, outputTokens: 1, totalTokens: 4 },
    ],
  ])('odd usage %o is kept as far as it can be true', async (usage, expected) => {
    const job = await run(chat, streamed(chat.delta('Hi'), chatChunk({ delta: {}, finish_reason: 'stop' }, { usage })));
    expect(job).toMatchObject({ state: 'completed' });
    expect(job.attempts[0]?.usage).toEqual(expected);
  });

  test("Google's list of one error is read, and what it asks us to wait", async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.4s' }];
    server.answerWith(({ json }) => json(429, [{ error: { code: 429, message: 'slow down', details } }]));
    const request = { model: vertex.model, messages: [{ role: 'user' as const, content: 'Hi' }] };
    const { signal } = new AbortController();
    const call = vertex.provider(server.url).generate(request, { signal })[Symbol.asyncIterator]();
    await expect(call.next()).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 34_400 });
    server.requests.length = 0;
    const sentence = 'The input token count (9) exceeds the maximum number of tokens allowed (8).';
    await failsAs(vertex, ({ json }) => json(400, vertex.errorBody(sentence, 'INVALID_ARGUMENT')), 'context_overflow');
  });

  test('a bad key at Gemini is a 400 with a reason', () =>
    failsAs(
      gemini,
      ({ json }) =>
        json(400, {
          error: {
            code: 400,
            message: 'API key not valid',
            details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }],
          },
        }),
      'auth',
    ));

  test.each([responses, chat])('a used-up quota is no rate limit: $name', (protocol) =>
    failsAs(protocol, ({ json }) => json(429, protocol.errorBody('pay', 'insufficient_quota')), 'quota_exhausted').then(
      () => {},
    ),
  );

  test.each(PROTOCOLS)('a refused connection: $name', async (protocol) => {
    const job = await run(protocol, () => {}, { url: 'http://127.0.0.1:1' });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'network' } });
  });
});
