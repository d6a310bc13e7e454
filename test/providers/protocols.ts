/** The protocols in their vendors' frames, so that one table of scenarios can be told in each. */
import type { LlmProvider, ToolCall } from '../../shared/core/llm.ts';
import { anthropicProvider } from '../../shared/llm/providers/anthropic.ts';
import { geminiProvider } from '../../shared/llm/providers/gemini.ts';
import { openaiProvider } from '../../shared/llm/providers/openai.ts';
import { openaiCompatibleProvider } from '../../shared/llm/providers/openai-compatible.ts';
import { vertexProvider } from '../../shared/llm/providers/vertex.ts';

export type Protocol = {
  name: string;
  model: string;
  provider: (url: string) => LlmProvider;
  /** What comes before any text. */
  opening: string;
  delta: (text: string) => string;
  /** The end of a good answer, with `USAGE`. */
  ending: string;
  /** The same end, of an answer that its last events repeat, each in one line; absent where nothing is repeated. */
  repeatingEnding?: (text: string) => string;
  /** The same answer as one document; absent where the protocol has none. */
  whole?: (text: string) => unknown;
  /** An error within the stream. */
  streamError: string;
  refusal: string;
  /** Ended at the output limit, and withheld by the filter. */
  lengthEnding: string;
  filteredEnding: string;
  /** An answer that calls two functions, from its beginning to its end, and the calls in it. */
  calling: { frames: string; calls: ToolCall[] };
  /** The same, ended at the output limit in the middle of the second call; absent where calls come whole. */
  cutCalling?: string;
  /** An end for a reason that nobody knows. */
  unknownEnding: string;
  /** How the answers name themselves. */
  named: { id: string; model?: string };
  /** The error object of an HTTP error. */
  errorBody: (message: string, code: string) => unknown;
};

export const USAGE = { inputTokens: 11, outputTokens: 7, totalTokens: 18, cachedInputTokens: 4, reasoningTokens: 2 };

const event = (value: unknown, separator = '\n\n') => `data: ${JSON.stringify(value)}${separator}`;
const named = (value: { type: string }) => `event: ${value.type}\n${event(value)}`;

const responsesUsage = {
  input_tokens: 11,
  output_tokens: 7,
  total_tokens: 18,
  input_tokens_details: { cached_tokens: 4 },
  output_tokens_details: { reasoning_tokens: 2 },
};
const responseEnd = (type: string, response: object) =>
  named({
    type,
    response: { id: 'resp_1', model: 'gpt-4o-mini-2024-07-18', usage: responsesUsage, ...response },
  } as never);

/** Two calls in pieces, as the Responses API streams them; the last event repeats them whole. */
function responsesCalls(secondArguments: string, end: (output: object[]) => string): string {
  const items = [
    { id: 'rs_1', type: 'reasoning', summary: [] },
    { id: 'fc_1', type: 'function_call', call_id: 'call_a', name: 'get_weather', arguments: '{"city":"Oslo"}' },
    { id: 'fc_2', type: 'function_call', call_id: 'call_b', name: 'get_weather', arguments: secondArguments },
  ];
  const frames = items
    .slice(1)
    .flatMap((item, index) => [
      named({ type: 'response.output_item.added', output_index: index, item: { ...item, arguments: '' } } as never),
      ...[...(item.arguments ?? '')].map((delta) =>
        named({ type: 'response.function_call_arguments.delta', output_index: index, delta } as never),
      ),
      named({ type: 'response.output_item.done', output_index: index, item } as never),
    ]);
  return frames.join('') + end(items);
}
const OSLO_AND_ROME: ToolCall[] = [
  { id: 'call_a', name: 'get_weather', arguments: '{"city":"Oslo"}' },
  { id: 'call_b', name: 'get_weather', arguments: '{"city":"Rome"}' },
];

const responses: Protocol = {
  name: 'openai, Responses',
  model: 'gpt-4o-mini',
  provider: (url) => openaiProvider({ apiKey: 'sk-test', baseUrl: `${url}/v1` }),
  opening:
    named({
      type: 'response.created',
      response: { id: 'resp_1', model: 'gpt-4o-mini-2024-07-18', status: 'in_progress' },
    } as never) + named({ type: 'response.reasoning_summary_text.delta', delta: 'thinking' } as never),
  delta: (text) => named({ type: 'response.output_text.delta', delta: text } as never),
  ending: responseEnd('response.completed', { status: 'completed' }),
  repeatingEnding: (text) => {
    const part = { type: 'output_text', text, annotations: [] };
    const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [part] };
    const frames = [
      { type: 'response.output_text.done', output_index: 0, content_index: 0, text },
      { type: 'response.content_part.done', output_index: 0, content_index: 0, part },
      { type: 'response.output_item.done', output_index: 0, item },
    ];
    return frames.map(named).join('') + responseEnd('response.completed', { status: 'completed', output: [item] });
  },
  whole: (text) => ({
    id: 'resp_1',
    model: 'gpt-4o-mini-2024-07-18',
    status: 'completed',
    output: [{ type: 'message', content: [{ type: 'output_text', text }] }],
    usage: responsesUsage,
  }),
  streamError: named({ type: 'error', error: { code: 'server_error', message: 'boom' } } as never),
  refusal: named({ type: 'response.refusal.done', refusal: "I can't." } as never),
  lengthEnding: responseEnd('response.incomplete', {
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
  }),
  filteredEnding: responseEnd('response.incomplete', {
    status: 'incomplete',
    incomplete_details: { reason: 'content_filter' },
  }),
  calling: {
    frames: responsesCalls('{"city":"Rome"}', (output) =>
      responseEnd('response.completed', { status: 'completed', output }),
    ),
    calls: OSLO_AND_ROME,
  },
  cutCalling: responsesCalls('{"city":"Ro', (output) =>
    responseEnd('response.incomplete', {
      status: 'incomplete',
      output,
      incomplete_details: { reason: 'max_output_tokens' },
    }),
  ),
  unknownEnding: responseEnd('response.incomplete', { status: 'incomplete', incomplete_details: { reason: 'pause' } }),
  named: { id: 'resp_1', model: 'gpt-4o-mini-2024-07-18' },
  errorBody: (message, code) => ({ error: { message, code, type: 'x', param: null } }),
};

const chunk = (choice: object | undefined, more: object = {}) =>
  event({
    id: 'c1',
    model: 'llama3.2:3b',
    object: 'chat.completion.chunk',
    choices: choice ? [{ index: 0, ...choice }] : [],
    ...more,
  });
const chatUsage = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const chatEnd = (reason: string) =>
  `${chunk({ delta: {}, finish_reason: reason }) + chunk(undefined, { usage: chatUsage })}data: [DONE]\n\n`;

/** Two calls whose pieces are mixed; the id and the name come once, with the first. */
function chatCalls(secondArguments: string, reason: string, more: object[] = [{}, {}]): string {
  const piece = (index: number, json: string) =>
    chunk({ delta: { tool_calls: [{ index, function: { arguments: json } }] }, finish_reason: null });
  const first = (index: number, id: string) => {
    const call = { index, id, type: 'function', function: { name: 'get_weather', arguments: '' }, ...more[index] };
    return chunk({ delta: { role: 'assistant', content: null, tool_calls: [call] }, finish_reason: null });
  };
  const [half, rest] = [secondArguments.slice(0, 4), secondArguments.slice(4)];
  return [
    ...[first(0, 'call_a'), piece(0, '{"ci'), first(1, 'call_b'), piece(1, half)],
    ...[piece(0, 'ty":"Oslo"}'), piece(1, rest), chatEnd(reason)],
  ].join('');
}

const chat: Protocol = {
  name: 'openai-compatible, Chat Completions',
  model: 'llama3.2',
  provider: (url) => openaiCompatibleProvider({ baseUrl: `${url}/v1` }),
  opening: chunk({ delta: { role: 'assistant', content: '' }, finish_reason: null }),
  delta: (text) => chunk({ delta: { content: text }, finish_reason: null }),
  ending: chatEnd('stop'),
  whole: (text) => ({
    id: 'c1',
    model: 'llama3.2:3b',
    object: 'chat.completion',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
    usage: chatUsage,
  }),
  streamError: event({ error: { code: 'server_error', message: 'boom' } }),
  refusal: chunk({ delta: { refusal: "I can't." }, finish_reason: null }),
  lengthEnding: chatEnd('length'),
  filteredEnding: chatEnd('content_filter'),
  calling: { frames: chatCalls('{"city":"Rome"}', 'tool_calls'), calls: OSLO_AND_ROME },
  cutCalling: chatCalls('{"city":"Ro', 'length'),
  unknownEnding: chatEnd('pause'),
  named: { id: 'c1', model: 'llama3.2:3b' },
  errorBody: (message, code) => ({ error: { message, code, type: 'x', param: null } }),
};

const geminiUsage = {
  promptTokenCount: 11,
  candidatesTokenCount: 5,
  thoughtsTokenCount: 2,
  totalTokenCount: 18,
  cachedContentTokenCount: 4,
};
// Google ends frames with CRLF CRLF.
const candidate = (parts: object[], more: object = {}, usage: object = {}) =>
  event(
    {
      candidates: [{ index: 0, content: { role: 'model', parts }, ...more }],
      ...{ responseId: 'g1', modelVersion: 'gemini-2.5-flash-001', ...usage },
    },
    '\r\n\r\n',
  );
const geminiEnd = (finishReason: string) => candidate([], { finishReason }, { usageMetadata: geminiUsage });

const gemini: Protocol = {
  name: 'gemini',
  model: 'gemini-2.5-flash',
  provider: (url) => geminiProvider({ apiKey: 'AIza-test', baseUrl: url }),
  opening: candidate(
    [{ text: 'I think about it.', thought: true }],
    {},
    { usageMetadata: { promptTokenCount: 11, totalTokenCount: 11 } },
  ),
  delta: (text) => candidate([{ text }]),
  ending: geminiEnd('STOP'),
  streamError: event({ error: { code: 503, status: 'UNAVAILABLE', message: 'boom' } }, '\r\n\r\n'),
  refusal: event({ promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: geminiUsage }, '\r\n\r\n'),
  lengthEnding: geminiEnd('MAX_TOKENS'),
  filteredEnding: geminiEnd('SAFETY'),
  calling: {
    frames:
      candidate([
        { text: 'I should look.', thought: true },
        { functionCall: { name: 'get_weather', args: { city: 'Oslo' } }, thoughtSignature: 'c2lnbmVk' },
        { functionCall: { id: 'g-b', name: 'get_weather', args: { city: 'Rome' } } },
      ]) + geminiEnd('STOP'),
    calls: [
      { id: 'unnamed-call-1', name: 'get_weather', arguments: '{"city":"Oslo"}', signature: 'c2lnbmVk' },
      { id: 'g-b', name: 'get_weather', arguments: '{"city":"Rome"}' },
    ],
  },
  unknownEnding: geminiEnd('PAUSE'),
  named: { id: 'g1', model: 'gemini-2.5-flash-001' },
  errorBody: (message, code) => ({ error: { code: 0, message, status: code } }),
};

/** Chat Completions, but for Google's errors, and the signature of a thought beside a call. */
const vertex: Protocol = {
  ...chat,
  name: 'vertex',
  model: 'google/gemini-2.5-flash',
  provider: (url) =>
    vertexProvider({ project: 'p', location: 'global', baseUrl: `${url}/v1`, token: async () => 'ya29.test-token' }),
  streamError: event({ error: { code: 503, status: 'UNAVAILABLE', message: 'boom' } }),
  calling: {
    frames: chatCalls('{"city":"Rome"}', 'stop', [
      { extra_content: { google: { thought_signature: 'c2lnbmVk' } } },
      {},
    ]),
    calls: OSLO_AND_ROME.map((call, index) => (index === 0 ? { ...call, signature: 'c2lnbmVk' } : call)),
  },
  errorBody: (message, code) => [{ error: { code: 0, message, status: code } }],
};

const block = (index: number, start: object, deltas: object[]) =>
  [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
    .map(named)
    .join('');
const callBlock = (index: number, id: string, json: string) =>
  block(
    index,
    { type: 'tool_use', id, name: 'get_weather', input: {} },
    [...json].map((partial_json) => ({ type: 'input_json_delta', partial_json })),
  );
const messageEnd = (stop_reason: string) =>
  named({
    ...{ type: 'message_delta', delta: { stop_reason, stop_sequence: null } },
    usage: { output_tokens: 7, output_tokens_details: { thinking_tokens: 2 } },
  } as never) + named({ type: 'message_stop' });

const anthropic: Protocol = {
  name: 'anthropic',
  model: 'claude-haiku-4-5',
  provider: (url) => anthropicProvider({ apiKey: 'sk-ant-test', baseUrl: url }),
  opening:
    named({
      type: 'message_start',
      message: {
        ...{ id: 'msg_1', model: 'claude-haiku-4-5-20251001', role: 'assistant', content: [] },
        usage: { input_tokens: 5, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 1 },
      },
    } as never) +
    named({ type: 'ping' }) +
    block(0, { type: 'thinking', thinking: '', signature: '' }, [
      { type: 'thinking_delta', thinking: 'I think about it.' },
      { type: 'signature_delta', signature: 'c2lnbmVk' },
    ]) +
    named({ type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } } as never),
  delta: (text) => named({ type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text } } as never),
  ending: named({ type: 'content_block_stop', index: 1 } as never) + messageEnd('end_turn'),
  whole: (text) => ({
    ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-haiku-4-5-20251001' },
    ...{ content: [{ type: 'text', text }], stop_reason: 'end_turn' },
    usage: {
      ...{ input_tokens: 5, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 7 },
      output_tokens_details: { thinking_tokens: 2 },
    },
  }),
  streamError: named({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } } as never),
  refusal: messageEnd('refusal'),
  lengthEnding: messageEnd('max_tokens'),
  filteredEnding: messageEnd('refusal'),
  calling: {
    frames:
      callBlock(2, 'call_a', '{"city":"Oslo"}') + callBlock(3, 'call_b', '{"city":"Rome"}') + messageEnd('tool_use'),
    calls: OSLO_AND_ROME,
  },
  cutCalling:
    callBlock(2, 'call_a', '{"city":"Oslo"}') + callBlock(3, 'call_b', '{"city":"Ro') + messageEnd('max_tokens'),
  unknownEnding: messageEnd('pause_turn'),
  named: { id: 'msg_1', model: 'claude-haiku-4-5-20251001' },
  errorBody: (message, code) => ({ type: 'error', error: { type: code, message } }),
};

export const PROTOCOLS: readonly Protocol[] = [responses, chat, gemini, vertex, anthropic];
