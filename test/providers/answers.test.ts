/**
 * What answers tell beside their text, over real sockets and the real SDKs: calls of functions, passages that were found,
 * names, warnings. A conversation with functions goes through each protocol to its end, and the bodies are those of the
 * transformers, word for word.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type CallRecord, collect } from '../../shared/core/answers.ts';
import type { Answer, LlmPart, LlmProvider, LlmRequest } from '../../shared/core/llm.ts';
import { toAnthropicBody } from '../../shared/llm/transformers/anthropic.ts';
import { toGeminiBody } from '../../shared/llm/transformers/gemini.ts';
import { toResponsesBody } from '../../shared/llm/transformers/openai.ts';
import { toChatBody } from '../../shared/llm/transformers/openai-chat.ts';
import { toVertexBody } from '../../shared/llm/transformers/vertex.ts';
import { CITY, EVERYTHING, PLAIN, WEATHER } from '../support/llm-requests.ts';
import { type Script, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { PROTOCOLS, type Protocol, USAGE } from './protocols.ts';

let server: ScriptedProvider;
beforeAll(async () => {
  server = await startScriptedProvider();
});
afterEach(() => {
  server.requests.length = 0;
});
afterAll(() => server.stop());

const { signal } = new AbortController();
const streamed =
  (...frames: string[]): Script =>
  async ({ stream, write, response }) => {
    stream();
    for (const frame of frames) await write(frame);
    response.end();
  };

async function partsOf(provider: LlmProvider, request: LlmRequest): Promise<LlmPart[]> {
  const parts: LlmPart[] = [];
  for await (const part of provider.generate(request, { signal })) parts.push(part);
  return parts;
}

function answerOf(provider: LlmProvider, request: LlmRequest, record: CallRecord = { facts: {}, text: '' }) {
  return collect(provider.generate(request, { signal }), record);
}

const [responses, chat, gemini, vertex, anthropic] = PROTOCOLS as [Protocol, Protocol, Protocol, Protocol, Protocol];
/** The conversation up to its calls' results, in each protocol's words. */
const QUESTION: LlmRequest = {
  model: 'm',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Weather in Oslo and Rome?' },
  ],
  tools: [WEATHER],
  toolChoice: 'auto',
};
const [oslo, rome] = ['{"city":"Oslo"}', '{"city":"Rome"}'];
const declared = { name: 'get_weather', description: 'The weather of a city.' };
const chatTurn = (first: object) => ({
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Weather in Oslo and Rome?' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'call_a', type: 'function', function: { name: 'get_weather', arguments: oslo }, ...first },
        { id: 'call_b', type: 'function', function: { name: 'get_weather', arguments: rome } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_b', content: '18' },
    { role: 'tool', tool_call_id: 'call_a', content: '3' },
  ],
  tools: [{ type: 'function', function: { ...declared, parameters: CITY } }],
  tool_choice: 'auto',
  stream: true,
  stream_options: { include_usage: true },
});
const SECOND_BODIES = new Map<Protocol, unknown>([
  [
    responses,
    {
      model: responses.model,
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: 'Weather in Oslo and Rome?' },
        { type: 'function_call', call_id: 'call_a', name: 'get_weather', arguments: oslo },
        { type: 'function_call', call_id: 'call_b', name: 'get_weather', arguments: rome },
        { type: 'function_call_output', call_id: 'call_b', output: '18' },
        { type: 'function_call_output', call_id: 'call_a', output: '3' },
      ],
      tools: [{ type: 'function', ...declared, parameters: CITY, strict: false }],
      tool_choice: 'auto',
      stream: true,
      store: false,
    },
  ],
  [chat, { model: chat.model, ...chatTurn({}) }],
  [vertex, { model: vertex.model, ...chatTurn({ extra_content: { google: { thought_signature: 'c2lnbmVk' } } }) }],
  [
    anthropic,
    {
      model: anthropic.model,
      max_tokens: 64_000,
      system: 'Be brief.',
      messages: [
        { role: 'user', content: 'Weather in Oslo and Rome?' },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'call_a', name: 'get_weather', input: { city: 'Oslo' } },
            { type: 'tool_use', id: 'call_b', name: 'get_weather', input: { city: 'Rome' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_b', content: '18' },
            { type: 'tool_result', tool_use_id: 'call_a', content: '3' },
          ],
        },
      ],
      tools: [{ ...declared, input_schema: CITY }],
      tool_choice: { type: 'auto' },
      stream: true,
    },
  ],
  [
    gemini,
    {
      systemInstruction: { role: 'system', parts: [{ text: 'Be brief.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Weather in Oslo and Rome?' }] },
        {
          role: 'model',
          parts: [
            { functionCall: { name: 'get_weather', args: { city: 'Oslo' } }, thoughtSignature: 'c2lnbmVk' },
            { functionCall: { id: 'g-b', name: 'get_weather', args: { city: 'Rome' } } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { name: 'get_weather', response: { output: '3' } } },
            { functionResponse: { id: 'g-b', name: 'get_weather', response: { output: '18' } } },
          ],
        },
      ],
      tools: [{ functionDeclarations: [{ ...declared, parametersJsonSchema: CITY }] }],
      toolConfig: { functionCallingConfig: { mode: 'AUTO' } },
    },
  ],
]);

const TRANSFORMERS = new Map<Protocol, (request: LlmRequest) => { body: unknown; warnings: string[] }>([
  [responses, toResponsesBody],
  [chat, toChatBody],
  [gemini, toGeminiBody],
  [vertex, toVertexBody],
  [anthropic, toAnthropicBody],
]);

/** What Gemini's package puts into every body. */
const ADDED = { generationConfig: {}, safetySettings: [] };

describe.each(PROTOCOLS)('$name', (protocol) => {
  const { opening, delta, ending, model, calling, named } = protocol;
  const provider = () => protocol.provider(server.url);
  const toBody = (request: LlmRequest) => TRANSFORMERS.get(protocol)?.(request);
  const onTheWire = (body: unknown) => ({ ...(protocol === gemini ? ADDED : {}), ...Object(body) });

  test('a conversation with functions, from their definitions to the answer', async () => {
    server.answerWith(streamed(opening, calling.frames));
    const question = { ...QUESTION, model };
    const called = await answerOf(provider(), question);
    expect(called).toEqual({
      ...{ text: '', finishReason: 'tool_calls', toolCalls: calling.calls, fileSearchResults: [], warnings: [] },
      ...{ responseId: named.id, model: named.model, usage: USAGE },
    } satisfies Answer);

    server.answerWith(streamed(opening, delta('3 and 18.'), ending));
    const ids = calling.calls.map(({ id }) => id) as [string, string];
    const answer = await answerOf(provider(), {
      ...question,
      messages: [
        ...question.messages,
        { role: 'assistant', content: called.text, toolCalls: called.toolCalls },
        // The results in another order than the calls.
        { role: 'tool', toolCallId: ids[1], content: '18' },
        { role: 'tool', toolCallId: ids[0], content: '3' },
      ],
    });
    expect(answer).toMatchObject({ text: '3 and 18.', finishReason: 'stop', toolCalls: [], usage: USAGE });
    expect(server.requests.map(({ body }) => body)).toEqual(
      [toBody(question)?.body, SECOND_BODIES.get(protocol)].map(onTheWire),
    );
  });

  test.each([
    ['a plain request', PLAIN],
    ['one with everything', EVERYTHING],
  ])('%s is sent as the transformer made it, and its warnings come first', async (_, asked) => {
    const request = { ...asked, model };
    server.answerWith(streamed(opening, delta('Hi'), ending));
    const parts = await partsOf(provider(), request);
    const { body, warnings } = toBody(request) ?? {};
    expect(server.requests.map((each) => each.body)).toEqual([onTheWire(body)]);
    expect(parts[0]).toEqual({ type: 'accepted', providerRequestId: 'req-7' });
    expect(parts.slice(1, 1 + (warnings?.length ?? 0))).toEqual(
      warnings?.map((message) => ({ type: 'warning', message })),
    );
    expect(parts.filter(({ type }) => type === 'warning')).toHaveLength(warnings?.length ?? 0);
    expect(parts.filter(({ type }) => type === 'response')).toEqual([{ type: 'response', ...named }]);
    expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'stop' });
    expect(parts.filter(({ type }) => type === 'finish')).toHaveLength(1);
  });

  test('thoughts are not said', async () => {
    server.answerWith(streamed(opening, delta('Hi'), ending));
    expect((await answerOf(provider(), { ...PLAIN, model })).text).toBe('Hi');
  });

  test('calls whose answer was cut are not made', async () => {
    server.answerWith(async ({ stream, write, cut }) => {
      stream();
      await write(opening + calling.frames.slice(0, calling.frames.length / 3));
      setTimeout(cut, 20);
    });
    await expect(answerOf(provider(), { ...QUESTION, model })).rejects.toMatchObject({
      code: 'network',
      provider: { requestId: 'req-7' },
    });
  });

  if (protocol.cutCalling !== undefined) {
    test('of calls that the output limit cut, the whole ones are kept', async () => {
      server.answerWith(streamed(opening, protocol.cutCalling ?? ''));
      expect(await answerOf(provider(), { ...QUESTION, model })).toMatchObject({
        finishReason: 'length',
        toolCalls: [{ id: 'call_a', arguments: oslo }],
        warnings: ['A function call was cut at the output limit; it was left out.'],
        usage: USAGE,
      });
    });
  }

  test('a failure keeps the status and the id of the answer that it came in', async () => {
    const headers = { 'x-request-id': 'req-9', 'request-id': 'req-9' };
    server.answerWith(({ json }) => json(503, protocol.errorBody('no', 'x'), headers));
    await expect(answerOf(provider(), { ...PLAIN, model })).rejects.toMatchObject({
      code: 'overloaded',
      provider: { status: 503, requestId: 'req-9' },
    });
    const record: CallRecord = { facts: {}, text: '' };
    server.answerWith(streamed(opening, delta('Hi'), protocol.streamError));
    await expect(answerOf(provider(), { ...PLAIN, model }, record)).rejects.toMatchObject({
      code: 'overloaded',
      provider: { requestId: 'req-7' },
    });
    expect(record.facts.providerRequestId).toBe('req-7');
  });
});

describe('passages that were found', () => {
  const found = {
    id: 'fs_1',
    type: 'file_search_call',
    status: 'completed',
    queries: ['authentication'],
    results: [
      { text: 'Send a bearer token.', score: 0.92, file_id: 'file-1', filename: 'auth.md', attributes: {} },
      { text: 'Keys expire.' },
    ],
  };
  const message = { type: 'message', content: [{ type: 'output_text', text: 'With a token.' }] };
  const results = [
    { text: 'Send a bearer token.', score: 0.92, fileId: 'file-1', fileName: 'auth.md' },
    { text: 'Keys expire.' },
  ];
  const frame = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
  const completed = (output: object[]) =>
    frame({ type: 'response.completed', response: { id: 'resp_1', status: 'completed', output } });
  const done = frame({ type: 'response.output_item.done', output_index: 0, item: found });
  const searching = frame({ type: 'response.file_search_call.searching', output_index: 0, item_id: 'fs_1' });

  test.each([
    ['with the end', searching + done + responses.delta('With a token.') + completed([found, message])],
    ['before an end that repeats nothing', searching + done + responses.delta('With a token.') + completed([])],
  ])('%s are told once', async (_, frames) => {
    server.answerWith(streamed(responses.opening, frames));
    const { fileSearch } = EVERYTHING;
    const answer = await answerOf(responses.provider(server.url), { ...PLAIN, fileSearch });
    expect(answer).toMatchObject({ text: 'With a token.', fileSearchResults: results, finishReason: 'stop' });
  });

  test('in a whole answer, and a search that tells no results', async () => {
    const output = [found, { ...found, id: 'fs_2', results: null }, message];
    server.answerWith(({ json }) => json(200, { id: 'resp_1', model: 'gpt-4o', status: 'completed', output }));
    const answer = await answerOf(responses.provider(server.url), PLAIN);
    expect(answer).toMatchObject({ text: 'With a token.', fileSearchResults: results, model: 'gpt-4o' });
  });
});

describe('calls as servers tell them that do not keep to the protocol', () => {
  const frame = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
  const pieces = (...deltas: object[]) =>
    deltas.map((delta) => frame({ delta: { tool_calls: [delta] }, finish_reason: null })).join('');
  const end = frame({ delta: {}, finish_reason: 'stop' });
  const call = (id: string, city: string) => ({ id, name: 'f', arguments: `{"city":"${city}"}` });
  const piece = (id: string | undefined, city: string, index?: number) => ({
    ...(index === undefined ? {} : { index }),
    ...(id === undefined ? {} : { id }),
    function: { name: 'f', arguments: `{"city":"${city}"}` },
  });

  test.each([
    ['all numbered 0', pieces(piece('a', 'Oslo', 0), piece('b', 'Rome', 0)), [call('a', 'Oslo'), call('b', 'Rome')]],
    ['not numbered', pieces(piece('a', 'Oslo'), piece('b', 'Rome')), [call('a', 'Oslo'), call('b', 'Rome')]],
    [
      'neither numbered nor named',
      pieces(piece(undefined, 'Oslo'), piece(undefined, 'Rome')),
      [call('unnamed-call-1', 'Oslo'), call('unnamed-call-2', 'Rome')],
    ],
    [
      'in pieces that repeat the id',
      pieces(
        { index: 0, id: 'a', function: { name: 'f', arguments: '{"city":' } },
        { index: 0, id: 'a', function: { arguments: '"Oslo"}' } },
      ),
      [call('a', 'Oslo')],
    ],
    [
      'with arguments as an object',
      pieces({ index: 0, id: 'a', function: { name: 'f', arguments: { city: 'Oslo' } } }),
      [call('a', 'Oslo')],
    ],
    [
      'without arguments',
      pieces({ index: 0, id: 'a', function: { name: 'f', arguments: '' } }),
      [{ id: 'a', name: 'f', arguments: '{}' }],
    ],
  ])('%s', async (_, frames, toolCalls) => {
    server.answerWith(streamed(chat.opening, frames, end));
    expect(await answerOf(chat.provider(server.url), QUESTION)).toMatchObject({
      finishReason: 'tool_calls',
      toolCalls,
    });
  });

  test('in a whole answer', async () => {
    const toolCalls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{"city":"Oslo"}' } }];
    const choices = [
      { finish_reason: 'tool_calls', message: { role: 'assistant', content: null, tool_calls: toolCalls } },
    ];
    server.answerWith(({ json }) => json(200, { id: 'c1', choices }));
    expect(await answerOf(chat.provider(server.url), QUESTION)).toMatchObject({
      ...{ finishReason: 'tool_calls', toolCalls: [call('a', 'Oslo')], responseId: 'c1' },
    });
  });

  test('of a function without a name: no success', async () => {
    server.answerWith(streamed(chat.opening, pieces({ index: 0, id: 'a', function: { arguments: '{}' } }), end));
    await expect(answerOf(chat.provider(server.url), QUESTION)).rejects.toMatchObject({ code: 'provider_error' });
  });

  test('a made-up id is of one call in the conversation', async () => {
    server.answerWith(streamed(gemini.calling.frames));
    const before = { id: 'unnamed-call-1', name: 'f', arguments: '{}' };
    const answer = await answerOf(gemini.provider(server.url), {
      model: 'm',
      messages: [
        { role: 'assistant', content: '', toolCalls: [before] },
        { role: 'tool', toolCallId: before.id, content: '1' },
      ],
    });
    expect(answer.toolCalls.map(({ id }) => id)).toEqual(['unnamed-call-2', 'g-b']);
  });
});
