/** Whole bodies, for each protocol: of a plain request, of one with everything in it, and what cannot be expressed. */
import { describe, expect, test } from 'vitest';
import type { LlmMessage, LlmRequest, ReasoningEffort } from '../../shared/core/llm.ts';
import { toGeminiSchema, toOpenaiFormat } from '../../shared/llm/structured/dialects.ts';
import { toGeminiBody } from '../../shared/llm/transformers/gemini.ts';
import { toResponsesBody } from '../../shared/llm/transformers/openai.ts';
import { toChatBody } from '../../shared/llm/transformers/openai-chat.ts';
import { type Transformer, transformed } from '../../shared/llm/transformers/transformer.ts';
import { toVertexBody } from '../../shared/llm/transformers/vertex.ts';
import { CITY, CLOCK, EVERYTHING, PIXEL, PLAIN, REPORT } from '../support/llm-requests.ts';

/** As a body is sent: what is undefined is not there, and nothing else differs. */
const sent = (body: unknown): unknown => JSON.parse(JSON.stringify(body));

function bodyOf<Body>(transform: Transformer<Body>, request: LlmRequest) {
  const before = structuredClone(request);
  const { body, warnings } = transform(request);
  expect(request).toEqual(before);
  // Nothing that would be lost on the way.
  expect(sent(body)).toStrictEqual(body);
  return { body, warnings };
}

describe('Responses', () => {
  test('a plain request', () => {
    expect(bodyOf(toResponsesBody, PLAIN)).toEqual({
      body: { model: 'm', input: [{ role: 'user', content: 'Hi' }], stream: true, store: false },
      warnings: [],
    });
  });

  test('everything', () => {
    expect(bodyOf(toResponsesBody, EVERYTHING)).toEqual({
      body: {
        model: 'm',
        instructions: 'Be brief.\n\nAnswer in JSON.',
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_text', text: 'Where is this?' },
              { type: 'input_image', image_url: `data:image/png;base64,${PIXEL}`, detail: 'auto' },
              { type: 'input_image', image_url: 'https://a.example/b.png', detail: 'auto' },
            ],
          },
          { role: 'assistant', content: 'Oslo, I think.' },
          { role: 'user', content: 'Weather and time there?' },
          { type: 'function_call', call_id: 'call_a', name: 'get_weather', arguments: '{"city":"Oslo"}' },
          { type: 'function_call', call_id: 'call_b', name: 'get_time', arguments: '{"city":"Oslo"}' },
          { type: 'function_call_output', call_id: 'call_b', output: 'noon' },
          { type: 'function_call_output', call_id: 'call_a', output: '{"celsius":3}' },
        ],
        temperature: 0,
        top_p: 0.9,
        max_output_tokens: 512,
        reasoning: { effort: 'high' },
        text: { format: { type: 'json_schema', name: 'report', ...toOpenaiFormat(REPORT) }, verbosity: 'low' },
        tools: [
          {
            ...{ type: 'function', name: 'get_weather', description: 'The weather of a city.' },
            ...{ parameters: CITY, strict: false },
          },
          { type: 'function', name: 'get_time', parameters: CITY, strict: false },
          { type: 'file_search', vector_store_ids: ['vs_1', 'vs_2'], max_num_results: 5 },
        ],
        tool_choice: { type: 'function', name: 'get_weather' },
        include: ['file_search_call.results'],
        stream: true,
        store: false,
      },
      warnings: [],
    });
  });

  test('words beside calls stay before them', () => {
    const messages: LlmMessage[] = [
      { role: 'assistant', content: 'Let me look.', toolCalls: [{ id: 'c', name: 'f', arguments: '{}' }] },
    ];
    expect(bodyOf(toResponsesBody, { model: 'm', messages }).body.input).toEqual([
      { role: 'assistant', content: 'Let me look.' },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
    ]);
  });

  test('a search alone can be chosen; a choice among nothing is a warning', () => {
    const { fileSearch } = EVERYTHING;
    expect(bodyOf(toResponsesBody, { ...PLAIN, fileSearch, toolChoice: 'required' })).toEqual({
      body: {
        ...{ model: 'm', input: [{ role: 'user', content: 'Hi' }] },
        tools: [{ type: 'file_search', vector_store_ids: ['vs_1', 'vs_2'], max_num_results: 5 }],
        ...{ tool_choice: 'required', include: ['file_search_call.results'], stream: true, store: false },
      },
      warnings: [],
    });
    const { body, warnings } = bodyOf(toResponsesBody, { ...PLAIN, toolChoice: 'required' });
    expect(body).not.toHaveProperty('tool_choice');
    expect(warnings).toEqual(['There are no tools to choose from; tool_choice was left out.']);
  });
});

describe('Chat Completions', () => {
  test('a plain request', () => {
    expect(bodyOf(toChatBody, PLAIN)).toEqual({
      body: {
        ...{ model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
        ...{ stream: true, stream_options: { include_usage: true } },
      },
      warnings: [],
    });
  });

  const messages = (images: object[]) => [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Where is this?' }, ...images] },
    { role: 'assistant', content: 'Oslo, I think.' },
    { role: 'user', content: 'Weather and time there?' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'call_a', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } },
        {
          id: 'call_b',
          type: 'function',
          function: { name: 'get_time', arguments: '{"city":"Oslo"}' },
          extra_content: { google: { thought_signature: 'c2lnbmVk' } },
        },
      ],
    },
    { role: 'tool', tool_call_id: 'call_b', content: 'noon' },
    { role: 'tool', tool_call_id: 'call_a', content: '{"celsius":3}' },
    { role: 'system', content: 'Answer in JSON.' },
  ];
  const inline = { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } };
  const linked = { type: 'image_url', image_url: { url: 'https://a.example/b.png' } };
  const settings = {
    temperature: 0,
    top_p: 0.9,
    max_tokens: 512,
    reasoning_effort: 'high',
    response_format: { type: 'json_schema', json_schema: { name: 'report', ...toOpenaiFormat(REPORT) } },
    tools: [
      {
        type: 'function',
        function: { name: 'get_weather', description: 'The weather of a city.', parameters: CITY },
      },
      { type: 'function', function: { name: 'get_time', parameters: CITY } },
    ],
    tool_choice: { type: 'function', function: { name: 'get_weather' } },
    stream: true,
    stream_options: { include_usage: true },
  };

  test('everything', () => {
    expect(bodyOf(toChatBody, EVERYTHING)).toEqual({
      body: { model: 'm', messages: messages([inline, linked]), ...settings, verbosity: 'low' },
      warnings: ['Chat Completions has no file search (vector_store_id); it was left out.'],
    });
  });

  test('everything, for Vertex AI', () => {
    const request = { ...EVERYTHING, model: 'google/gemini-2.5-pro' };
    expect(bodyOf(toVertexBody, request)).toEqual({
      body: {
        model: 'google/gemini-2.5-pro',
        messages: messages([inline, { type: 'text', text: '[an image]' }]),
        ...settings,
      },
      warnings: [
        'Chat Completions has no file search (vector_store_id); it was left out.',
        'Vertex AI has no verbosity; it was left out.',
        'Vertex AI takes images as data: URLs only; the others were left out.',
      ],
    });
  });

  test('a plain request, and the most reasoning, for Vertex AI', () => {
    expect(bodyOf(toVertexBody, PLAIN)).toEqual({ body: toChatBody(PLAIN).body, warnings: [] });
    expect(bodyOf(toVertexBody, { ...PLAIN, reasoningEffort: 'xhigh' })).toEqual({
      body: { ...toChatBody(PLAIN).body, reasoning_effort: 'high' },
      warnings: ['Vertex AI knows no more than high reasoning effort; high was asked for.'],
    });
  });

  test.each(['auto', 'none', 'required'] as const)('the choice %s', (toolChoice) => {
    const { body } = bodyOf(toChatBody, { ...PLAIN, tools: [CLOCK], toolChoice });
    expect(body.tool_choice).toBe(toolChoice);
    expect(bodyOf(toChatBody, { ...PLAIN, toolChoice })).toEqual({
      body: toChatBody(PLAIN).body,
      warnings: ['There are no tools to choose from; tool_choice was left out.'],
    });
  });
});

describe('Gemini', () => {
  test('a plain request', () => {
    expect(bodyOf(toGeminiBody, PLAIN)).toEqual({
      body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
      warnings: [],
    });
  });

  test('everything', () => {
    expect(bodyOf(toGeminiBody, { ...EVERYTHING, model: 'gemini-2.5-flash' })).toEqual({
      body: {
        systemInstruction: { role: 'system', parts: [{ text: 'Be brief.\n\nAnswer in JSON.' }] },
        contents: [
          {
            role: 'user',
            parts: [
              { text: 'Where is this?' },
              { inlineData: { mimeType: 'image/png', data: PIXEL } },
              { text: '[an image]' },
            ],
          },
          { role: 'model', parts: [{ text: 'Oslo, I think.' }] },
          { role: 'user', parts: [{ text: 'Weather and time there?' }] },
          {
            role: 'model',
            parts: [
              { functionCall: { id: 'call_a', name: 'get_weather', args: { city: 'Oslo' } } },
              {
                functionCall: { id: 'call_b', name: 'get_time', args: { city: 'Oslo' } },
                thoughtSignature: 'c2lnbmVk',
              },
            ],
          },
          {
            role: 'user',
            parts: [
              { functionResponse: { id: 'call_a', name: 'get_weather', response: { celsius: 3 } } },
              { functionResponse: { id: 'call_b', name: 'get_time', response: { output: 'noon' } } },
            ],
          },
        ],
        generationConfig: {
          temperature: 0,
          topP: 0.9,
          maxOutputTokens: 512,
          responseMimeType: 'application/json',
          responseJsonSchema: toGeminiSchema(REPORT),
          thinkingConfig: { thinkingBudget: 24_576 },
        },
        tools: [
          {
            functionDeclarations: [
              {
                name: 'get_weather',
                description: 'The weather of a city.',
                parametersJsonSchema: toGeminiSchema(CITY),
              },
              { name: 'get_time', parametersJsonSchema: toGeminiSchema(CITY) },
            ],
          },
        ],
        toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['get_weather'] } },
      },
      warnings: [
        'Gemini takes images as data: URLs with base64 only; the others were left out.',
        'Gemini has no verbosity; it was left out.',
        'Gemini has no file search (vector_store_id); it was left out.',
      ],
    });
  });

  test('a call that it gave no id is given back without one', () => {
    const messages: LlmMessage[] = [
      { role: 'assistant', content: '', toolCalls: [{ id: 'unnamed-call-1', name: 'f', arguments: '{}' }] },
      { role: 'tool', toolCallId: 'unnamed-call-1', content: '[1]' },
    ];
    expect(bodyOf(toGeminiBody, { model: 'm', messages }).body.contents).toEqual([
      { role: 'model', parts: [{ functionCall: { name: 'f', args: {} } }] },
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: { output: '[1]' } } }] },
    ]);
  });

  test.each([['{"a":'], ['[1]'], ['null'], ['"x"'], ['']])('arguments %j are a warning, not a throw', (json) => {
    const messages: LlmMessage[] = [
      { role: 'assistant', content: '', toolCalls: [{ id: 'c', name: 'f', arguments: json }] },
    ];
    const { body, warnings } = bodyOf(toGeminiBody, { model: 'm', messages });
    expect(body.contents[0]?.parts).toEqual([{ functionCall: { id: 'c', name: 'f', args: {} } }]);
    expect(warnings).toEqual([
      'The arguments of a call of f are no JSON object; Gemini was told that there were none.',
    ]);
  });

  test('the result of a call that nobody made is shown as text', () => {
    const messages: LlmMessage[] = [{ role: 'tool', toolCallId: 'x', content: 'noon' }];
    expect(bodyOf(toGeminiBody, { model: 'm', messages })).toEqual({
      body: { contents: [{ role: 'user', parts: [{ text: 'noon' }] }] },
      warnings: ['A tool message answers no call of the turn before it; Gemini was shown it as text.'],
    });
  });

  test.each([
    ['data:image/jpeg;base64,/9j/4AA=', { mimeType: 'image/jpeg', data: '/9j/4AA=' }],
    ['DATA:image/svg+xml;charset=utf-8;base64,PHN2Zz4=', { mimeType: 'image/svg+xml', data: 'PHN2Zz4=' }],
    ['data:image/svg+xml,<svg/>', undefined],
    ['data:;base64,AA==', undefined],
    ['gs://bucket/a.png', undefined],
    ['', undefined],
  ])('an image at %s', (url, inlineData) => {
    const messages: LlmMessage[] = [{ role: 'user', content: [{ type: 'image', url }] }];
    const { body, warnings } = bodyOf(toGeminiBody, { model: 'm', messages });
    expect(body.contents[0]?.parts).toEqual([inlineData ? { inlineData } : { text: '[an image]' }]);
    expect(warnings).toHaveLength(inlineData ? 0 : 1);
  });

  test.each([
    ['auto', { mode: 'AUTO' }],
    ['none', { mode: 'NONE' }],
    ['required', { mode: 'ANY' }],
  ] as const)('the choice %s', (toolChoice, functionCallingConfig) => {
    const { body } = bodyOf(toGeminiBody, { ...PLAIN, tools: [CLOCK], toolChoice });
    expect(body.toolConfig).toEqual({ functionCallingConfig });
    expect(bodyOf(toGeminiBody, { ...PLAIN, toolChoice })).toEqual({
      body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
      warnings: ['There are no tools to choose from; tool_choice was left out.'],
    });
  });

  test.each<[string, ReasoningEffort, object | undefined, boolean]>([
    ['gemini-2.5-flash', 'none', { thinkingBudget: 0 }, true],
    ['gemini-2.5-flash', 'minimal', { thinkingBudget: 1_024 }, true],
    ['gemini-2.5-flash-lite', 'medium', { thinkingBudget: 8_192 }, true],
    ['gemini-2.5-flash', 'xhigh', { thinkingBudget: 24_576 }, false],
    ['gemini-2.5-pro', 'low', { thinkingBudget: 1_024 }, true],
    ['gemini-2.5-pro', 'none', { thinkingBudget: 128 }, false],
    ['gemini-2.5-pro', 'xhigh', { thinkingBudget: 32_768 }, true],
    ['gemini-3.5-flash', 'minimal', { thinkingLevel: 'MINIMAL' }, true],
    ['gemini-3.5-flash', 'none', { thinkingLevel: 'MINIMAL' }, false],
    ['gemini-3.8-flash', 'medium', { thinkingLevel: 'MEDIUM' }, true],
    ['gemini-3.8-flash', 'xhigh', { thinkingLevel: 'HIGH' }, false],
    ['gemini-3.1-pro-preview', 'low', { thinkingLevel: 'LOW' }, true],
    ['gemini-3.1-pro-preview', 'minimal', { thinkingLevel: 'LOW' }, false],
    ['gemini-2.0-flash', 'low', undefined, false],
  ])('%s with effort %s', (model, reasoningEffort, thinkingConfig, isExact) => {
    const { body, warnings } = bodyOf(toGeminiBody, { ...PLAIN, model, reasoningEffort });
    expect(body.generationConfig).toEqual(thinkingConfig && { thinkingConfig });
    expect(warnings).toHaveLength(isExact ? 0 : 1);
  });
});

test('a transformer that does not know how is a failure of its own class', () => {
  const transform = () => {
    throw new TypeError('a secret prompt');
  };
  expect(() => transformed(transform, PLAIN)).toThrow(
    expect.objectContaining({
      code: 'transformation_failed',
      message: 'The request cannot be put into the words of this provider.',
    }),
  );
});
