/** JSON in UTF-8, of values of any size. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json } from '../../shared/core/job.ts';
import { jsonBytes } from '../../shared/core/json-bytes.ts';

const SLICE_CHARACTERS = 64 * 1_024;
const expected = (value: Json) => new TextEncoder().encode(JSON.stringify(value));

test('it is what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(jsonBytes(value as Json)).toEqual(expected(value as Json));
    }),
  );
});

test.each([
  ['ascii', 'x'],
  ['escapes', '"\\\n\u0001'],
  ['pairs of surrogates', '👩‍🔬'],
  ['halves of pairs', '\udc00a\ud800'],
])('also of long texts: %s', (_, piece) => {
  const most = SLICE_CHARACTERS / piece.length;
  for (const before of ['', 'a', 'ab', 'abc']) {
    for (const times of [most - 1, most, most + 1, 2 * most + 7]) {
      const text = before + piece.repeat(times);
      for (const value of [text, { a: 1, text, deep: { text, list: [text] }, none: undefined as never, b: [] }]) {
        expect(Buffer.from(jsonBytes(value)).equals(expected(value))).toBe(true);
      }
    }
  }
});
