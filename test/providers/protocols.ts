/** The three protocols in their vendors' frames, so that one table of scenarios can be told in each. */
import type { LlmProvider } from '../../shared/core/llm.ts';
import { geminiProvider } from '../../shared/llm/providers/gemini.ts';
import { openaiProvider } from '../../shared/llm/providers/openai.ts';
import { openaiCompatibleProvider } from '../../shared/llm/providers/openai-compatible.ts';

export type Protocol = {
  name: string;
  model: string;
  provider: (url: string) => LlmProvider;
  /** What comes before any text. */
  opening: string;
  delta: (text: string) => string;
  /** The end of a good answer, with `USAGE`. */
  ending: string;
  /** The same answer as one document; absent where the protocol has none. */
  whole?: (text: string) => unknown;
  /** An error within the stream. */
  streamError: string;
  refusal: string;
  /** Ended at the output limit, and withheld by the filter. */
  lengthEnding: string;
  filteredEnding: string;
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
  named({ type, response: { id: 'resp_1', usage: responsesUsage, ...response } } as never);

const responses: Protocol = {
  name: 'openai, Responses',
  model: 'gpt-4o-mini',
  provider: (url) => openaiProvider({ apiKey: 'sk-test', baseUrl: `${url}/v1` }),
  opening:
    named({ type: 'response.created', response: { id: 'resp_1', status: 'in_progress' } } as never) +
    named({ type: 'response.reasoning_summary_text.delta', delta: 'thinking' } as never),
  delta: (text) => named({ type: 'response.output_text.delta', delta: text } as never),
  ending: responseEnd('response.completed', { status: 'completed' }),
  whole: (text) => ({
    id: 'resp_1',
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
  errorBody: (message, code) => ({ error: { message, code, type: 'x', param: null } }),
};

const chunk = (choice: object | undefined, more: object = {}) =>
  event({ id: 'c1', object: 'chat.completion.chunk', choices: choice ? [{ index: 0, ...choice }] : [], ...more });
const chatUsage = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const chatEnd = (reason: string) =>
  `${chunk({ delta: {}, finish_reason: reason }) + chunk(undefined, { usage: chatUsage })}data: [DONE]\n\n`;

const chat: Protocol = {
  name: 'openai-compatible, Chat Completions',
  model: 'llama3.2',
  provider: (url) => openaiCompatibleProvider({ baseUrl: `${url}/v1` }),
  opening: chunk({ delta: { role: 'assistant', content: '' }, finish_reason: null }),
  delta: (text) => chunk({ delta: { content: text }, finish_reason: null }),
  ending: chatEnd('stop'),
  whole: (text) => ({
    id: 'c1',
    object: 'chat.completion',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
    usage: chatUsage,
  }),
  streamError: event({ error: { code: 'server_error', message: 'boom' } }),
  refusal: chunk({ delta: { refusal: "I can't." }, finish_reason: null }),
  lengthEnding: chatEnd('length'),
  filteredEnding: chatEnd('content_filter'),
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
  event({ candidates: [{ index: 0, content: { role: 'model', parts }, ...more }], ...usage }, '\r\n\r\n');
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
  errorBody: (message, code) => ({ error: { code: 0, message, status: code } }),
};

export const PROTOCOLS: readonly Protocol[] = [responses, chat, gemini];
