/** Whole bodies for Anthropic's Messages API, and what it cannot be told. */
import { describe, expect, test } from 'vitest';
import type { LlmMessage, LlmRequest, ReasoningEffort, ToolChoice } from '../../shared/core/llm.ts';
import { toAnthropicSchema } from '../../shared/llm/structured/dialects.ts';
import { toAnthropicBody } from '../../shared/llm/transformers/anthropic.ts';
import { CITY, EVERYTHING, PIXEL, PLAIN, REPORT } from '../support/llm-requests.ts';

function bodyOf(request: LlmRequest) {
  const before = structuredClone(request);
  const transformed = toAnthropicBody(request);
  expect(request).toEqual(before);
  expect(JSON.parse(JSON.stringify(transformed.body))).toStrictEqual(transformed.body);
  return transformed;
}
const messagesOf = (...messages: LlmMessage[]) => {
  const { body, warnings } = bodyOf({ model: 'm', messages });
  return { messages: body.messages, warnings };
};

test('a plain request', () => {
  expect(bodyOf(PLAIN)).toEqual({
    body: { model: 'm', max_tokens: 8_192, messages: [{ role: 'user', content: 'Hi' }], stream: true },
    warnings: [],
  });
});

test('everything', () => {
  expect(bodyOf(EVERYTHING)).toEqual({
    body: {
      model: 'm',
      max_tokens: 512,
      system: 'Be brief.\n\nAnswer in JSON.',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Where is this?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
            { type: 'image', source: { type: 'url', url: 'https://a.example/b.png' } },
          ],
        },
        { role: 'assistant', content: 'Oslo, I think.' },
        { role: 'user', content: 'Weather and time there?' },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'call_a', name: 'get_weather', input: { city: 'Oslo' } },
            { type: 'tool_use', id: 'call_b', name: 'get_time', input: { city: 'Oslo' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_b', content: 'noon' },
            { type: 'tool_result', tool_use_id: 'call_a', content: '{"celsius":3}' },
          ],
        },
      ],
      temperature: 0,
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high', format: { type: 'json_schema', schema: toAnthropicSchema(REPORT) } },
      tools: [
        { name: 'get_weather', description: 'The weather of a city.', input_schema: CITY },
        { name: 'get_time', input_schema: CITY },
      ],
      tool_choice: { type: 'tool', name: 'get_weather' },
      stream: true,
    },
    warnings: [
      'Anthropic takes temperature or top_p, not both; top_p was left out.',
      'Anthropic has no verbosity; it was left out.',
      'Anthropic has no file search (vector_store_id); it was left out.',
    ],
  });
});

test.each([
  ['claude-haiku-4-5', 64_000],
  ['claude-opus-4-8', 128_000],
  ['claude-opus-5-5', 8_192],
])('%s is limited to what it can say: %i', (model, limit) => {
  expect(bodyOf({ ...PLAIN, model }).body.max_tokens).toBe(limit);
});

test('top_p alone is kept', () => {
  expect(bodyOf({ ...PLAIN, topP: 0.5 })).toMatchObject({ body: { top_p: 0.5 }, warnings: [] });
});

test.each<[string, ReasoningEffort, object, string[]]>([
  ['claude-opus-4-5', 'none', {}, []],
  ['claude-opus-4-5', 'high', { output_config: { effort: 'high' } }, []],
  ['claude-opus-4-8', 'none', {}, []],
  ['claude-opus-4-8', 'xhigh', { thinking: { type: 'adaptive' }, output_config: { effort: 'xhigh' } }, []],
  ['claude-opus-5', 'none', { thinking: { type: 'disabled' } }, []],
  [
    'claude-opus-5',
    'minimal',
    { thinking: { type: 'adaptive' }, output_config: { effort: 'low' } },
    ['Anthropic knows no minimal reasoning effort; low was asked for.'],
  ],
])('%s with reasoning effort %s', (model, reasoningEffort, fields, warnings) => {
  const { max_tokens: _, ...body } = bodyOf({ ...PLAIN, model, reasoningEffort }).body;
  expect(body).toEqual({ model, messages: [{ role: 'user', content: 'Hi' }], stream: true, ...fields });
  expect(bodyOf({ ...PLAIN, model, reasoningEffort }).warnings).toEqual(warnings);
});

test.each<[ToolChoice, object]>([
  ['auto', { type: 'auto' }],
  ['none', { type: 'none' }],
  ['required', { type: 'any' }],
  [{ name: 'f' }, { type: 'tool', name: 'f' }],
])('the choice %j', (toolChoice, tool_choice) => {
  const tools = [{ name: 'f', parameters: {} }];
  expect(bodyOf({ ...PLAIN, tools, toolChoice }).body).toMatchObject({
    ...{ tools: [{ name: 'f', input_schema: { type: 'object' } }], tool_choice },
  });
  const { body, warnings } = bodyOf({ ...PLAIN, toolChoice });
  expect(body).not.toHaveProperty('tool_choice');
  expect(warnings).toEqual(['There are no tools to choose from; tool_choice was left out.']);
});

describe('messages', () => {
  test('words beside calls stay before them, and results of other turns apart', () => {
    const call = { id: 'c', name: 'f', arguments: '[]' };
    expect(
      messagesOf(
        { role: 'assistant', content: 'Let me look.', toolCalls: [call] },
        { role: 'tool', toolCallId: 'c', content: '' },
        { role: 'assistant', content: '', toolCalls: [{ ...call, id: 'd', arguments: '{}' }] },
        { role: 'tool', toolCallId: 'd', content: '1' },
      ),
    ).toEqual({
      messages: [
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Let me look.' },
            { type: 'tool_use', id: 'c', name: 'f', input: {} },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c' }] },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'd', name: 'f', input: {} }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'd', content: '1' }] },
      ],
      warnings: ['The arguments of a call of f are no JSON object; Anthropic was told that there were none.'],
    });
  });

  test('empty ones, which are refused, are left out', () => {
    expect(messagesOf({ role: 'assistant', content: '' }, { role: 'user', content: 'Hi' })).toEqual({
      messages: [{ role: 'user', content: 'Hi' }],
      warnings: ['Anthropic takes no message without words; an empty one was left out.'],
    });
  });

  test.each(['http://a.example/b.png', 'data:image/tiff;base64,AA==', 'data:image/png,AA'])(
    'an image that is not taken: %s',
    (url) => {
      expect(messagesOf({ role: 'user', content: [{ type: 'image', url }] })).toEqual({
        messages: [{ role: 'user', content: [{ type: 'text', text: '[an image]' }] }],
        warnings: [
          'Anthropic takes images as https: addresses, or as JPEG, PNG, GIF or WebP; the others were left out.',
        ],
      });
    },
  );
});
