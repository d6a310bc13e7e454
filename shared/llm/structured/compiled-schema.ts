/**
 * A user's schema as Ajv's code, with a bound on its work. A schema of a few lines can make Ajv look at one value
 * exponentially often (`{ "items": { "$ref": "#" }, "contains": { "$ref": "#" } }`), or note millions of violations.
 */
import type { Ajv2020 as Ajv, ValidateFunction } from 'ajv/dist/2020.js';
import type { FieldError } from '../../core/errors.ts';
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { patternCompiler } from './patterns.ts';
import { isObject, mapSubschemas, type Schema, subschemasOf } from './subschemas.ts';
import { toViolations } from './violations.ts';

export type CompiledSchema = {
  /** What of the value breaks the schema, the first few places; takes a bounded time. */
  violations(value: Json): FieldError[];
};

/** The keyword that counts the work; users' schemas cannot have it. */
const WORK = 'llm-jobs-work';
/** About as many violations are noted at most, of 200 bytes each. */
const WORK_FOR_ALL = 200_000;
/** Less than a second in the worst cases that were tried; the first violation ends it. */
const WORK_FOR_ONE = 10_000_000;
/** Chars of a text times steps of a pattern's program that take as long as a unit of work. */
const PATTERN_STEPS = 2_000;
const CHARS = 32;
/** Each name among these may be a violation of its own. */
const COUNTED = ['required', 'dependentRequired', 'dependencies', 'enum', 'const'];
const NAME_CHARS = 4;

const EXHAUSTED = Symbol('more work than a schema may make');
const UNCHECKABLE: FieldError = {
  path: '',
  message: 'is too large, or too deeply nested, to be checked against this schema',
};

const OPTIONS = {
  // What a keyword that Ajv does not know means, nobody checks; `schemaWarnings` is where that would be said.
  strict: false,
  logger: false,
  validateFormats: false,
  // Otherwise `required: ["constructor"]` is satisfied by every object.
  ownProperties: true,
  // A large definition would be written out at each of its references.
  inlineRefs: false,
  // 19.99 is a multiple of 0.01, which in floating point it is not.
  multipleOfPrecision: 9,
} as const;

/** Ajv's own opinion of a schema: wrong types of keywords. */
export async function metaViolations(schema: JsonObject): Promise<FieldError[]> {
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  metaSchema ??= new Ajv2020({ ...OPTIONS, allErrors: true });
  const isValid = metaSchema.validateSchema(withoutIdentity(schema));
  // That one form would have been a list of what the other one is says nothing.
  const errors = (metaSchema.errors ?? []).filter(({ keyword }) => keyword !== 'anyOf');
  return isValid ? [] : toViolations(errors);
}
let metaSchema: Ajv | undefined;

/** Compiles a schema that `checkSchema` found nothing wrong with. Throws what Ajv throws. */
export async function compileSchema(schema: JsonObject): Promise<CompiledSchema> {
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  const compilePattern = await patternCompiler();
  let workLeft = 0;
  const spend = (work: number) => {
    workLeft -= work;
    if (workLeft < 0) throw EXHAUSTED;
    return true;
  };

  function patternEngine(pattern: string) {
    const compiled = compilePattern(pattern);
    if (compiled === 'unchecked') return { test: () => true };
    if ('invalid' in compiled) throw new Error(compiled.invalid);
    const stepsPerChar = compiled.size / PATTERN_STEPS;
    return { test: (text: string) => spend(text.length * stepsPerChar) && compiled.matches(text) };
  }

  function counted(inner: Schema): Schema {
    if (!isObject(inner)) return inner;
    const { [WORK]: _, patternProperties, ...rest } = inner;
    const patterns = isObject(patternProperties) ? looseWhereUnchecked(patternProperties) : undefined;
    const mapped = mapSubschemas(patterns ? { ...rest, patternProperties: patterns } : rest, counted);
    const work = workOf(inner);
    return work === 0 ? mapped : { ...mapped, [WORK]: work };
  }

  /** Nobody can say which names such a pattern means: it takes all of them, with any value. */
  function looseWhereUnchecked(patterns: JsonObject): JsonObject {
    const entries = Object.entries(patterns);
    return Object.fromEntries(entries.map(([key, inner]) => [key, compilePattern(key) === 'unchecked' || inner]));
  }

  function compile(allErrors: boolean): ValidateFunction {
    // One of its own for each schema: Ajv keeps all that it ever compiled.
    const ajv = new Ajv2020({
      ...OPTIONS,
      allErrors,
      meta: false,
      validateSchema: false,
      code: { optimize: false, regExp: Object.assign(patternEngine, { code: 'patternEngine' }) },
    });
    ajv.addKeyword({ keyword: WORK, validate: (work: number, value: unknown) => spend(work + sizeOf(value)) });
    // Ajv's own compares each item with each other one: 20,000 small objects took it 5 s.
    ajv.removeKeyword('uniqueItems');
    ajv.addKeyword({
      keyword: 'uniqueItems',
      type: 'array',
      schemaType: 'boolean',
      error: { message: 'must not have items that are the same' },
      validate: (unique: boolean, items: Json[]) => !unique || areUnique(items, spend),
    });
    return ajv.compile(counted(withoutIdentity(schema)));
  }

  /** The errors, or `undefined` when it took more work than it may. */
  function errorsWithin(work: number, validate: ValidateFunction, value: Json): FieldError[] | undefined {
    workLeft = work;
    try {
      return validate(value) ? [] : toViolations(validate.errors ?? []);
    } catch (error) {
      if (error === EXHAUSTED) return undefined;
      throw error;
    } finally {
      // They hold on to what they were made of.
      validate.errors = null;
    }
  }

  const findAll = compile(true);
  return {
    violations(value) {
      const all = errorsWithin(WORK_FOR_ALL, findAll, value);
      if (all) return all;
      try {
        return errorsWithin(WORK_FOR_ONE, compile(false), value) ?? [UNCHECKABLE];
      } catch (error) {
        // The code that stops at the first violation is nested by its properties, too deeply when they are thousands.
        if (error instanceof RangeError || error instanceof SyntaxError) return [UNCHECKABLE];
        throw error;
      }
    },
  };
}

/** What a schema is called matters to those who refer to it from elsewhere, and nobody can. */
function withoutIdentity({ $schema: _, $id: __, ...rest }: JsonObject): JsonObject {
  return rest;
}

/**
 * What it takes to look at one value, without what stands in it; 0 for a schema of a few steps, which those that lead to
 * it pay for: to count them all, Ajv took a third longer for a schema of many properties.
 */
function workOf(schema: JsonObject): number {
  const names = COUNTED.map((keyword) => JSON.stringify(schema[keyword])?.length ?? 0);
  const led = subschemasOf(schema).length + (schema.$ref === undefined ? 0 : 1);
  return led + Math.ceil(names.reduce((sum, length) => sum + length, 0) / NAME_CHARS);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length / CHARS;
  if (typeof value !== 'object' || value === null) return 0;
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

function areUnique(items: readonly Json[], spend: (work: number) => void): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const text = canonical(item);
    spend(1 + text.length / CHARS);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

/** The same text for values that are the same, in whatever order their names come. */
function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join()}}`;
}
