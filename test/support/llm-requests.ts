/** Requests of a model: a plain one, and one with everything in it that can be asked. */
import type { JsonObject, LlmMessage, LlmRequest, Tool } from '../../shared/core/llm.ts';

export const PIXEL = 'iVBORw0KGgo=';
export const CITY: JsonObject = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
export const REPORT: JsonObject = {
  ...{ type: 'object', properties: { summary: { type: 'string' } }, required: ['summary'] },
  additionalProperties: false,
};
export const WEATHER: Tool = { name: 'get_weather', description: 'The weather of a city.', parameters: CITY };
export const CLOCK: Tool = { name: 'get_time', parameters: CITY };

export const PLAIN: LlmRequest = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };

/** Two calls in one turn, whose results come the other way round; the second call has a signature. */
const CONVERSATION: LlmMessage[] = [
  { role: 'system', content: 'Be brief.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'Where is this?' },
      { type: 'image', url: `data:image/png;base64,${PIXEL}` },
      { type: 'image', url: 'https://a.example/b.png' },
    ],
  },
  { role: 'assistant', content: 'Oslo, I think.' },
  { role: 'user', content: 'Weather and time there?' },
  {
    role: 'assistant',
    content: '',
    toolCalls: [
      { id: 'call_a', name: 'get_weather', arguments: '{"city":"Oslo"}' },
      { id: 'call_b', name: 'get_time', arguments: '{"city":"Oslo"}', signature: 'c2lnbmVk' },
    ],
  },
  { role: 'tool', toolCallId: 'call_b', content: 'noon' },
  { role: 'tool', toolCallId: 'call_a', content: '{"celsius":3}' },
  { role: 'system', content: 'Answer in JSON.' },
];

export const EVERYTHING: LlmRequest = {
  model: 'm',
  messages: CONVERSATION,
  temperature: 0,
  topP: 0.9,
  maxOutputTokens: 512,
  reasoningEffort: 'high',
  verbosity: 'low',
  fileSearch: { vectorStoreIds: ['vs_1', 'vs_2'], maxResults: 5 },
  tools: [WEATHER, CLOCK],
  toolChoice: { name: 'get_weather' },
  responseSchema: { name: 'report', schema: REPORT },
};
