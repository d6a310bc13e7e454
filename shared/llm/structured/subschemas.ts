/**
 * Where in a JSON Schema (draft 2020-12) schemas stand: everything else in it is data, and may look like one.
 * @see https://json-schema.org/draft/2020-12/json-schema-core#section-10
 */
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';

/** A schema that is one: an object, or the two that take everything and nothing. */
export type Schema = JsonObject | boolean;

/** What a schema within a schema speaks of: the same value, a value within it, or nothing until it is referred to. */
export type Application = 'same-value' | 'inner-value' | 'definition';

/** A schema within a schema, under the keyword that holds it. */
export type Subschema = { keyword: string; path: readonly string[]; application: Application; schema: Schema };

/** Keywords that hold one schema. */
const ONE: ReadonlyMap<string, Application> = new Map([
  ...['not', 'if', 'then', 'else'].map((keyword) => [keyword, 'same-value'] as const),
  ...['items', 'contains', 'additionalProperties', 'propertyNames', 'contentSchema'].map(
    (keyword) => [keyword, 'inner-value'] as const,
  ),
  ...['unevaluatedItems', 'unevaluatedProperties'].map((keyword) => [keyword, 'inner-value'] as const),
]);
/** Keywords that hold a list of them. */
const LIST: ReadonlyMap<string, Application> = new Map([
  ...['allOf', 'anyOf', 'oneOf'].map((keyword) => [keyword, 'same-value'] as const),
  ['prefixItems', 'inner-value'],
]);
/** Keywords that hold them by name. */
const NAMED: ReadonlyMap<string, Application> = new Map([
  ...['properties', 'patternProperties'].map((keyword) => [keyword, 'inner-value'] as const),
  ...['dependentSchemas', 'dependencies'].map((keyword) => [keyword, 'same-value'] as const),
  ...['$defs', 'definitions'].map((keyword) => [keyword, 'definition'] as const),
]);

/** Is it an object, neither a list nor null? */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSchema(value: Json | undefined): value is Schema {
  return typeof value === 'boolean' || isObject(value);
}

/** The schemas that stand directly in this one. */
export function subschemasOf(schema: Schema): Subschema[] {
  if (typeof schema === 'boolean') return [];
  const found: Subschema[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    const add = (application: Application | undefined, inner: Json | undefined, path: readonly string[]) => {
      if (application && isSchema(inner)) found.push({ keyword, path, application, schema: inner });
    };
    add(ONE.get(keyword), value, [keyword]);
    if (LIST.has(keyword) && Array.isArray(value)) {
      for (const [index, inner] of value.entries()) add(LIST.get(keyword), inner, [keyword, String(index)]);
    }
    if (NAMED.has(keyword) && isObject(value)) {
      for (const [name, inner] of Object.entries(value)) add(NAMED.get(keyword), inner, [keyword, name]);
    }
  }
  return found;
}

/** The schema with each schema that stands directly in it replaced. The input stays as it is. */
export function mapSubschemas(schema: JsonObject, change: (inner: Schema, keyword: string) => Schema): JsonObject {
  const mapped = Object.entries(schema).map(([keyword, value]): [string, Json] => {
    const changed = (inner: Json) => (isSchema(inner) ? change(inner, keyword) : inner);
    if (ONE.has(keyword)) return [keyword, changed(value)];
    if (LIST.has(keyword) && Array.isArray(value)) return [keyword, value.map(changed)];
    if (!NAMED.has(keyword) || !isObject(value)) return [keyword, value];
    return [keyword, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, changed(inner)]))];
  });
  return Object.fromEntries(mapped);
}

/** A schema and where it stands. `level`: how deep values of it stand within a value of the root, which is 1. */
export type SchemaPlace = { path: readonly string[]; schema: Schema; level: number };

/** All schemas within this one, itself first. Takes no stack, however deep they are. */
export function allSchemas(root: Schema): SchemaPlace[] {
  const places: SchemaPlace[] = [{ path: [], schema: root, level: 1 }];
  // The list grows while it is read.
  for (const { path, schema, level } of places) {
    for (const inner of subschemasOf(schema)) {
      const levels = { 'same-value': level, 'inner-value': level + 1, definition: 1 };
      places.push({ path: [...path, ...inner.path], schema: inner.schema, level: levels[inner.application] });
    }
  }
  return places;
}

/** Finds what `#`, `#/…` and `#anchor` lead to in a schema; `undefined` when no schema is there. */
export function refResolver(places: readonly SchemaPlace[]): (ref: string) => Schema | undefined {
  const targets = new Map<string, Schema>();
  for (const { path, schema } of places) {
    targets.set(pointerOf(path), schema);
    if (isObject(schema) && typeof schema.$anchor === 'string') targets.set(`#${schema.$anchor}`, schema);
  }
  return (ref) => {
    try {
      return targets.get(decodeURIComponent(ref));
    } catch {
      return undefined;
    }
  };
}

/** The path as a JSON Pointer. @see https://www.rfc-editor.org/rfc/rfc6901 */
function pointerOf(path: readonly string[]): string {
  return `#${path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}

/** A path as people write it: `properties.age.type`. */
export function pathText(path: readonly string[]): string {
  return path.map((part) => (part === '' ? '""' : part)).join('.');
}
