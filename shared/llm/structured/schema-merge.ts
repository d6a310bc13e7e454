/** Several schemas as one that asks for what all of them ask for, as far as keywords can be put together. */
import type { Json } from '../../core/job.ts';
import type { JsonObject } from '../../core/llm.ts';
import { isObject } from './subschemas.ts';

/** Of two bounds the stricter one; of two opinions the first. Null stands for no keyword. */
export function mergedSchemas(schemas: readonly Json[]): JsonObject {
  const merged = new Map<string, Json>();
  for (const schema of schemas) {
    if (!isObject(schema)) continue;
    for (const [keyword, value] of Object.entries(schema)) {
      if (value === null && keyword !== 'const') continue;
      const before = merged.get(keyword);
      merged.set(keyword, before === undefined ? value : both(keyword, before, value));
    }
  }
  return Object.fromEntries(merged);
}

const LARGER = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties', 'minContains'];
const SMALLER = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties', 'maxContains'];

function both(keyword: string, first: Json, second: Json): Json {
  if (typeof first === 'number' && typeof second === 'number') {
    if (LARGER.includes(keyword)) return Math.max(first, second);
    if (SMALLER.includes(keyword)) return Math.min(first, second);
    // 2 and 3 are both kept by 6; fractions would take more than this is worth.
    return keyword === 'multipleOf' ? first * second : first;
  }
  if (
    ['properties', 'dependentRequired', 'patternProperties'].includes(keyword) &&
    isObject(first) &&
    isObject(second)
  ) {
    const names = [...new Set([...Object.keys(first), ...Object.keys(second)])];
    return Object.fromEntries(names.map((name) => [name, together(first[name], second[name])]));
  }
  if (['items', 'additionalProperties', 'contains'].includes(keyword)) return together(first, second);
  if (keyword === 'required') return [...new Set([first, second].flat())];
  if (keyword === 'type' || keyword === 'enum') {
    const shared = [second].flat();
    const common = [first]
      .flat()
      .filter((value) => shared.some((other) => JSON.stringify(other) === JSON.stringify(value)));
    // Each integer is a number.
    return common.length === 0 && shared.includes('integer') ? 'integer' : common;
  }
  if (keyword === 'anyOf' || keyword === 'oneOf') return first;
  return keyword === 'allOf' ? [first, second].flat() : first;
}

function together(first: Json | undefined, second: Json | undefined): Json {
  if (first === undefined || first === true) return second ?? true;
  if (second === undefined || second === true) return first;
  return first === false || second === false ? false : { allOf: [first, second] };
}
