/** JSON as it is measured, hashed and cut: in UTF-8. */
import type { Json } from './job.ts';

const encoder = new TextEncoder();

/** The JSON text of a value. */
export function jsonBytes(value: Json): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}
