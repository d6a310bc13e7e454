/**
 * A user's schema in each vendor's dialect. What is sent may say less than the user's, never something else: the answer is
 * checked by the user's own afterwards. Pure; for schemas that `checkSchema` found nothing wrong with.
 */
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { toStrict, typesOf } from './openai-strict.ts';
import { isObject, mapSubschemas, type Schema } from './subschemas.ts';

/**
 * For `json_schema` of OpenAI's Responses and Chat Completions. `strict` where the schema can be said in OpenAI's strict
 * subset without asking for more than the user does; otherwise the schema as it is, which the model then sees and nothing
 * enforces.
 * @see https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
 */
export function toOpenaiFormat(schema: JsonObject): { schema: JsonObject; strict: boolean } {
  const strict = toStrict(schema);
  return strict ? { schema: strict, strict: true } : { schema, strict: false };
}

const GEMINI_KEYWORDS = [
  ...['$anchor', '$defs', '$ref', 'type', 'format', 'title', 'description', 'enum', 'items', 'prefixItems'],
  ...['minItems', 'maxItems', 'minimum', 'maximum', 'anyOf', 'properties', 'additionalProperties', 'required'],
];
const GEMINI_FORMATS = ['date-time', 'date', 'time'];

/**
 * For Gemini's `responseJsonSchema`: `const` as `enum`, `oneOf` as `anyOf`, exclusive bounds as inclusive ones; an `enum`
 * holds text and numbers only.
 * @see https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
 */
export function toGeminiSchema(schema: JsonObject): JsonObject {
  return objectOf(schema, geminiNode);
}

function geminiNode(schema: JsonObject): JsonObject {
  const plain = withPlainUnions(schema);
  // Beside a reference nothing else may stand.
  if (plain.$ref !== undefined) return only(withDefinitions(plain), ['$ref', '$defs']);
  const { exclusiveMinimum, exclusiveMaximum } = plain;
  const loose = {
    ...withDefinitions(plain),
    ...(exclusiveMinimum === undefined ? {} : { minimum: higher(plain.minimum, exclusiveMinimum) }),
    ...(exclusiveMaximum === undefined ? {} : { maximum: lower(plain.maximum, exclusiveMaximum) }),
    ...(plain.const === undefined ? {} : { enum: [plain.const] }),
  };
  const kept = only(loose, GEMINI_KEYWORDS);
  // Names that a pattern allows would be refused.
  if (plain.patternProperties !== undefined) delete kept.additionalProperties;
  if (typeof kept.format === 'string' && !GEMINI_FORMATS.includes(kept.format)) delete kept.format;
  if (Array.isArray(kept.enum)) {
    const types = typesOf(kept.enum);
    if (kept.type === undefined) kept.type = types.length === 1 ? (types[0] ?? 'string') : types;
    if (types.some((type) => type !== 'string' && type !== 'number')) delete kept.enum;
  }
  return kept;
}

const ANTHROPIC_KEYWORDS = [
  ...['$defs', '$ref', 'type', 'format', 'title', 'description', 'enum', 'const', 'items', 'minItems'],
  ...['anyOf', 'allOf', 'properties', 'additionalProperties', 'required'],
];
const ANTHROPIC_FORMATS = [
  ...['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'],
];

/**
 * For Anthropic's `output_format`: every object closed, no bounds but `minItems` 0 and 1. A schema that refers to itself,
 * and an object of any names, cannot be said there: the service refuses the one and answers the other empty.
 * @see https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations
 */
export function toAnthropicSchema(schema: JsonObject): JsonObject {
  return objectOf(schema, anthropicNode);
}

function anthropicNode(schema: JsonObject): JsonObject {
  const plain = withLiftedProperties(withDefinitions(withPlainUnions(schema)));
  if (plain.$ref !== undefined) return only(plain, ['$ref', '$defs']);
  const kept = only(plain, ANTHROPIC_KEYWORDS);
  if (typeof kept.format === 'string' && !ANTHROPIC_FORMATS.includes(kept.format)) delete kept.format;
  if (kept.minItems !== 0 && kept.minItems !== 1) delete kept.minItems;
  // Without it, `items` would speak of all of them.
  if (plain.prefixItems !== undefined) delete kept.items;
  const isStructure = (value: Json) => typeof value === 'object' && value !== null;
  if (Array.isArray(kept.enum) && kept.enum.some(isStructure)) delete kept.enum;
  if (kept.const !== undefined && isStructure(kept.const)) delete kept.const;
  if (![kept.type].flat().includes('object') && kept.properties === undefined) return kept;
  const { properties } = kept;
  // In a closed object nothing else can be required.
  const required = Array.isArray(kept.required)
    ? kept.required.filter(
        (name) => typeof name === 'string' && isObject(properties) && Object.hasOwn(properties, name),
      )
    : [];
  return { ...kept, ...(kept.required === undefined ? {} : { required }), additionalProperties: false };
}

/**
 * The properties that alternatives add to an object's own, beside these. Each closed for itself, the object and its
 * alternatives would take nothing.
 */
function withLiftedProperties(schema: JsonObject): JsonObject {
  const forms = [schema.anyOf, schema.allOf].flatMap((list) => (Array.isArray(list) ? list : [])).filter(isObject);
  const added = forms.flatMap(({ properties }) => (isObject(properties) ? Object.entries(properties) : []));
  const hasOwn = isObject(schema.properties) && Object.keys(schema.properties).length > 0;
  if (!(hasOwn && forms.length > 0) && !(schema.allOf !== undefined && added.length > 0)) return schema;
  const { anyOf: _, allOf: __, properties = {}, ...rest } = schema;
  const lifted = new Map<string, Json[]>();
  for (const [name, inner] of added) lifted.set(name, [...(lifted.get(name) ?? []), inner]);
  for (const [name, inner] of isObject(properties) ? Object.entries(properties) : []) lifted.set(name, [inner]);
  const all = [...lifted].map(([name, inner]): [string, Json] => [
    name,
    inner.length === 1 ? (inner[0] ?? {}) : { anyOf: inner },
  ]);
  return { ...rest, type: 'object', properties: Object.fromEntries(all) };
}

/** Changes all schemas, the innermost first; those that take everything or nothing become objects, or go. */
function objectOf(schema: JsonObject, change: (schema: JsonObject) => JsonObject): JsonObject {
  const visit = (inner: Schema, keyword: string): Schema => {
    if (isObject(inner)) return objectOf(inner, change);
    return keyword === 'additionalProperties' || !inner ? inner : {};
  };
  return change(withoutImpossible(mapSubschemas(schema, visit)));
}

/** No vendor knows `false` as a schema: a property that must not be there is one that is not named. */
function withoutImpossible(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, Json][] => {
    if (value === false && keyword === 'items') return [];
    if (Array.isArray(value) && ['anyOf', 'oneOf'].includes(keyword)) {
      return [[keyword, value.filter((each) => each !== false)]];
    }
    if (keyword !== 'properties' || !isObject(value)) return [[keyword, value]];
    return [[keyword, Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== false))]];
  });
  return Object.fromEntries(entries);
}

/** `oneOf` as `anyOf`, where there is none yet; an `allOf` of one as that one, where nothing stands beside it. */
function withPlainUnions({ oneOf, ...schema }: JsonObject): JsonObject {
  const rest = oneOf === undefined || schema.anyOf !== undefined ? schema : { ...schema, anyOf: oneOf };
  const [only, ...others] = Array.isArray(rest.allOf) ? rest.allOf : [];
  if (!isObject(only) || others.length > 0) return rest;
  const { allOf: _, ...beside } = rest;
  const isRepeated = Object.keys(only).some((keyword) => keyword in beside);
  return isRepeated ? rest : { ...beside, ...only };
}

/** The older name of `$defs`, and the references to it. */
function withDefinitions({ definitions, ...schema }: JsonObject): JsonObject {
  const { $ref: ref } = schema;
  return {
    ...schema,
    ...(typeof ref === 'string' ? { $ref: ref.replace(/^#\/definitions\//, '#/$defs/') } : {}),
    ...(isObject(definitions) ? { $defs: { ...definitions, ...(isObject(schema.$defs) ? schema.$defs : {}) } } : {}),
  };
}

function only(schema: JsonObject, keywords: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => keywords.includes(keyword)));
}

function higher(inclusive: Json | undefined, exclusive: Json): Json {
  return typeof inclusive === 'number' && typeof exclusive === 'number' ? Math.max(inclusive, exclusive) : exclusive;
}

function lower(inclusive: Json | undefined, exclusive: Json): Json {
  return typeof inclusive === 'number' && typeof exclusive === 'number' ? Math.min(inclusive, exclusive) : exclusive;
}
