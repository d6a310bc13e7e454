/**
 * OpenAI's strict subset of JSON Schema: every object closed, every property required, every value typed.
 *
 * A property that may be left out can be required only where it may be null: otherwise the model would have to make one up,
 * and what it made up would be valid.
 * @see https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
 */
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { allSchemas, isObject, mapSubschemas, refResolver, type Schema } from './subschemas.ts';

const KEPT = [
  ...['type', 'enum', 'const', 'anyOf', 'items', 'properties', 'required', 'additionalProperties', '$ref', '$defs'],
  ...['definitions', 'title', 'description', 'pattern', 'format', 'multipleOf', 'minimum', 'maximum'],
  ...['exclusiveMinimum', 'exclusiveMaximum', 'minItems', 'maxItems'],
];
/** What says nothing about which values are right, or can be left to the check of the answer. */
const DROPPED = [
  ...['$schema', '$id', '$comment', 'default', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly'],
  ...['contentMediaType', 'contentEncoding', 'minLength', 'maxLength', 'uniqueItems', 'minProperties', 'maxProperties'],
  ...['contains', 'minContains', 'maxContains'],
];
const BESIDE_UNION = ['anyOf', 'title', 'description', '$defs', 'definitions'];
const FORMATS = ['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'];
/** References that the vendor documents: to the root, and to its definitions. */
const REFERENCE = /^#(\/(\$defs|definitions)\/[^/]+)?$/;
/** Look-around, named groups and back-references. */
const NOT_IN_PATTERNS = /\(\?[=!<]|\\[1-9k]/;
const NULLABLE_STEPS_MOST = 10;

/** The schema in the strict subset; `undefined` where it cannot be said there. */
export function toStrict(root: JsonObject): JsonObject | undefined {
  const resolve = refResolver(allSchemas(root));
  let isExpressible = root.type === 'object' && root.$ref === undefined;
  const strict = visit(root);
  return isExpressible && strict.anyOf === undefined ? strict : undefined;

  function visit(schema: JsonObject): JsonObject {
    const { oneOf, ...rest } = schema;
    if (oneOf !== undefined && rest.anyOf !== undefined) isExpressible = false;
    const node = oneOf === undefined ? rest : { ...rest, anyOf: oneOf };
    const problem = Object.keys(node).some((keyword) => !KEPT.includes(keyword) && !DROPPED.includes(keyword));
    if (problem || !isTyped(node) || !isClosable(node, mayBeNull)) isExpressible = false;
    // Deeper there is nothing more to learn.
    if (!isExpressible) return node;
    const kept = Object.fromEntries(Object.entries(node).filter(([keyword]) => KEPT.includes(keyword)));
    return strictNode(mapSubschemas(kept, visitAny));
  }

  function visitAny(schema: Schema, keyword: string): Schema {
    if (isObject(schema)) return visit(schema);
    if (keyword !== 'additionalProperties' || schema) isExpressible = false;
    return schema;
  }

  function mayBeNull(schema: Json, stepsLeft = NULLABLE_STEPS_MOST): boolean {
    if (!isObject(schema) || stepsLeft === 0) return false;
    const { $ref: ref, anyOf, oneOf } = schema;
    if (typeof ref === 'string') return mayBeNull(resolve(ref) ?? false, stepsLeft - 1);
    const union = anyOf ?? oneOf;
    if (Array.isArray(union)) return union.some((inner) => mayBeNull(inner, stepsLeft - 1));
    if (Array.isArray(schema.enum)) return schema.enum.includes(null) && isNullTyped(schema);
    return schema.const === null || (schema.const === undefined && [schema.type].flat().includes('null'));
  }
}

function isNullTyped({ type }: JsonObject): boolean {
  return type === undefined || [type].flat().includes('null');
}

/** Is there one word that says what the values are? */
function isTyped(schema: JsonObject): boolean {
  const { $ref: ref, anyOf, type } = schema;
  const keywords = Object.keys(schema).filter((keyword) => KEPT.includes(keyword));
  if (ref !== undefined) {
    const beside = ['$ref', 'title', 'description', '$defs', 'definitions'];
    return typeof ref === 'string' && REFERENCE.test(ref) && keywords.every((keyword) => beside.includes(keyword));
  }
  if (anyOf !== undefined) return keywords.every((keyword) => BESIDE_UNION.includes(keyword));
  const literals = literalsOf(schema);
  if (literals.some((value) => typeof value === 'object' && value !== null)) return false;
  return type !== undefined || literals.length > 0;
}

/** Can an object be closed, and all its properties required, without asking for more than the schema does? */
function isClosable(schema: JsonObject, mayBeNull: (schema: Json) => boolean): boolean {
  const types = [schema.type].flat();
  if (types.includes('array') && !isObject(schema.items)) return false;
  if (!types.includes('object')) return schema.properties === undefined && schema.required === undefined;
  const { properties, required = [], additionalProperties = false, minProperties, maxProperties } = schema;
  if (!isObject(properties) || !Array.isArray(required) || additionalProperties !== false) return false;
  const names = Object.keys(properties);
  if (names.length === 0 && schema.additionalProperties === undefined) return false;
  return (
    required.every((name) => typeof name === 'string' && Object.hasOwn(properties, name)) &&
    names.every((name) => required.includes(name) || mayBeNull(properties[name] ?? false)) &&
    !(typeof minProperties === 'number' && minProperties > names.length) &&
    !(typeof maxProperties === 'number' && maxProperties < names.length)
  );
}

function strictNode(schema: JsonObject): JsonObject {
  const { pattern, format, ...rest } = schema;
  if (rest.$ref !== undefined) {
    const { title: _, description: __, ...reference } = rest;
    return reference;
  }
  const literals = literalsOf(rest);
  const types = literals.length > 0 && rest.type === undefined ? typesOf(literals) : [];
  return {
    ...rest,
    ...(types.length === 0 ? {} : { type: types.length === 1 ? (types[0] ?? '') : types }),
    ...(typeof pattern === 'string' && !NOT_IN_PATTERNS.test(pattern) ? { pattern } : {}),
    ...(typeof format === 'string' && FORMATS.includes(format) ? { format } : {}),
    ...(isObject(rest.properties) ? { required: Object.keys(rest.properties), additionalProperties: false } : {}),
  };
}

function literalsOf(schema: JsonObject): Json[] {
  if (schema.const !== undefined) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : [];
}

/** The types of these values, each once. */
export function typesOf(values: readonly Json[]): string[] {
  const types = values.map((value) => {
    if (value === null) return 'null';
    return Array.isArray(value) ? 'array' : typeof value;
  });
  return [...new Set(types)];
}
