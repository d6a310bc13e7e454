/**
 * Clients that a user brings: the SDKs' own with settings of their own, over real sockets, and what only answers like one;
 * and transformers that a user brings.
 */
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenerativeAI } from '@google/generative-ai';
import { getRequestListener } from '@hono/node-server';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { collect } from '../../shared/core/answers.ts';
import type { LlmProvider } from '../../shared/core/llm.ts';
import { anthropicProvider } from '../../shared/llm/providers/anthropic.ts';
import { geminiProvider } from '../../shared/llm/providers/gemini.ts';
import { openaiProvider } from '../../shared/llm/providers/openai.ts';
import { openaiCompatibleProvider } from '../../shared/llm/providers/openai-compatible.ts';
import { toResponsesBody } from '../../shared/llm/transformers/openai.ts';
import { PLAIN } from '../support/llm-requests.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { PROTOCOLS, type Protocol, USAGE } from './protocols.ts';

let server: ScriptedProvider;
beforeAll(async () => {
  server = await startScriptedProvider();
});
afterEach(() => {
  server.requests.length = 0;
});
afterAll(() => server.stop());

const KEY = 'zq-ready-0123456789abcdef';

function answerOf(provider: LlmProvider, signal: AbortSignal = new AbortController().signal) {
  return collect(provider.generate(PLAIN, { signal }), { facts: {}, text: '' });
}

async function* yielding<T>(...items: T[]): AsyncIterable<T> {
  yield* items;
}

const nothingElse = { toolCalls: [], fileSearchResults: [], warnings: [] };
const usage = { inputTokens: 10, outputTokens: 20, totalTokens: 30 };

describe('what answers like a client', () => {
  test("the seed's own mock of OpenAI's", async () => {
    const client = {
      responses: {
        create: async () => ({
          id: 'resp_123',
          output_text: 'Test response',
          model: 'gpt-4',
          usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 },
        }),
      },
    };
    expect(await answerOf(openaiProvider({ client }))).toEqual({
      ...{ text: 'Test response', finishReason: 'stop', responseId: 'resp_123', model: 'gpt-4', usage },
      ...nothingElse,
    });
  });

  test('a stream of events', async () => {
    const response = { id: 'r', model: 'm-1', status: 'completed', output: [] };
    const create = async () =>
      yielding(
        { type: 'response.output_text.delta', delta: 'Hi ' },
        { type: 'response.output_text.delta', delta: 'there' },
        { type: 'response.completed', response },
      );
    expect(await answerOf(openaiProvider({ client: { responses: { create } } }))).toEqual({
      ...{ text: 'Hi there', finishReason: 'stop', responseId: 'r', model: 'm-1' },
      ...nothingElse,
    });
  });

  test('of Chat Completions, whole and as a stream', async () => {
    const whole = {
      ...{ id: 'c', model: 'm-1', choices: [{ finish_reason: 'stop', message: { content: 'Hi there' } }] },
      usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 },
    };
    const chunks = () =>
      yielding(
        { id: 'c', model: 'm-1', choices: [{ delta: { content: 'Hi ' } }] },
        { choices: [{ delta: { content: 'there' }, finish_reason: 'stop' }] },
        { choices: [], usage: whole.usage },
      );
    for (const create of [async () => whole, async () => chunks()]) {
      expect(await answerOf(openaiCompatibleProvider({ client: { chat: { completions: { create } } } }))).toEqual({
        ...{ text: 'Hi there', finishReason: 'stop', responseId: 'c', model: 'm-1', usage },
        ...nothingElse,
      });
    }
  });

  const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 20, totalTokenCount: 30 };
  const whole = { text: () => 'Hi there', usageMetadata };
  const chunk = { candidates: [{ finishReason: 'STOP', content: { parts: [{ text: 'Hi there' }] } }], usageMetadata };

  test.each([
    ['whole, with a method for its text', { generateContent: async () => ({ response: whole }) }],
    ['whole, a promise', { generateContentStream: async () => ({ response: Promise.resolve(chunk) }) }],
    ['as a stream', { generateContentStream: async () => ({ stream: yielding(chunk) }) }],
  ])("of Gemini's, %s", async (_, model) => {
    const client = { getGenerativeModel: () => model };
    expect(await answerOf(geminiProvider({ client }))).toMatchObject({ text: 'Hi there', finishReason: 'stop', usage });
  });

  test.each([[undefined], [null], ['text'], [{ error: { code: 'boom' } }]])(
    'that answers %j: a failure',
    async (answer) => {
      const create = async () => answer;
      for (const provider of [
        openaiProvider({ client: { responses: { create } } }),
        openaiCompatibleProvider({ client: { chat: { completions: { create } } } }),
        anthropicProvider({ client: { messages: { create } } }),
      ]) {
        await expect(answerOf(provider)).rejects.toMatchObject({ code: 'provider_error' });
      }
    },
  );

  test.each([[undefined], [{}], [{ response: {} }]])("of Gemini's, that answers %j: a failure", async (answer) => {
    const client = { getGenerativeModel: () => ({ generateContentStream: async () => answer }) };
    await expect(answerOf(geminiProvider({ client }))).rejects.toMatchObject({
      code: expect.stringMatching(/^(provider_error|network)$/),
    });
  });

  test('whose events are not read on hears of that', async () => {
    let left = 0;
    async function* leaving<T>(event: T) {
      try {
        for (;;) yield event;
      } finally {
        left += 1;
      }
    }
    const said = { type: 'response.output_text.delta', delta: 'Hi' };
    const chatted = { choices: [{ delta: { content: 'Hi' } }] };
    const messaged = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } };
    for (const provider of [
      openaiProvider({ client: { responses: { create: async () => leaving(said) } } }),
      openaiCompatibleProvider({ client: { chat: { completions: { create: async () => leaving(chatted) } } } }),
      anthropicProvider({ client: { messages: { create: async () => leaving(messaged) } } }),
    ]) {
      for await (const part of provider.generate(PLAIN, { signal: new AbortController().signal })) {
        if (part.type === 'text-delta') break;
      }
    }
    await expect.poll(() => left).toBe(3);
  });

  test('of Chat Completions, is asked for nothing after its usage', async () => {
    let isAskedOn = false;
    async function* said() {
      yield { choices: [{ delta: { content: 'Hi' }, finish_reason: 'stop' }] };
      yield { choices: [], usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 } };
      isAskedOn = true;
    }
    const client = { chat: { completions: { create: async () => said() } } };
    expect(await answerOf(openaiCompatibleProvider({ client }))).toMatchObject({ text: 'Hi', usage });
    expect(isAskedOn).toBe(false);
  });

  test('that never answers, or stalls, ends with the reason of the signal', async () => {
    const never = () => new Promise<never>(() => {});
    async function* stalls() {
      yield { type: 'response.created', response: { id: 'r' } };
      await never();
    }
    async function* stallsAnthropic() {
      yield { type: 'ping' };
      await never();
    }
    for (const provider of [
      openaiProvider({ client: { responses: { create: never } } }),
      openaiProvider({ client: { responses: { create: async () => stalls() } } }),
      openaiCompatibleProvider({ client: { chat: { completions: { create: never } } } }),
      geminiProvider({ client: { getGenerativeModel: () => ({ generateContentStream: never }) } }),
      anthropicProvider({ client: { messages: { create: never } } }),
      anthropicProvider({ client: { messages: { create: async () => stallsAnthropic() } } }),
    ]) {
      const abort = new AbortController();
      const reason = new Error('too late');
      const answer = answerOf(provider, abort.signal);
      setTimeout(() => abort.abort(reason), 20);
      await expect(answer).rejects.toBe(reason);
    }
  });
});

describe("the SDKs' own clients", () => {
  const [responses, chat, gemini] = PROTOCOLS as [Protocol, Protocol, Protocol];
  const anthropic = PROTOCOLS.find(({ name }) => name === 'anthropic') as Protocol;
  const openai = () => new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, maxRetries: 2 });
  const clients: [string, Protocol, () => LlmProvider][] = [
    ["OpenAI's, Responses", responses, () => openaiProvider({ client: openai() })],
    ["OpenAI's, Chat Completions", chat, () => openaiCompatibleProvider({ client: openai() })],
    [
      "Anthropic's",
      anthropic,
      () => anthropicProvider({ client: new Anthropic({ apiKey: KEY, baseURL: server.url, maxRetries: 2 }) }),
    ],
    ["Google's", gemini, () => geminiProvider({ client: new GoogleGenerativeAI(KEY), baseUrl: server.url })],
  ];

  const answerHi = (protocol: Protocol) =>
    server.answerWith(async ({ stream, write, response }) => {
      stream();
      await write(protocol.opening + protocol.delta('Hi') + protocol.ending);
      response.end();
    });

  test.each(clients)('%s answers with its own key', async (_, protocol, provider) => {
    answerHi(protocol);
    expect(await answerOf(provider())).toMatchObject({ text: 'Hi', usage: USAGE });
    expect(JSON.stringify(server.requests[0]?.headers)).toContain(KEY);
  });

  test.each(clients)(
    '%s answers where a web server has replaced the global Response',
    async (_, protocol, provider) => {
      const { Request, Response } = Object.getOwnPropertyDescriptors(globalThis);
      getRequestListener(() => new globalThis.Response());
      try {
        expect(await fetch('data:,')).not.toBeInstanceOf(globalThis.Response);
        answerHi(protocol);
        expect(await answerOf(provider())).toMatchObject({ text: 'Hi', usage: USAGE });
      } finally {
        Object.defineProperties(globalThis, { Request, Response });
      }
    },
  );

  test.each(clients)('%s makes one call, whatever it would do itself', async (_, protocol, provider) => {
    for (const status of [408, 429, 500]) {
      server.requests.length = 0;
      server.answerWith(({ json }) => json(status, protocol.errorBody('no', 'x'), { 'x-should-retry': 'true' }));
      await expect(answerOf(provider())).rejects.toMatchObject({ provider: { status } });
      expect(server.requests).toHaveLength(1);
    }
    server.requests.length = 0;
    server.answerWith(({ cut }) => cut());
    await expect(answerOf(provider())).rejects.toMatchObject({ code: 'network' });
    expect(server.requests).toHaveLength(1);
  });

  test.each(clients)('%s does not tell its key', async (_, protocol, provider) => {
    server.answerWith(({ json }) => json(400, protocol.errorBody(`no such thing for ${KEY}`, 'x')));
    const error: unknown = await answerOf(provider()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_request', message: expect.stringContaining('no such thing for ***') });
  });

  test("what cannot be read is not written to anybody's log", async () => {
    const said: unknown[] = [];
    const note = (...words: unknown[]) => void said.push(words);
    const logger = { error: note, warn: note, info: note, debug: note };
    const client = new OpenAI({ apiKey: KEY, baseURL: `${server.url}/v1`, logger, logLevel: 'warn' });
    server.answerWith(async ({ stream, write, response }) => {
      stream();
      await write('data: {"a secret answer\n\n');
      response.end();
    });
    await expect(answerOf(openaiProvider({ client }))).rejects.toMatchObject({ code: 'provider_error' });
    expect(said).toEqual([]);
  });
});

describe('a transformer of the user', () => {
  test('makes the body', async () => {
    const [responses] = PROTOCOLS as [Protocol];
    server.answerWith(({ json }) => json(200, responses.whole?.('Hi')));
    const provider = openaiProvider({
      apiKey: KEY,
      baseUrl: `${server.url}/v1`,
      transform: (request) => {
        const { body } = toResponsesBody(request);
        return { body: { ...body, metadata: { team: 'a' } }, warnings: ['This is the team a.'] };
      },
    });
    expect(await answerOf(provider)).toMatchObject({ text: 'Hi', warnings: ['This is the team a.'] });
    expect(server.requests[0]?.body).toMatchObject({ metadata: { team: 'a' }, store: false });
  });

  test('that throws is a failure of its own class, and nothing is sent', async () => {
    const transform = (): never => {
      throw new TypeError('no');
    };
    for (const provider of [
      openaiProvider({ apiKey: KEY, baseUrl: server.url, transform }),
      openaiCompatibleProvider({ baseUrl: server.url, transform }),
      geminiProvider({ apiKey: KEY, baseUrl: server.url, transform }),
      anthropicProvider({ apiKey: KEY, baseUrl: server.url, transform }),
    ]) {
      await expect(answerOf(provider)).rejects.toMatchObject({ code: 'transformation_failed' });
    }
    expect(server.requests).toEqual([]);
  });
});
