/**
 * A value that fits a schema, always the same one, for the simulated provider.
 *
 * Not `json-schema-faker` (0.6.3): a schema of one line (`minLength: 30000000`) kept it, and the whole process, busy for
 * 20 s, and trees that refer to themselves ended in nulls. This one is small and bounded. It knows nothing of `not`,
 * `if` and `dependentSchemas`, and of a pattern only whether one of a few texts fits it; whoever uses it checks.
 */
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { numberWithin, textsFor } from './instance-scalars.ts';
import { patternCompiler } from './patterns.ts';
import { mergedSchemas } from './schema-merge.ts';
import { allSchemas, isObject, refResolver, type Schema } from './subschemas.ts';
import { validatorFor } from './validator.ts';

/** Values in all: then lists and objects have no more than they must. */
const VALUES_MOST = 2_000;
const ITEMS_MOST = 1_000;
/** From here on, nothing comes that may be left out. */
const LEVELS_WITH_OPTIONAL = 6;
/** No value is deeper; one that must be is not made. */
const LEVELS_MOST = 40;
const STEPS_MOST = 100;
const ALTERNATIVES_TRIED = 4;

/** Which of several values that may fit. */
type Choice = { withOptional: boolean; alternative: number };

/**
 * A value for a schema; `fits` says whether it is one, which patterns and conditions may prevent. Throws `invalid_request`
 * for a schema that `checkSchema` refuses.
 */
export async function instanceOf(schema: JsonObject): Promise<{ value: Json; fits: boolean }> {
  const violationOf = await validatorFor(schema);
  const matcher = await patternCompiler();
  const choices = Array.from({ length: ALTERNATIVES_TRIED }, (_, alternative) => alternative).flatMap((alternative) => [
    { withOptional: true, alternative },
    { withOptional: false, alternative },
  ]);
  const make = (choice: Choice) => generator(schema, choice, matcher)(schema, 1, 0);
  for (const choice of choices) {
    const value = make(choice);
    if (violationOf(value) === undefined) return { value, fits: true };
  }
  return { value: make({ withOptional: true, alternative: 0 }), fits: false };
}

type Generate = (schema: Schema, level: number, variant: number) => Json;

function generator(
  root: JsonObject,
  { withOptional, alternative }: Choice,
  compilePattern: Awaited<ReturnType<typeof patternCompiler>>,
): Generate {
  const resolve = refResolver(allSchemas(root));
  let valuesLeft = VALUES_MOST;
  const isRich = (level: number) => withOptional && level <= LEVELS_WITH_OPTIONAL && valuesLeft > 0;

  /** The schema without its references and alternatives. */
  function flattened(schema: Schema, level: number): JsonObject {
    let flat: JsonObject = isObject(schema) ? schema : {};
    for (let step = 0; step < STEPS_MOST; step++) {
      const { $ref: ref, allOf, anyOf, oneOf, ...rest } = flat;
      const union = [anyOf, oneOf].find((list) => Array.isArray(list));
      if (typeof ref === 'string') flat = mergedSchemas([{ ...flat, $ref: null }, resolve(ref) ?? {}]);
      else if (Array.isArray(allOf)) flat = mergedSchemas([{ ...flat, allOf: null }, ...allOf]);
      else if (Array.isArray(union)) {
        const other = union === anyOf && oneOf !== undefined ? { oneOf } : {};
        flat = mergedSchemas([{ ...rest, ...other }, pick(union, level)]);
      } else return rest;
    }
    return flat;
  }

  /** Deep in a tree, null where that is allowed, then what does not lead deeper. */
  function pick(union: readonly Json[], level: number): Json {
    const usable = union.filter((each) => each !== false);
    const isEnd = (each: Json) => isObject(each) && (each.type === 'null' || each.const === null);
    const isLeaf = (each: Json) => isObject(each) && each.$ref === undefined && each.properties === undefined;
    const end = isRich(level) ? undefined : (usable.find(isEnd) ?? usable.find(isLeaf));
    return end ?? usable[alternative % Math.max(1, usable.length)] ?? {};
  }

  function generate(schema: Schema, level: number, variant: number): Json {
    valuesLeft--;
    // A tree that must branch, and nowhere may end.
    if (level > LEVELS_MOST || valuesLeft < -VALUES_MOST) return null;
    const flat = flattened(schema, level);
    if (flat.const !== undefined) return flat.const;
    if (Array.isArray(flat.enum) && flat.enum.length > 0) {
      return flat.enum[(alternative + variant) % flat.enum.length] ?? null;
    }
    switch (typeOf(flat, level)) {
      case 'object':
        return objectFor(flat, level);
      case 'array':
        return arrayFor(flat, level);
      case 'integer':
        return numberWithin(flat, true, variant);
      case 'number':
        return numberWithin(flat, false, variant);
      case 'boolean':
        return variant % 2 === 0;
      case 'null':
        return null;
      default:
        return textFor(flat, variant);
    }
  }

  function typeOf(schema: JsonObject, level: number): Json {
    const types = [schema.type].flat().filter((type) => type !== undefined);
    if (!isRich(level) && types.includes('null')) return 'null';
    if (types.length > 0) return types[alternative % types.length] ?? 'null';
    if (isObject(schema.properties) || schema.required !== undefined) return 'object';
    if (schema.items !== undefined || schema.prefixItems !== undefined) return 'array';
    return ['minimum', 'maximum', 'multipleOf'].some((keyword) => keyword in schema) ? 'number' : 'string';
  }

  function textFor(schema: JsonObject, variant: number): string {
    const texts = textsFor(schema, variant);
    const { pattern } = schema;
    if (typeof pattern !== 'string') return texts[0] ?? '';
    const compiled = compilePattern(pattern);
    if (typeof compiled === 'string' || 'invalid' in compiled) return texts[0] ?? '';
    return texts.find((text) => compiled.matches(text)) ?? texts[0] ?? '';
  }

  function arrayFor(schema: JsonObject, level: number): Json[] {
    const prefix = Array.isArray(schema.prefixItems) ? schema.prefixItems.filter(isSchema) : [];
    const contained = isSchema(schema.contains) ? [schema.contains] : [];
    const least = Math.max(countOf(schema.minItems, 0), contained.length > 0 ? countOf(schema.minContains, 1) : 0);
    const wanted = Math.max(least, isRich(level) ? Math.max(1, prefix.length) : 0);
    const count = Math.min(wanted, countOf(schema.maxItems, ITEMS_MOST), ITEMS_MOST);
    const hasMore = schema.items !== false || prefix.length === 0;
    const items: Json[] = [];
    while (items.length < count && (hasMore || items.length < prefix.length) && (valuesLeft > 0 || items.length < 1)) {
      const index = items.length;
      const own = prefix[index] ?? (isSchema(schema.items) ? schema.items : true);
      const both = index >= prefix.length && contained[0] !== undefined ? mergedSchemas([own, contained[0]]) : own;
      items.push(generate(both, level + 1, index));
    }
    return items;
  }

  function objectFor(schema: JsonObject, level: number): JsonObject {
    const properties = isObject(schema.properties) ? schema.properties : {};
    const required = namesIn(schema.required);
    const dependent = isObject(schema.dependentRequired) ? schema.dependentRequired : {};
    const names = new Set(required);
    const most = countOf(schema.maxProperties, Number.MAX_SAFE_INTEGER);
    for (const name of Object.keys(properties)) {
      if (isRich(level) && names.size < most && properties[name] !== false) names.add(name);
    }
    for (const name of names) for (const other of namesIn(dependent[name])) names.add(other);
    const others = isSchema(schema.additionalProperties) ? schema.additionalProperties : true;
    const least = Math.min(countOf(schema.minProperties, 0), ITEMS_MOST);
    const spare = Object.keys(properties).filter((name) => properties[name] !== false);
    for (const name of spare) if (names.size < least) names.add(name);
    for (let n = 1; names.size < least && others !== false && n <= ITEMS_MOST; n++) names.add(`name${n}`);
    // In the order of the schema.
    const ordered = [...Object.keys(properties).filter((name) => names.delete(name)), ...names];
    return Object.fromEntries(
      ordered.map((name, index) => {
        const inner = properties[name];
        return [name, generate(isSchema(inner) ? inner : others, level + 1, inner === undefined ? index : 0)];
      }),
    );
  }

  return generate;
}

function isSchema(value: Json | undefined): value is Schema {
  return typeof value === 'boolean' || isObject(value);
}

function countOf(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function namesIn(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}
