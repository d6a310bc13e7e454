/**
 * What a user's JSON Schema (`response_schema`) may be. It is untrusted: it is refused before anything recursive looks at
 * it, and before Ajv makes code of it.
 */
import { LRUCache } from 'lru-cache';
import type { FieldError } from '../../core/errors.ts';
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { compileSchema, metaViolations } from './compiled-schema.ts';
import { patternCompiler } from './patterns.ts';
import { findEndlessRef } from './schema-refs.ts';
import { measureSchema } from './schema-size.ts';
import { allSchemas, isObject, pathText, refResolver, type SchemaPlace } from './subschemas.ts';

/** What is wrong with a schema: where, as `properties.age.type`, and what would be right. */
export type SchemaIssue = FieldError;

/** As OpenAI: what one vendor refuses, no other needs. @see https://platform.openai.com/docs/guides/structured-outputs */
export const SCHEMA_LEVELS_MOST = 10;
export const PROPERTIES_MOST = 5_000;
export const ENUM_VALUES_MOST = 1_000;
/** 3,000 of them took Ajv nine seconds. */
const PATTERNS_MOST = 100;
/** 30,002 steps took 32 ms to compile, 61,002 took 120 ms. */
const PATTERN_SIZES_MOST = 30_000;
/** Of 3,000 in one `oneOf`, Ajv made code for a minute. */
const ALTERNATIVES_MOST = 500;
const ISSUES_MOST = 20;

/** Dialects that say the same about all that is allowed here. */
const DIALECTS = ['draft-07/schema', 'draft/2019-09/schema', 'draft/2020-12/schema'];
/** What a schema may say beside its keywords. `$async` would make Ajv's checks answer later, and everything valid. */
const DOLLAR_KEYWORDS = ['$ref', '$defs', '$anchor', '$comment', '$schema', '$id'];

/** Programs submit the same schema again and again; one of twenty objects takes Ajv 15 ms to look at. */
const verdicts = new LRUCache<string, Promise<SchemaIssue[]>>({ max: 500, maxSize: 2_000_000 });

/**
 * What is wrong with a schema; nothing when it may be used. Takes well under a second and little stack, whatever it is
 * given.
 */
export async function checkSchema(schema: unknown): Promise<SchemaIssue[]> {
  const tooMuch = measureSchema(schema);
  if (tooMuch) return [tooMuch];
  if (!isObject(schema)) return [rootIssue('')];
  const key = JSON.stringify(schema);
  const found = verdicts.get(key) ?? issuesOf(schema);
  verdicts.set(key, found, { size: key.length });
  found.catch(() => verdicts.delete(key));
  return found;
}

async function issuesOf(schema: JsonObject): Promise<SchemaIssue[]> {
  const places = allSchemas(schema);
  const found = [
    ...(schema.type === 'object' ? [] : [rootIssue('type')]),
    ...countIssues(places),
    ...places.flatMap(keywordIssues),
    ...refIssues(places),
  ];
  if (found.length > 0) return found.slice(0, ISSUES_MOST);
  const wrong = await metaViolations(schema);
  if (wrong.length > 0) return wrong;
  const patterns = await patternIssues(places);
  if (patterns.length > 0) return patterns.slice(0, ISSUES_MOST);
  const endless = findEndlessRef(places);
  return endless ? [endless] : compileIssues(schema);
}

/**
 * What of a schema is not checked, a sentence each: patterns that JavaScript takes and RE2 does not. Only for schemas that
 * `checkSchema` found nothing wrong with.
 */
export async function schemaWarnings(schema: JsonObject): Promise<string[]> {
  const compile = await patternCompiler();
  return patternsIn(allSchemas(schema))
    .filter(({ pattern }) => compile(pattern) === 'unchecked')
    .slice(0, ISSUES_MOST)
    .map(
      ({ path }) =>
        `${path} is not checked: look-around and back-references, which can take for ever, are left out of regular expressions here.`,
    );
}

function rootIssue(path: string): SchemaIssue {
  const message =
    'must be an object schema, { "type": "object", … }: providers take no other at the root; wrap a list as { "items": […] }';
  return { path, message };
}

function countIssues(places: readonly SchemaPlace[]): SchemaIssue[] {
  const count = (of: (schema: JsonObject) => number) =>
    places.reduce((sum, { schema }) => sum + (isObject(schema) ? of(schema) : 0), 0);
  const properties = count(({ properties }) => (isObject(properties) ? Object.keys(properties).length : 0));
  const values = count((schema) => (Array.isArray(schema.enum) ? schema.enum.length : 0));
  const deep = places.find(({ level }) => level > SCHEMA_LEVELS_MOST);
  return [
    ...(deep ? [issue(deep.path, `is nested more than ${SCHEMA_LEVELS_MOST} levels deep`)] : []),
    ...(properties > PROPERTIES_MOST ? [issue([], `must have at most ${PROPERTIES_MOST} properties in all`)] : []),
    ...(values > ENUM_VALUES_MOST ? [issue([], `must have at most ${ENUM_VALUES_MOST} enum values in all`)] : []),
  ];
}

function keywordIssues({ path, schema }: SchemaPlace): SchemaIssue[] {
  if (!isObject(schema)) return [];
  return Object.entries(schema).flatMap(([keyword, value]) => {
    const here = [...path, keyword];
    if (['allOf', 'anyOf', 'oneOf'].includes(keyword) && Array.isArray(value) && value.length > ALTERNATIVES_MOST) {
      return [issue(here, `must have at most ${ALTERNATIVES_MOST} schemas`)];
    }
    if (!keyword.startsWith('$')) return [];
    if (!DOLLAR_KEYWORDS.includes(keyword)) return [issue(here, 'is not supported here; leave it out')];
    if (keyword === '$schema' && !isKnownDialect(value)) {
      return [issue(here, 'must be JSON Schema draft 2020-12, https://json-schema.org/draft/2020-12/schema')];
    }
    // It would change what the references beneath it mean.
    if (keyword === '$id' && path.length > 0) return [issue(here, 'is allowed at the root only')];
    return [];
  });
}

function isKnownDialect(value: Json): boolean {
  if (typeof value !== 'string') return false;
  const name = /^https?:\/\/json-schema\.org\/([^#]*)#?$/.exec(value)?.[1];
  return name !== undefined && DIALECTS.includes(name);
}

function refIssues(places: readonly SchemaPlace[]): SchemaIssue[] {
  const resolve = refResolver(places);
  return places.flatMap(({ path, schema }) => {
    if (!isObject(schema) || schema.$ref === undefined) return [];
    const here = [...path, '$ref'];
    const { $ref: ref } = schema;
    if (typeof ref !== 'string' || !ref.startsWith('#')) {
      return [issue(here, 'must lead to a place in this schema, as "#/$defs/name" does; nothing is fetched')];
    }
    return resolve(ref) === undefined ? [issue(here, 'leads to a place where no schema is')] : [];
  });
}

type PlacedPattern = { path: string; pattern: string };

function patternsIn(places: readonly SchemaPlace[]): PlacedPattern[] {
  return places.flatMap(({ path, schema }) => {
    if (!isObject(schema)) return [];
    const names = isObject(schema.patternProperties) ? Object.keys(schema.patternProperties) : [];
    return [
      ...(typeof schema.pattern === 'string'
        ? [{ path: pathText([...path, 'pattern']), pattern: schema.pattern }]
        : []),
      ...names.map((pattern) => ({ path: pathText([...path, 'patternProperties', pattern]), pattern })),
    ];
  });
}

async function patternIssues(places: readonly SchemaPlace[]): Promise<SchemaIssue[]> {
  const patterns = patternsIn(places);
  if (patterns.length > PATTERNS_MOST) return [issue([], `must have at most ${PATTERNS_MOST} regular expressions`)];
  const compile = await patternCompiler();
  const issues: SchemaIssue[] = [];
  let sizes = 0;
  for (const { path, pattern } of patterns) {
    const compiled = compile(pattern);
    if (compiled === 'unchecked') continue;
    if ('invalid' in compiled) {
      issues.push({ path, message: compiled.invalid });
      break;
    }
    sizes += compiled.size;
    if (sizes > PATTERN_SIZES_MOST) return [issue([], 'must have fewer or smaller regular expressions')];
  }
  return issues;
}

/** What only the attempt shows. */
async function compileIssues(schema: JsonObject): Promise<SchemaIssue[]> {
  try {
    await compileSchema(schema);
    return [];
  } catch (error) {
    // Code that is nested as deeply as the schema is wide, or whose references form a long chain.
    const isTooMuch = error instanceof RangeError || error instanceof SyntaxError;
    return [issue([], isTooMuch ? 'is too complicated; make it smaller' : 'is not a JSON Schema that can be checked')];
  }
}

function issue(path: readonly string[], message: string): SchemaIssue {
  return { path: pathText(path), message };
}
