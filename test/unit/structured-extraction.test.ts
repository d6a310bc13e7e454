/** The job type of seed 002: what the model is asked, what counts as an answer, what is tried again and when. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { JobModel, Json } from '../../shared/core/job.ts';
import type { JsonObject, LlmPart } from '../../shared/core/llm.ts';
import { structuredExtraction } from '../../shared/job-types/structured-extraction.ts';
import { toAnthropicSchema, toGeminiSchema, toOpenaiFormat } from '../../shared/llm/structured/dialects.ts';
import { toGeminiBody } from '../../shared/llm/transformers/gemini.ts';
import { toResponsesBody } from '../../shared/llm/transformers/openai.ts';
import { ADA, type CoreWorld, coreWorld, FINISH, type Generate } from '../support/core-world.ts';
import { warmExtraction } from '../support/extraction.ts';

beforeAll(warmExtraction);

const MODEL: JobModel = { id: 'x', name: 'GPT-4o mini', provider: 'openai', model: 'gpt-4o-mini' };
const TEXT = 'I loved the clinic. Dr. Rao was kind. Waiting time was 10 minutes.';
const FOUND = {
  summary: 'A kind doctor.',
  sentiment: 'positive',
  tags: ['clinic', 'experience'],
  entities: [{ type: 'person', value: 'Dr. Rao', confidence: 0.94 }],
};
const BESIDES = { language: 'en', toxicity_score: 0 };

const requestOf = (input: Json) => structuredExtraction.toRequest(input, MODEL);
const schemaOf = (input: Json) => requestOf(input).responseSchema?.schema as JsonObject;

describe('the model is asked', () => {
  test("in the document's words", () => {
    const { model, messages } = requestOf({ text: TEXT });
    expect(model).toBe('gpt-4o-mini');
    expect(messages).toEqual([
      {
        role: 'system',
        content:
          'You are a precise information extraction assistant. Return ONLY a compact JSON object following the schema provided, no prose.',
      },
      {
        role: 'user',
        content: `Read the text and produce JSON with keys:
summary: brief summary (<=40 words)
sentiment: one of ["positive","neutral","negative"]
tags: array of 1-5 short tags
entities: array of objects {type, value, confidence (0..1)}

Text:
"""${TEXT}"""`,
      },
    ]);
  });

  test('for two fields more where they are wanted', () => {
    const [, plain] = requestOf({ text: TEXT, extended: false }).messages;
    const [, extended] = requestOf({ text: TEXT, extended: true }).messages;
    expect(plain?.content).not.toMatch(/language|toxicity/);
    expect(extended?.content).toMatch(/\nlanguage: .*\ntoxicity_score: .*\(0\.\.1\)\n\nText:/);
    expect(Object.keys(schemaOf({ text: TEXT }).properties ?? {})).toEqual(Object.keys(FOUND));
    expect(Object.keys(schemaOf({ text: TEXT, extended: true }).properties ?? {})).toEqual(
      Object.keys({ ...FOUND, ...BESIDES }),
    );
  });

  test.each([{ text: TEXT }, { text: TEXT, extended: true }])('in a schema that strict modes take: %j', (input) => {
    const schema = schemaOf(input);
    expect(toOpenaiFormat(schema)).toEqual({ schema, strict: true });
    expect(toGeminiSchema(schema)).toEqual(schema);
    const openai = toResponsesBody(requestOf(input)).body;
    expect(openai.text).toEqual({ format: { type: 'json_schema', name: 'extraction', schema, strict: true } });
    const gemini = toGeminiBody({ ...requestOf(input), model: 'gemini-2.5-flash' }).body;
    expect(gemini.generationConfig).toEqual({ responseMimeType: 'application/json', responseJsonSchema: schema });
    // Anthropic knows no bounds; the answer is checked by ours.
    const said = JSON.stringify(toAnthropicSchema(schema));
    expect(said).not.toMatch(/maxItems|minimum|maximum/);
    expect(JSON.parse(said)).toMatchObject({ type: 'object', required: schema.required, additionalProperties: false });
  });
});

describe('an answer', () => {
  const checked = (value: unknown, input: Json = { text: TEXT }) =>
    structuredExtraction.toResult(
      {
        ...{ text: typeof value === 'string' ? value : JSON.stringify(value), finishReason: 'stop', toolCalls: [] },
        ...{ fileSearchResults: [], warnings: [] },
      },
      input,
    );

  test('of the schema is the result', async () => {
    expect(await checked(FOUND)).toEqual({ result: { success: true, result: FOUND } });
    const extended = { ...FOUND, ...BESIDES };
    expect(await checked(extended, { text: TEXT, extended: true })).toEqual({
      result: { success: true, result: extended },
    });
    const none = { ...FOUND, entities: [], summary: '' };
    expect(await checked(none)).toEqual({ result: { success: true, result: none } });
  });

  test('whose syntax was mended says so', async () => {
    expect(await checked(`\`\`\`json\n${JSON.stringify(FOUND)}\n\`\`\``)).toEqual({
      result: { success: true, result: FOUND, warnings: [expect.stringContaining('repaired')] },
    });
  });

  test.each<[string, object | string]>([
    ['sentiment', { ...FOUND, sentiment: 'mixed' }],
    ['tags', { ...FOUND, tags: [] }],
    ['tags', { ...FOUND, tags: ['1', '2', '3', '4', '5', '6'] }],
    ['tags', { ...FOUND, tags: 'clinic' }],
    ['summary', { ...FOUND, summary: null }],
    ['confidence', { ...FOUND, entities: [{ type: 'a', value: 'b', confidence: 1.01 }] }],
    ['confidence', { ...FOUND, entities: [{ type: 'a', value: 'b', confidence: -0.1 }] }],
    ['confidence', { ...FOUND, entities: [{ type: 'a', value: 'b' }] }],
    ['language', { ...FOUND, ...BESIDES }],
    ['entities', { summary: 's', sentiment: 'neutral', tags: ['a'] }],
    ['JSON', 'I am sorry.'],
  ])('with a wrong %s is refused: %j', async (where, value) => {
    expect(await checked(value)).toEqual({ violation: expect.stringContaining(where) });
  });

  test.each([{}, { language: 'en' }, { ...BESIDES, toxicity_score: 1.5 }])(
    'of an extended input with %j is refused',
    async (besides) => {
      expect(await checked({ ...FOUND, ...besides }, { text: TEXT, extended: true })).toEqual({
        violation: expect.stringMatching(/language|toxicity_score/),
      });
    },
  );
});

describe('a job', () => {
  let world: CoreWorld;
  afterEach(() => world.close());

  /** Runs one, and answers it with when its calls were made, from its start. */
  async function run(generate: Generate) {
    const calledAtMs: number[] = [];
    world = coreWorld((request, signal, call) => {
      calledAtMs.push(world.clock.nowMs());
      return generate(request, signal, call);
    });
    const submission = { jobType: 'structured_extraction', model: 'simulated', input: { text: TEXT } };
    const { job } = await world.service.submit(ADA, submission);
    await world.clock.until(world.run(job));
    const ended = await world.read(job);
    return { job: ended, called: calledAtMs.map((ms) => ms - (calledAtMs[0] ?? 0)) };
  }

  async function* found(): AsyncIterable<LlmPart> {
    yield { type: 'accepted' };
    yield { type: 'text-delta', text: JSON.stringify(FOUND) };
    yield FINISH;
  }

  async function* unavailable(): AsyncIterable<LlmPart> {
    yield { type: 'activity' };
    throw new ServiceError('network', 'The connection was cut.');
  }

  test('is tried again after exactly 5, 10 and 20 s, under one lease', async () => {
    const { job, called } = await run((_, __, call) => (call < 4 ? unavailable() : found()));
    expect(called).toEqual([0, 5_000, 15_000, 35_000]);
    expect([job.state, job.attempts.map(({ outcome }) => outcome)]).toEqual([
      'completed',
      ['failed', 'failed', 'failed', 'completed'],
    ]);
    expect(world.lines.join()).not.toContain('job-handed-back');
  });

  test('fails after the fourth failure', async () => {
    const { job, called } = await run(() => unavailable());
    expect(called).toHaveLength(4);
    expect(job).toMatchObject({ state: 'failed', error: { code: 'network' } });
  });

  test('has 180 s for each attempt', async () => {
    const hang: Generate = async function* (_, signal) {
      yield { type: 'accepted' };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    };
    const { job, called } = await run((request, signal, call) => (call === 1 ? hang(request, signal, call) : found()));
    expect(called).toEqual([0, 185_000]);
    expect(job.attempts.map(({ errorCode }) => errorCode)).toEqual(['attempt_timeout', undefined]);
  });

  test('whose answer is of another shape is mended once, by the model, without a pause', async () => {
    async function* wrong(): AsyncIterable<LlmPart> {
      yield { type: 'accepted' };
      yield { type: 'text-delta', text: '{"summary":"No more."}' };
      yield FINISH;
    }
    const mended = await run((_, __, call) => (call === 1 ? wrong() : found()));
    expect([mended.job.state, mended.called]).toEqual(['completed', [0, 0]]);
    world.close();
    const failed = await run(() => wrong());
    expect(failed.called).toEqual([0, 0]);
    expect(failed.job).toMatchObject({ state: 'failed', error: { code: 'schema_violation' } });
  });
});

test('what is cached is the bare object as JSON, in the order of the document', () => {
  const entities = [{ confidence: 0.94, value: 'Dr. Rao', type: 'person' }];
  const result = { entities, tags: ['clinic'], sentiment: 'positive', summary: 'Kind.', toxicity_score: 0 };
  expect(structuredExtraction.cached?.({ success: true, result })).toBe(
    '{"summary":"Kind.","sentiment":"positive","tags":["clinic"],"entities":[{"type":"person","value":"Dr. Rao","confidence":0.94}],"toxicity_score":0}',
  );
});
