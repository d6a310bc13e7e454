/** JSON as it is measured, hashed and cut: in UTF-8. */
import type { Json } from './job.ts';

const encoder = new TextEncoder();

/** A longer text is written in slices: all of it as JSON at once takes several times its size, and the process's time. */
const SLICE_CHARACTERS = 64 * 1_024;

/** The JSON text of a value. */
export function jsonBytes(value: Json): Uint8Array {
  const pieces = [...jsonPieces(value)];
  const [only] = pieces;
  if (only && pieces.length === 1) return only;
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The same in pieces cut between characters; of long texts each is made when it is asked for, as often as it is. */
export function jsonPieces(value: Json): Iterable<Uint8Array> {
  if (!takesLong(value)) return [encoder.encode(JSON.stringify(value))];
  return {
    *[Symbol.iterator]() {
      for (const text of textsOf(value)) yield encoder.encode(text);
    },
  };
}

/** Is it a long text, or does it hold one? */
export function takesLong(value: Json): boolean {
  return isLong(value) || holdsLong(value);
}

/** Its JSON in pieces; long texts are looked for in objects, and the objects in these. */
function* textsOf(value: Json): Generator<string> {
  if (isLong(value)) {
    yield '"';
    for (const slice of slicesOf(value)) yield JSON.stringify(slice).slice(1, -1);
    yield '"';
  } else if (holdsLong(value)) {
    let before = '{';
    for (const [key, field] of Object.entries(value)) {
      if (field === undefined) continue;
      yield `${before}${JSON.stringify(key)}:`;
      yield* textsOf(field);
      before = ',';
    }
    yield '}';
  } else {
    yield JSON.stringify(value);
  }
}

function isLong(value: Json | undefined): value is string {
  return typeof value === 'string' && value.length > SLICE_CHARACTERS;
}

function holdsLong(value: Json | undefined): value is { [field: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).some((field) => isLong(field) || holdsLong(field));
}

/** Cut between characters: half of a pair of surrogates would be written as an escape. */
function* slicesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const most = text.slice(start, start + SLICE_CHARACTERS);
    const isParted = /[\ud800-\udbff]$/.test(most) && start + most.length < text.length;
    const slice = isParted ? most.slice(0, -1) : most;
    yield slice;
    start += slice.length;
  }
}
