/** References that lead back to themselves without ever coming to a value within the value: checking would not end. */
import type { FieldError } from '../../core/errors.ts';
import { pathText, refResolver, type Schema, type SchemaPlace, subschemasOf } from './subschemas.ts';

/**
 * Finds a schema that, to be checked against a value, has first to be checked against that value. A tree that refers to
 * itself from its properties is fine. Linear, and takes no stack.
 */
export function findEndlessRef(places: readonly SchemaPlace[]): FieldError | undefined {
  const resolve = refResolver(places);
  const needed = (schema: Schema): Schema[] => {
    if (typeof schema === 'boolean') return [];
    const target = typeof schema.$ref === 'string' ? resolve(schema.$ref) : undefined;
    const inPlace = subschemasOf(schema).filter(({ application }) => application === 'same-value');
    return [...(target === undefined ? [] : [target]), ...inPlace.map((inner) => inner.schema)];
  };
  // What needs nothing can be checked, then what needs only that, and so on: what is left goes round in a circle, or
  // needs one that does.
  const dependents = new Map<Schema, Schema[]>();
  const missing = new Map<Schema, number>();
  for (const { schema } of places) {
    if (typeof schema === 'boolean') continue;
    const those = needed(schema).filter((other) => typeof other !== 'boolean');
    missing.set(schema, those.length);
    for (const other of those) dependents.set(other, [...(dependents.get(other) ?? []), schema]);
  }
  const ready = [...missing].filter(([, count]) => count === 0).map(([schema]) => schema);
  for (const schema of ready) {
    missing.delete(schema);
    for (const dependent of dependents.get(schema) ?? []) {
      const left = (missing.get(dependent) ?? 0) - 1;
      missing.set(dependent, left);
      if (left === 0) ready.push(dependent);
    }
  }
  const endless = places.find(({ schema }) => missing.has(schema) && typeof schema === 'object' && '$ref' in schema);
  return endless && { path: pathText([...endless.path, '$ref']), message: 'leads back to itself and never ends' };
}
