/** Is an answer what was asked for? By a user's JSON Schema through Ajv, by a program's zod schema through zod itself. */
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { invalidRequest, ServiceError } from '../../core/errors.ts';
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { compileSchema } from './compiled-schema.ts';
import { checkSchema } from './schema-rules.ts';
import { measureSchema } from './schema-size.ts';
import { issueViolations, violationSentence } from './violations.ts';

/** What became of a value: what is kept of it, or a sentence about the first few places where it is wrong. */
export type Validated = { value: Json } | { violation: string };

/** Says whether a parsed answer is one. */
export type Validate = (value: unknown) => Promise<Validated>;

/** What an answer must be, for the provider and for us. */
export type StructuredOutput = {
  /** What the model is asked for. */
  jsonSchema: JsonObject;
  validate: Validate;
};

/** Deeper answers are refused before anything recursive looks at them. */
export const ANSWER_LEVELS_MOST = 100;

type Validator = (value: unknown) => string | undefined;

/** A compiled schema takes about seven times its JSON of heap, before its code runs. */
const CACHED_MOST = 200;
const CACHED_CHARS_MOST = 1_000_000;
const validators = new LRUCache<string, Promise<Validator>>({ max: CACHED_MOST, maxSize: CACHED_CHARS_MOST });

/**
 * What checks values against a user's JSON Schema: it answers the first few violations as one sentence, or nothing. Takes
 * a bounded time and little stack, whatever the value. Throws `invalid_request` for a schema that `checkSchema` refuses.
 */
export async function validatorFor(schema: JsonObject): Promise<Validator> {
  const tooMuch = measureSchema(schema);
  if (tooMuch) throw invalidRequest([tooMuch]);
  const key = JSON.stringify(schema);
  const cached = validators.get(key);
  if (cached) return cached;
  // Of a copy: the caller's may change while the engines are loaded.
  const made = makeValidator(JSON.parse(key));
  validators.set(key, made, { size: key.length });
  made.catch(() => validators.delete(key));
  return made;
}

async function makeValidator(schema: JsonObject): Promise<Validator> {
  const issues = await checkSchema(schema);
  if (issues.length > 0) throw invalidRequest(issues);
  const { violations } = await compileSchema(schema);
  return (value) => {
    if (isTooDeep(value)) return TOO_DEEP;
    const found = violations(value as Json);
    return found.length === 0 ? undefined : violationSentence(found);
  };
}

/**
 * What checks answers against a JSON Schema, or a zod schema (version 4). zod's value is what zod made of it (defaults,
 * transforms), as JSON holds it. Throws `invalid_request` for a schema that cannot be used, naming the type that JSON
 * Schema has no word for.
 */
export async function validatorOf(schema: z.ZodType | JsonObject): Promise<StructuredOutput> {
  if (!isZod(schema)) {
    const violationOf = await validatorFor(schema);
    return {
      jsonSchema: schema,
      async validate(value) {
        const violation = violationOf(value);
        return violation === undefined ? { value: value as Json } : { violation };
      },
    };
  }
  const jsonSchema = await jsonSchemaOf(schema);
  const issues = await checkSchema(jsonSchema);
  if (issues.length > 0) throw invalidRequest(issues);
  return { jsonSchema, validate: (value) => parsedBy(schema, value) };
}

/** Is this a zod schema, of whichever of zod's builds? */
export function isZod(schema: unknown): schema is z.ZodType {
  if (typeof schema !== 'object' || schema === null) return false;
  return '_zod' in schema && 'safeParseAsync' in schema;
}

/** What a model has to write, which may differ from what zod makes of it. */
async function jsonSchemaOf(schema: z.ZodType): Promise<JsonObject> {
  const { toJSONSchema } = await import('zod');
  try {
    // zod's own type has functions in it, for those who extend it.
    return JSON.parse(JSON.stringify(toJSONSchema(schema, { io: 'input' })));
  } catch (error) {
    const said = error instanceof Error ? error.message : '';
    const sentence = `The zod schema cannot be expressed as a JSON Schema: ${said}.`.replace('..', '.');
    throw new ServiceError('invalid_request', sentence, { cause: error });
  }
}

async function parsedBy(schema: z.ZodType, value: unknown): Promise<Validated> {
  if (isTooDeep(value)) return { violation: TOO_DEEP };
  const parsed = await schema.safeParseAsync(value);
  if (!parsed.success) return { violation: violationSentence(issueViolations(parsed.error.issues)) };
  let json: string | undefined;
  try {
    json = JSON.stringify(parsed.data);
  } catch (error) {
    throw new ServiceError('invalid_request', UNSTORABLE, { cause: error });
  }
  if (json === undefined) throw new ServiceError('invalid_request', UNSTORABLE);
  return { value: JSON.parse(json) };
}

const UNSTORABLE = 'What the zod schema makes of an answer must be JSON.';
const TOO_DEEP = `the answer is nested more than ${ANSWER_LEVELS_MOST} levels deep`;

function isTooDeep(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > ANSWER_LEVELS_MOST) return true;
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return false;
}
