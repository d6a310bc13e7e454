/** How much a schema is: found before anything recursive, or anything slow, looks at it. */
import type { FieldError } from '../../core/errors.ts';
import { pathText } from './subschemas.ts';

/** The largest schema, as UTF-8 bytes of its JSON. */
export const SCHEMA_BYTES_MOST = 64 * 1024;
/** Ten levels of objects, lists and alternatives have about sixty of JSON. */
const JSON_LEVELS_MOST = 100;
/** Names that would change what an object inherits where a program copies it carelessly. */
const FORBIDDEN_NAME = '__proto__';

/** What is too much about this value for a schema, or keeps it from being JSON; stops as soon as that is known. */
export function measureSchema(root: unknown): FieldError | undefined {
  const rest: { value: unknown; path: readonly string[] }[] = [{ value: root, path: [] }];
  // Of the bytes that there are at least: a character may take several.
  let bytesLeft = SCHEMA_BYTES_MOST;
  for (let next = rest.pop(); next; next = rest.pop()) {
    const { value, path } = next;
    bytesLeft -= 1;
    if (typeof value === 'string') bytesLeft -= value.length + 1;
    else if (typeof value === 'object' && value !== null) {
      if (!isPlain(value)) return { path: pathText(path), message: 'must be JSON' };
      const inner = Array.isArray(value) ? value : Object.keys(value);
      bytesLeft -= inner.length;
      if (bytesLeft < 0) return tooLarge();
      if (path.length >= JSON_LEVELS_MOST) {
        return {
          path: pathText(path.slice(0, 3)),
          message: `is nested more than ${JSON_LEVELS_MOST} levels deep in JSON`,
        };
      }
      for (const [key, item] of Object.entries(value)) {
        if (key === FORBIDDEN_NAME)
          return { path: pathText(path), message: `must not name anything ${FORBIDDEN_NAME}` };
        if (!Array.isArray(value)) bytesLeft -= key.length + 2;
        rest.push({ value: item, path: [...path, key] });
      }
    } else if (!isJsonScalar(value)) return { path: pathText(path), message: 'must be JSON' };
    if (bytesLeft < 0) return tooLarge();
  }
  return new TextEncoder().encode(JSON.stringify(root)).length > SCHEMA_BYTES_MOST ? tooLarge() : undefined;
}

function tooLarge(): FieldError {
  return { path: '', message: `must be at most ${SCHEMA_BYTES_MOST / 1024} KiB of JSON` };
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

function isJsonScalar(value: unknown): boolean {
  return value === null || typeof value === 'boolean' || Number.isFinite(value);
}
