/** Q04: what makes two jobs equal. Whatever an answer may depend on makes a difference; nothing else does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AddressOf, answerKey } from '../../shared/core/answer-key.ts';
import type { Job, JobModel, Json } from '../../shared/core/job.ts';
import type { LlmRequest } from '../../shared/core/llm.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import {
  type ProviderSettings,
  providerAddresses,
  registerProvider,
  registerSpecs,
  registerTransformer,
} from '../../shared/llm/provider-registry.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { NO_PROVIDERS } from '../support/core-world.ts';
import { EVERYTHING } from '../support/llm-requests.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const MODEL: JobModel = { id: crypto.randomUUID(), name: 'M', provider: 'openai', model: 'm' };
const OTHER: JobModel = { ...MODEL, model: 'other' };
const JOB = sampleJob({ tenant: 'default', model: MODEL, jobType: 'general_llm_request' });
const EQUAL: Json = { prompt: 'equal' };
const nowhere: AddressOf = () => undefined;
/** What is asked is what is sent. */
const asIs = { toRequest: (input: Json) => input as unknown as LlmRequest };

const keyOf = async (over: Partial<Job> = {}, input: Json = EQUAL, addressOf = nowhere) =>
  (await answerKey({ ...JOB, ...over }, input, generalLlmRequest, addressOf)).key;
const keyOfRequest = async (request: unknown) => (await answerKey(JOB, request as Json, asIs, nowhere)).key;

/** The value with each of its leaves, fields and items changed or left out, one at a time. */
function* variants(value: unknown): Generator<[path: string, changed: unknown]> {
  if (value === null || typeof value !== 'object') {
    yield ['', typeof value === 'number' ? value + 0.125 : `${value}x`];
    return;
  }
  const rebuilt = (key: string, item: unknown) => {
    if (!Array.isArray(value)) return { ...value, [key]: item };
    return item === undefined ? value.toSpliced(Number(key), 1) : value.with(Number(key), item);
  };
  for (const [key, item] of Object.entries(value)) {
    yield [`${key} left out`, rebuilt(key, undefined)];
    for (const [path, changed] of variants(item)) yield [`${key}.${path}`, rebuilt(key, changed)];
  }
  if (Array.isArray(value) && value.length > 1) yield ['the other way round', value.toReversed()];
}

describe('what makes another answer of it', () => {
  test('the tenant', async () => {
    expect(await keyOf({ tenant: 'other' })).not.toBe(await keyOf());
    expect((await answerKey({ ...JOB, tenant: 'other' }, EQUAL, generalLlmRequest, nowhere)).tenant).toBe('other');
  });

  const route = (model: JobModel) => ({ model });
  test.each<[string, Partial<Job>]>([
    ['the job type', { jobType: 'review_colab' }],
    ['the model', { model: OTHER }],
    ['the provider', { model: { ...MODEL, provider: 'gemini' } }],
    ['the arm', { arm: 'tone/b' }],
    ['another arm', { arm: 'tone/a' }],
    ['what it may cost', { nanoUsdMost: 5 }],
    ['that it may cost nothing', { nanoUsdMost: 0 }],
    ['that it is made in the background', { background: true }],
    ['a fallback', { fallbacks: [route(OTHER)] }],
    ['another fallback', { fallbacks: [route({ ...OTHER, provider: 'gemini' })] }],
    ['two fallbacks', { fallbacks: [route(OTHER), route({ ...OTHER, provider: 'gemini' })] }],
    ['their order', { fallbacks: [route({ ...OTHER, provider: 'gemini' }), route(OTHER)] }],
  ])('%s', async (_, over) => {
    expect(await keyOf(over)).not.toBe(await keyOf());
  });

  test('all of these from each other', async () => {
    const fallbacks = [[OTHER], [OTHER, { ...OTHER, provider: 'gemini' }], [{ ...OTHER, provider: 'gemini' }, OTHER]];
    const jobs: Partial<Job>[] = [
      ...fallbacks.map((models) => ({ fallbacks: models.map(route) })),
      ...[{ arm: 'a' }, { arm: 'b' }, { nanoUsdMost: 0 }, { nanoUsdMost: 1 }, { model: OTHER }, {}],
      { background: true },
    ];
    expect(new Set(await Promise.all(jobs.map((job) => keyOf(job)))).size).toBe(jobs.length);
  });

  test('where the provider is, also that of a fallback', async () => {
    const at =
      (places: { [provider: string]: string }): AddressOf =>
      (provider) =>
        places[provider];
    const job = { fallbacks: [route({ ...OTHER, provider: 'gemini' })] };
    const keys = await Promise.all([
      keyOf(job),
      keyOf(job, EQUAL, at({ openai: 'http://a' })),
      keyOf(job, EQUAL, at({ openai: 'http://b' })),
      keyOf(job, EQUAL, at({ gemini: 'http://a' })),
    ]);
    expect(new Set(keys).size).toBe(keys.length);
  });

  const changed = [...variants(EVERYTHING)];
  test.each(changed)('in the request: %s', async (_, request) => {
    expect(await keyOfRequest(request)).not.toBe(await keyOfRequest(EVERYTHING));
  });
  test('that was every field of a request', () => {
    const fields = Object.keys(EVERYTHING).sort();
    const all: Record<keyof LlmRequest, 1> = {
      ...{ model: 1, messages: 1, temperature: 1, topP: 1, maxOutputTokens: 1, reasoningEffort: 1, verbosity: 1 },
      ...{ fileSearch: 1, tools: 1, toolChoice: 1, responseSchema: 1 },
    };
    expect(fields).toEqual(Object.keys(all).sort());
    expect(changed.length).toBeGreaterThan(80);
  });

  test.each<[string, object]>([
    ['temperature', { temperature: 0 }],
    ['top_p', { top_p: 0.5 }],
    ['max_tokens', { max_tokens: 10 }],
    ['reasoning', { reasoning: { effort: 'low' } }],
    ['text', { text: { verbosity: 'low' } }],
    ['vector_store_id', { vector_store_id: 'vs_1' }],
    ['max_num_results', { vector_store_id: 'vs_1', max_num_results: 7 }],
    ['response_schema', { response_schema: { type: 'object' } }],
    ['max_repairs, which is not sent', { max_repairs: 0 }],
    ['another prompt', { prompt: 'Equal' }],
    ['a space in it', { prompt: 'equal ' }],
  ])('in the input: %s', async (_, more) => {
    expect(await keyOf({}, { ...(EQUAL as object), ...more })).not.toBe(await keyOf());
  });
});

test('neither who submits, nor when, nor what only its owner reads, makes a difference; nor the order of fields', async () => {
  const over: Partial<Job> = {
    ...{ id: crypto.randomUUID(), user: 'bob', tags: ['a'], metadata: { a: 'b' }, questionId: 'q', projectId: 'p' },
    ...{ createdAt: 5, cacheMs: 7, stream: true, batchId: 'b', fingerprint: 'f', requestId: 'r', attempt: 0 },
    ...{ limits: { startWithinMs: 1, timeoutMs: 1, attemptTimeoutMs: 1, idleTimeoutMs: 1 }, retentionMs: 5 },
    ...{ callEstimate: { inputTokens: 5, outputTokens: 5, nanoUsd: 5 }, usualMs: 5 },
  };
  expect(await keyOf(over)).toBe(await keyOf());
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([name, item]) => [name, turned(item)]),
    );
  };
  expect(JSON.stringify(turned(EVERYTHING))).not.toBe(JSON.stringify(EVERYTHING));
  expect(await keyOfRequest(turned(EVERYTHING))).toBe(await keyOfRequest(EVERYTHING));
});

test('two different requests never share a key, two equal ones always do', async () => {
  const canonical = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
    if (value === null || typeof value !== 'object') return JSON.stringify(value);
    const entries = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`);
    return `{${entries.sort().join()}}`;
  };
  const request = fc.record(
    {
      model: fc.constantFrom('m', 'n'),
      messages: fc.array(fc.record({ role: fc.constantFrom('user', 'system'), content: fc.string({ maxLength: 3 }) }), {
        maxLength: 2,
      }),
      temperature: fc.constantFrom(0, 1, 0.5),
      tools: fc.array(fc.record({ name: fc.constantFrom('a', 'b'), parameters: fc.jsonValue({ maxDepth: 2 }) }), {
        maxLength: 2,
      }),
      responseSchema: fc.record({ name: fc.constant('answer'), schema: fc.jsonValue({ maxDepth: 3 }) }),
    },
    { requiredKeys: ['model'] },
  );
  await fc.assert(
    fc.asyncProperty(request, request, async (left, right) => {
      const areEqual = canonical(left) === canonical(right);
      expect((await keyOfRequest(left)) === (await keyOfRequest(right))).toBe(areEqual);
      expect(await keyOfRequest(structuredClone(left))).toBe(await keyOfRequest(left));
    }),
    { numRuns: 500 },
  );
});

describe('where providers are', () => {
  const SETTINGS: ProviderSettings = { ...NO_PROVIDERS, clock: virtualClock() };

  test.each<[provider: string, setting: keyof ProviderSettings]>([
    ['openai', 'openaiBaseUrl'],
    ['openai-compatible', 'openaiCompatibleBaseUrl'],
    ['gemini', 'geminiBaseUrl'],
    ['anthropic', 'anthropicBaseUrl'],
    ['vertex', 'vertexProject'],
    ['vertex', 'vertexLocation'],
    ['vertex', 'vertexBaseUrl'],
  ])('%s: another %s is another place', (provider, setting) => {
    const at = (value: string) => providerAddresses({ ...SETTINGS, [setting]: value })(provider);
    expect(new Set([at('a'), at('b'), providerAddresses(SETTINGS)(provider)]).size).toBe(3);
  });

  test('what is registered, or taken back, makes another place of each; what is refused does not', () => {
    const addressOf = providerAddresses(SETTINGS);
    const seen = [addressOf('openai')];
    const load = async () => ({ async *generate() {} });
    const acme = registerProvider('acme', { load, address: () => 'https://acme.example' });
    expect(addressOf('acme')).toContain('https://acme.example');
    const undo = [
      acme,
      registerTransformer('openai', () => ({ body: {}, warnings: [] })),
      registerSpecs([{ modelName: 'x', provider: 'acme', capabilities: {}, parameters: [] }]),
    ];
    seen.push(addressOf('openai'));
    expect(() => registerProvider('acme', { load, address: 'https://acme.example' as never })).toThrow();
    expect(addressOf('openai')).toBe(seen[1]);
    for (const each of undo) each();
    seen.push(addressOf('openai'));
    expect(new Set(seen).size).toBe(3);
  });
});
