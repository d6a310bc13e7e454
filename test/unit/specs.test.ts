/** What each model takes, what it is told to leave out, and how a request is made to fit. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LlmRequest, type ToolChoice, textOf } from '../../shared/core/llm.ts';
import { fitToSpec } from '../../shared/llm/specs/fit-to-spec.ts';
import { type ModelConfig, type ModelSpec, type ParameterSpec, supports } from '../../shared/llm/specs/model-spec.ts';
import { openaiCompatibleSpecs } from '../../shared/llm/specs/openai-compatible.ts';
import { modelSpecs } from '../../shared/llm/specs/registry.ts';
import { validateConfig } from '../../shared/llm/specs/validate-config.ts';

const ALL = [...modelSpecs.list(), ...openaiCompatibleSpecs(['llama3.2'])];

function specOf(modelName: string): ModelSpec {
  const spec = ALL.find((each) => each.modelName === modelName);
  if (!spec) throw new Error(`no spec of ${modelName}`);
  return spec;
}

const TOOL = { name: 'weather', parameters: { type: 'object' } };
const SCHEMA = { name: 'city', schema: { type: 'object', required: ['name'] } };
const REASONS = ['o1', 'o3', 'o4-mini', 'gpt-5', 'gpt-5.1', 'gpt-5.2', 'gpt-5.4', 'gpt-5.5', 'gpt-6-sol', 'gpt-6-luna'];
const effort = (value: string): ModelConfig => ({ reasoning: { effort: value } });
const verbosity = (value: string): ModelConfig => ({ text: { verbosity: value } });

describe("the seed's samples pass", () => {
  test.each<[string, ModelConfig]>([
    ['gpt-4', { temperature: 0.7, max_tokens: 500 }],
    ['gpt-4', { vector_store_id: 'vs_abc123' }],
    ['o1', { reasoning: { effort: 'high' }, text: { verbosity: 'medium' } }],
  ])('%s with %o', (model, config) => {
    expect(validateConfig(specOf(model), config)).toEqual([]);
  });
});

const notTaken = (model: string) => `is not taken by ${model}; leave it out`;
const oneOf = (...values: string[]) => `must be one of: ${values.join(', ')}`;

describe('a model takes', () => {
  test.each<[string, ModelConfig]>([
    ['gpt-4', { temperature: 0, top_p: 0, max_tokens: 16, tools: [TOOL] }],
    ['gpt-4', { temperature: 2, top_p: 1, tools: [], ...verbosity('medium') }],
    ['gpt-4o', { hasImages: true, response_schema: {}, tools: [TOOL], vector_store_id: 'vs' }],
    ['o3', { hasImages: true, response_schema: {}, tools: [TOOL], vector_store_id: 'vs', ...effort('low') }],
    ['gpt-5', { ...effort('minimal'), ...verbosity('low') }],
    ['gpt-5.1', { ...effort('none'), ...verbosity('high') }],
    ['gpt-5.4-nano', effort('xhigh')],
    ['gpt-6-astra', { ...effort('xhigh'), hasImages: true }],
    ['gemini-2.5-flash', { ...effort('none'), temperature: 2, max_tokens: 1, hasImages: true }],
    ['gemini-2.5-pro', { ...effort('minimal'), top_p: 0.5, tools: [TOOL], response_schema: {} }],
    ['gemini-3.8-flash', effort('minimal')],
    ['claude-haiku-4-5', { temperature: 1, max_tokens: 64_000, hasImages: true, tools: [TOOL], response_schema: {} }],
    ['claude-opus-4-5', { top_p: 0, ...effort('high') }],
    ['claude-opus-4-8', { max_tokens: 128_000, ...effort('xhigh') }],
    ['claude-opus-5-5', { temperature: 0, max_tokens: 999_999, ...effort('none') }],
    ['simulated', { temperature: -9, ...effort('none'), ...verbosity('low'), vector_store_id: 'vs', hasImages: true }],
    ['llama3.2', { temperature: 9, max_tokens: 1, ...effort('xhigh'), ...verbosity('low'), hasImages: true }],
    ['llama3.2', { tools: [TOOL], response_schema: {} }],
  ])('%s: %o', (model, config) => {
    expect(validateConfig(specOf(model), config)).toEqual([]);
  });
});

describe('a model refuses', () => {
  test.each<[string, ModelConfig, { [path: string]: string }]>([
    ['gpt-4', { temperature: 2.1 }, { temperature: 'must be a number from 0 to 2' }],
    ['gpt-4', { temperature: Number.NaN }, { temperature: 'must be a number from 0 to 2' }],
    ['gpt-4', { temperature: '1' as unknown as number }, { temperature: 'must be a number from 0 to 2' }],
    [
      'gpt-4',
      { top_p: -0.1, max_tokens: 15 },
      { top_p: 'must be a number from 0 to 1', max_tokens: 'must be a whole number from 16 to 8192' },
    ],
    ['gpt-4', { max_tokens: 20.5 }, { max_tokens: 'must be a whole number from 16 to 8192' }],
    [
      'gpt-4',
      { hasImages: true, response_schema: {} },
      { response_schema: notTaken('gpt-4'), messages: 'must hold no image: gpt-4 cannot see' },
    ],
    [
      'gpt-4',
      { ...effort('low'), ...verbosity('low') },
      { 'reasoning.effort': notTaken('gpt-4'), 'text.verbosity': oneOf('medium') },
    ],
    ['gpt-4.1', verbosity('high'), { 'text.verbosity': oneOf('medium') }],
    [
      'o1',
      { temperature: 1, top_p: 1, ...effort('minimal') },
      { temperature: notTaken('o1'), top_p: notTaken('o1'), 'reasoning.effort': oneOf('low', 'medium', 'high') },
    ],
    ['o1', verbosity('low'), { 'text.verbosity': oneOf('medium') }],
    ['gpt-5', effort('none'), { 'reasoning.effort': oneOf('minimal', 'low', 'medium', 'high') }],
    ['gpt-5.1', effort('minimal'), { 'reasoning.effort': oneOf('none', 'low', 'medium', 'high') }],
    ['gpt-5.1', { temperature: 0.5, ...effort('none') }, { temperature: notTaken('gpt-5.1') }],
    ['gpt-5.2', effort('minimal'), { 'reasoning.effort': oneOf('none', 'low', 'medium', 'high', 'xhigh') }],
    [
      'gemini-2.5-pro',
      { ...effort('none'), ...verbosity('medium') },
      { 'reasoning.effort': oneOf('minimal', 'low', 'medium', 'high'), 'text.verbosity': notTaken('gemini-2.5-pro') },
    ],
    [
      'gemini-2.5-flash',
      { vector_store_id: 'vs', max_tokens: 0 },
      { max_tokens: 'must be a whole number from 1 to 65536', vector_store_id: notTaken('gemini-2.5-flash') },
    ],
    ['gemini-3.1-pro-preview', effort('minimal'), { 'reasoning.effort': oneOf('low', 'medium', 'high') }],
    [
      'llama3.2',
      { vector_store_id: 'vs', max_tokens: 1.5 },
      { max_tokens: 'must be a whole number', vector_store_id: notTaken('llama3.2') },
    ],
    ['claude-haiku-4-5', effort('low'), { 'reasoning.effort': notTaken('claude-haiku-4-5') }],
    [
      'claude-opus-4-5',
      { temperature: 1.1, max_tokens: 64_001, ...effort('xhigh'), ...verbosity('low'), vector_store_id: 'vs' },
      {
        temperature: 'must be a number from 0 to 1',
        max_tokens: 'must be a whole number from 1 to 64000',
        'reasoning.effort': oneOf('none', 'low', 'medium', 'high'),
        'text.verbosity': notTaken('claude-opus-4-5'),
        vector_store_id: notTaken('claude-opus-4-5'),
      },
    ],
    ['claude-3-opus', { temperature: 0.5 }, { temperature: notTaken('claude-opus-4-8, as which claude-3-opus runs,') }],
    ['gpt-3.5-turbo', effort('low'), { 'reasoning.effort': notTaken('gpt-4o-mini, as which gpt-3.5-turbo runs,') }],
  ])('%s: %o', (model, config, issues) => {
    const found = validateConfig(specOf(model), config);
    expect(Object.fromEntries(found.map(({ path, message }) => [path, message]))).toEqual(issues);
  });

  test.each(REASONS)('%s: temperature and top_p', (model) => {
    const paths = validateConfig(specOf(model), { temperature: 1, top_p: 1 }).map(({ path }) => path);
    expect(paths).toEqual(['temperature', 'top_p']);
  });
});

test('what a model can is asked for by name', () => {
  const can = (model: string) =>
    (['vision', 'reasoning', 'verbosity', 'fileSearch', 'tools', 'structuredOutput', 'streaming'] as const).filter(
      (feature) => supports(specOf(model), feature),
    );
  expect(can('gpt-4')).toEqual(['fileSearch', 'tools', 'streaming']);
  expect(can('o1')).toEqual(['vision', 'reasoning', 'fileSearch', 'tools', 'structuredOutput', 'streaming']);
  expect(can('gemini-2.5-flash')).toEqual(['vision', 'reasoning', 'tools', 'structuredOutput', 'streaming']);
  expect(can('simulated')).toHaveLength(7);
});

test('a retired model has what its successor has', () => {
  const retired = ALL.filter(({ runsAs }) => runsAs !== undefined);
  expect(retired.map(({ modelName }) => modelName)).toHaveLength(7);
  for (const { runsAs = '', capabilities, parameters } of retired) {
    expect({ capabilities, parameters }).toEqual({
      capabilities: specOf(runsAs).capabilities,
      parameters: specOf(runsAs).parameters,
    });
  }
});

const HELLO: LlmRequest = { model: 'm', messages: [{ role: 'user', content: 'Hello.' }] };

describe('a request is made to fit', () => {
  test('by leaving out what the model does not take', () => {
    const asked: LlmRequest = { ...HELLO, temperature: 0.5, topP: 1, verbosity: 'medium', reasoningEffort: 'high' };
    const { request, warnings } = fitToSpec(specOf('o1'), asked);
    expect(request).toEqual({ ...HELLO, verbosity: 'medium', reasoningEffort: 'high' });
    expect(warnings).toEqual([
      'temperature was left out: o1 does not take it.',
      'top_p was left out: o1 does not take it.',
    ]);
  });

  test.each<[string, Partial<LlmRequest>, Partial<LlmRequest>, string]>([
    ['gpt-4o', { temperature: 5 }, { temperature: 2 }, 'temperature was set to 2: gpt-4o does not take 5.'],
    ['gpt-4o', { topP: -1 }, { topP: 0 }, 'top_p was set to 0: gpt-4o does not take -1.'],
    ['gpt-4o', { maxOutputTokens: 3 }, { maxOutputTokens: 16 }, 'max_tokens was set to 16: gpt-4o does not take 3.'],
    [
      'gpt-4o',
      { maxOutputTokens: 99.9 },
      { maxOutputTokens: 99 },
      'max_tokens was set to 99: gpt-4o does not take 99.9.',
    ],
    ['gpt-4o', { temperature: Number.NaN }, {}, 'temperature was left out: gpt-4o takes no such value.'],
    [
      'gpt-4o',
      { verbosity: 'low' },
      { verbosity: 'medium' },
      'text.verbosity was set to medium: gpt-4o does not take low.',
    ],
    [
      'o3',
      { reasoningEffort: 'none' },
      { reasoningEffort: 'low' },
      'reasoning.effort was set to low: o3 does not take none.',
    ],
    [
      'o3',
      { reasoningEffort: 'xhigh' },
      { reasoningEffort: 'high' },
      'reasoning.effort was set to high: o3 does not take xhigh.',
    ],
    [
      'gpt-5.1',
      { reasoningEffort: 'minimal' },
      { reasoningEffort: 'none' },
      'reasoning.effort was set to none: gpt-5.1 does not take minimal.',
    ],
    [
      'gemini-2.5-pro',
      { fileSearch: { vectorStoreIds: ['vs'], maxResults: 3 } },
      {},
      'vector_store_id was left out: gemini-2.5-pro searches no files.',
    ],
  ])('%s: %o', (model, asked, left, warning) => {
    expect(fitToSpec(specOf(model), { ...HELLO, ...asked })).toEqual({
      request: { ...HELLO, ...left },
      warnings: [warning],
    });
  });

  test('by telling where an image was', () => {
    const image = { type: 'image', url: 'https://example.com/a.png' } as const;
    const content = [
      { type: 'text', text: 'Compare ' } as const,
      image,
      { type: 'text', text: ' with ' } as const,
      image,
    ];
    const { request, warnings } = fitToSpec(specOf('gpt-4'), { model: 'gpt-4', messages: [{ role: 'user', content }] });
    expect(request.messages.map(textOf)).toEqual(['Compare [an image] with [an image]']);
    expect(configOf(request).hasImages).toBe(false);
    expect(warnings).toEqual(['2 images were replaced by "[an image]": gpt-4 cannot see.']);
  });

  test('by asking for a schema in words', () => {
    const { request, warnings } = fitToSpec(specOf('gpt-4'), { ...HELLO, responseSchema: SCHEMA });
    expect(request.responseSchema).toBeUndefined();
    expect(request.messages.slice(0, -1)).toEqual(HELLO.messages);
    const added = request.messages.at(-1);
    expect(added?.role).toBe('system');
    expect(added?.content).toContain(JSON.stringify(SCHEMA.schema));
    expect(warnings).toEqual(['response_schema was asked for in words: gpt-4 takes no schema.']);
  });

  test('by telling what functions brought, where none can be called', () => {
    const spec: ModelSpec = { ...specOf('gpt-4'), modelName: 'plain', capabilities: {} };
    const call = { id: 'c1', name: 'weather', arguments: '{}' };
    const { request, warnings } = fitToSpec(spec, {
      ...{ model: 'plain', tools: [TOOL], toolChoice: 'auto' },
      messages: [
        { role: 'user', content: 'Weather?' },
        { role: 'assistant', content: '', toolCalls: [call] },
        { role: 'tool', toolCallId: 'c1', content: 'Rain.' },
        { role: 'assistant', content: 'It rains.', toolCalls: [call] },
      ],
    });
    expect(request).toEqual({
      model: 'plain',
      messages: [
        { role: 'user', content: 'Weather?' },
        { role: 'user', content: 'Rain.' },
        { role: 'assistant', content: 'It rains.' },
      ],
    });
    expect(warnings).toEqual([
      'tools were left out: plain calls no functions.',
      'Calls of functions were left out, and their results told as messages: plain calls none.',
    ]);
  });
});

const anyNumber = fc.oneof(fc.double(), fc.integer({ min: -5, max: 40 }), fc.double({ min: -1, max: 3 }));
const orNone = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });
const text = fc.record({ type: fc.constant('text' as const), text: fc.string() });
const image = fc.record({ type: fc.constant('image' as const), url: fc.constant('https://example.com/a.png') });
const call = fc.record({ id: fc.string(), name: fc.string(), arguments: fc.constant('{}') });
const anyMessage: fc.Arbitrary<LlmRequest['messages'][number]> = fc.oneof(
  fc.record({ role: fc.constant('system' as const), content: fc.string() }),
  fc.record({ role: fc.constant('user' as const), content: fc.oneof(fc.string(), fc.array(fc.oneof(text, image))) }),
  fc.record({ role: fc.constant('assistant' as const), content: fc.string(), toolCalls: orNone(fc.array(call)) }),
  fc.record({ role: fc.constant('tool' as const), toolCallId: fc.string(), content: fc.string() }),
);
const anyRequest: fc.Arbitrary<LlmRequest> = fc.record({
  model: fc.constant('m'),
  messages: fc.array(anyMessage),
  temperature: orNone(anyNumber),
  topP: orNone(anyNumber),
  maxOutputTokens: orNone(anyNumber),
  reasoningEffort: orNone(fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh')),
  verbosity: orNone(fc.constantFrom('low', 'medium', 'high')),
  fileSearch: orNone(fc.constant({ vectorStoreIds: ['vs'], maxResults: 1 })),
  tools: orNone(fc.constantFrom([], [TOOL])),
  toolChoice: orNone(fc.constantFrom<ToolChoice>('auto', 'none', { name: 'weather' })),
  responseSchema: orNone(fc.constant(SCHEMA)),
});
const range = fc.tuple(orNone(fc.integer({ min: -3, max: 3 })), orNone(fc.integer({ min: 3, max: 20 })));
/** A spec as somebody may register it. */
const anySpec: fc.Arbitrary<ModelSpec> = fc
  .record({
    capabilities: fc.record({
      supportsVision: fc.boolean(),
      supportsTools: fc.boolean(),
      supportsFileSearch: fc.boolean(),
      supportsStructuredOutput: fc.boolean(),
    }),
    parameters: fc
      .tuple(
        ...(['temperature', 'top_p', 'max_tokens'] as const).map((name) =>
          fc
            .tuple(range, fc.constantFrom('float', 'int'))
            .map(([[minValue, maxValue], type]): ParameterSpec => ({ name, type, minValue, maxValue })),
        ),
        fc
          .subarray(['none', 'minimal', 'low', 'high'], { minLength: 1 })
          .map((allowedValues): ParameterSpec => ({ name: 'reasoning.effort', type: 'enum', allowedValues })),
        fc
          .subarray(['low', 'medium', 'odd'], { minLength: 1 })
          .map((allowedValues): ParameterSpec => ({ name: 'text.verbosity', type: 'enum', allowedValues })),
      )
      .chain((parameters) => fc.subarray(parameters)),
  })
  .map((some) => ({ ...specOf('gpt-4'), ...some }));

test('whatever is asked: what is left fits, is left alone the second time, and each change was told', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...ALL), anySpec), anyRequest, (spec, asked) => {
      const before = structuredClone(asked);
      const { request, warnings } = fitToSpec(spec, asked);
      expect(asked).toEqual(before);
      expect(validateConfig(spec, configOf(request))).toEqual([]);
      expect(fitToSpec(spec, request)).toEqual({ request, warnings: [] });
      expect(request === asked).toBe(warnings.length === 0);
      if (validateConfig(spec, configOf(asked)).length > 0) expect(warnings).not.toEqual([]);
      expect(warnings.every((sentence) => /^\S.*\.$/.test(sentence))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

/** What a request asks, as a configuration. */
function configOf(request: LlmRequest): ModelConfig {
  const { temperature, topP, maxOutputTokens, reasoningEffort, verbosity, fileSearch } = request;
  return {
    ...{ temperature, top_p: topP, max_tokens: maxOutputTokens },
    ...{ reasoning: { effort: reasoningEffort }, text: { verbosity } },
    vector_store_id: fileSearch?.vectorStoreIds.join(','),
    tools: request.tools,
    response_schema: request.responseSchema,
    hasImages: request.messages.some(
      ({ content }) => typeof content !== 'string' && content.some(({ type }) => type === 'image'),
    ),
  };
}
