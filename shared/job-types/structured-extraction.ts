/** `structured_extraction`: a text's summary, sentiment, tags and entities as JSON that was checked (seed 002). */
import { z } from 'zod';
import type { Json } from '../core/job.ts';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import type { JsonObject } from '../core/llm.ts';
import { DEFAULT_RETENTION_MS } from '../core/retention.ts';
import { DEFAULT_RETRY } from '../core/retry.ts';
import { renderBesides, toJson, usable } from '../llm/response.ts';
import { validatorOf } from '../llm/structured/validator.ts';
import { conversation, fields } from './fields.ts';
import type { JobTypeDefinition } from './job-type.ts';

const inputSchema = fields({
  text: z.string().min(1, { error: 'must not be empty' }),
  extended: z.boolean().describe('Also `language` and `toxicity_score`.').optional(),
});

export type ExtractionInput = z.infer<typeof inputSchema>;

/** What the text is found to say; the last two where the input is `extended`. */
type Extraction = {
  summary: string;
  sentiment: string;
  tags: string[];
  entities: { type: string; value: string; confidence: number }[];
  language?: string;
  toxicity_score?: number;
};

const SYSTEM_PROMPT =
  'You are a precise information extraction assistant. Return ONLY a compact JSON object following the schema provided, no prose.';

const ASKED = [
  'summary: brief summary (<=40 words)',
  'sentiment: one of ["positive","neutral","negative"]',
  'tags: array of 1-5 short tags',
  'entities: array of objects {type, value, confidence (0..1)}',
];
const ASKED_BESIDES = [
  'language: ISO 639-1 code of the language that the text is written in',
  'toxicity_score: how toxic the text is (0..1)',
];

const SHARE = { type: 'number', minimum: 0, maximum: 1 };
const PROPERTIES = {
  summary: { type: 'string' },
  sentiment: { type: 'string', enum: ['positive', 'neutral', 'negative'] },
  tags: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 5 },
  entities: {
    type: 'array',
    items: closed({ type: { type: 'string' }, value: { type: 'string' }, confidence: SHARE }),
  },
};
const PLAIN_SCHEMA = closed(PROPERTIES);
const EXTENDED_SCHEMA = closed({ ...PROPERTIES, language: { type: 'string' }, toxicity_score: SHARE });

export const structuredExtraction: JobTypeDefinition = {
  name: 'structured_extraction',
  inputSchema,
  limits: { ...DEFAULT_LIMITS, attemptTimeoutMs: 180_000 },
  // In place, so that each comes to the second.
  retry: { ...DEFAULT_RETRY, pausesMs: [5_000, 10_000, 20_000], jitter: 'none', waitInPlaceMostMs: 60_000 },
  retentionMs: DEFAULT_RETENTION_MS,
  stages: { begin: ['calling_llm'], answered: 'validating' },
  repairsMost: () => 1,
  cached: extractionText,

  toRequest(input, { model }) {
    const { text, extended } = input as ExtractionInput;
    const asked = extended ? [...ASKED, ...ASKED_BESIDES] : ASKED;
    const prompt = `Read the text and produce JSON with keys:\n${asked.join('\n')}\n\nText:\n"""${text}"""`;
    const responseSchema = { name: 'extraction', schema: schemaOf(input) };
    return { model, messages: conversation(SYSTEM_PROMPT, prompt), responseSchema };
  },

  async toResult(answer, input) {
    const { validate } = await validatorOf(schemaOf(input));
    const checked = await usable(answer, validate);
    if ('violation' in checked) return checked;
    // No function was offered.
    if (checked.parsed === undefined) return { violation: 'the answer calls a function' };
    return { result: toJson({ success: true, result: checked.parsed, ...renderBesides(checked) }) };
  },
};

/** What was found, as JSON, with its fields in the document's order, whatever order the model and the store have. */
export function extractionText(result: Json): string {
  const { summary, sentiment, tags, entities, language, toxicity_score } = (result as { result: Extraction }).result;
  return JSON.stringify({
    ...{ summary, sentiment, tags },
    entities: entities.map(({ type, value, confidence }) => ({ type, value, confidence })),
    ...{ language, toxicity_score },
  });
}

function schemaOf(input: Json): JsonObject {
  return (input as ExtractionInput).extended ? EXTENDED_SCHEMA : PLAIN_SCHEMA;
}

/** An object of these properties, all of them: what the strict modes of all vendors take. */
function closed(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}
