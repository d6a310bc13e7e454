/** What is wrong with a request's fields: each named by its path, with a sentence that says what would be right. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { findTooMany, findUnstorable, toFieldErrors } from '../../shared/core/field-errors.ts';
import type { Json } from '../../shared/core/job.ts';
import { fields, text } from '../../shared/job-types/fields.ts';

const LEVELS_MOST = 50;
const LONE = 'a\ud800b';

const schema = fields({
  name: text,
  kind: z.enum(['red', 'blue']).optional(),
  size: z.int().optional(),
  wait: z.number({ error: 'must be a number of seconds' }).optional(),
  parts: z.array(fields({ label: z.string() })).optional(),
  inner: z.object({ on: z.boolean() }).optional(),
  either: z.union([z.string().min(2, { error: 'must be longer' }), z.array(fields({ label: z.string() }))]).optional(),
});

function errorsOf(value: unknown) {
  const checked = schema.safeParse(value);
  return checked.success ? [] : toFieldErrors(checked.error.issues);
}

describe('a field error', () => {
  test.each([
    ['a missing field', {}, 'name', 'is required, a string'],
    ['a null', { name: null }, 'name', 'must be a string'],
    ['a wrong type', { name: 5 }, 'name', 'must be a string'],
    ['an array in place of an object', { name: 'a', inner: [] }, 'inner', 'must be an object'],
    ['an object in place of an array', { name: 'a', parts: {} }, 'parts', 'must be an array'],
    ['a fraction', { name: 'a', size: 1.5 }, 'size', 'must be an int'],
    ['a wrong type in the words of its schema', { name: 'a', wait: '5' }, 'wait', 'must be a number of seconds'],
    ['a blank text', { name: ' \n' }, 'name', 'must not be empty'],
    ['an unknown value', { name: 'a', kind: 'green' }, 'kind', 'must be one of: red, blue'],
    ['a field within a list', { name: 'a', parts: [{ label: '' }, {}] }, 'parts.1.label', 'is required, a string'],
    ['what is of none of the kinds that may be', { name: 'a', either: 5 }, 'either', 'must be a string or an array'],
    ['a text of two kinds that may be', { name: 'a', either: 'b' }, 'either', 'must be longer'],
    ['a field within one of two kinds', { name: 'a', either: [{}] }, 'either.0.label', 'is required, a string'],
    ['the whole', 'text', '', 'must be an object'],
  ])('names %s', (_, value, path, message) => {
    expect(errorsOf(value)).toEqual([{ path, message }]);
  });

  test('names each unknown field by itself, and the fields that are known there', () => {
    const message = 'is not a known field; known fields: name, kind, size, wait, parts, inner, either';
    expect(errorsOf({ name: 'a', foo: 1, bar: 2 })).toEqual([
      { path: 'foo', message },
      { path: 'bar', message },
    ]);
    expect(errorsOf({ name: 'a', parts: [{ label: 'b', foo: 1 }] })).toEqual([
      { path: 'parts.0.foo', message: 'is not a known field; known fields: label' },
    ]);
  });

  test('names all that is wrong at once', () => {
    const wrong = errorsOf({ kind: 'green', size: 'big', parts: [5], foo: 1 });
    expect(wrong.map(({ path }) => path).sort()).toEqual(['foo', 'kind', 'name', 'parts.0', 'size']);
  });

  test('names an unknown field that JavaScript knows', () => {
    expect(errorsOf(JSON.parse('{"name":"a","__proto__":1,"constructor":2}')).map(({ path }) => path)).toEqual([
      '__proto__',
      'constructor',
    ]);
  });
});

/** `value` under so many levels of arrays and objects, and the path to it. */
function nested(levels: number, value: Json): { whole: Json; path: string } {
  let whole = value;
  const keys: string[] = [];
  for (let level = 0; level < levels; level++) {
    whole = level % 2 === 0 ? { key: whole } : [whole];
    keys.unshift(level % 2 === 0 ? 'key' : '0');
  }
  return { whole, path: keys.join('.') };
}

describe('what cannot be stored', () => {
  test('is nothing in any value of well-formed text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 8 }), (value) => {
        expect(findUnstorable(value as Json)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test('is half a character, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: LEVELS_MOST }),
        fc.integer({ min: 0xd800, max: 0xdfff }),
        (levels, unit) => {
          const { whole, path } = nested(levels, `a${String.fromCharCode(unit)}b`);
          expect(findUnstorable(whole)).toEqual({ path, message: expect.stringContaining('lone surrogate') });
        },
      ),
    );
  });

  test('is half a character in the name of a field', () => {
    const { whole, path } = nested(3, { [LONE]: 1 });
    expect(findUnstorable(whole)).toEqual({ path, message: expect.stringContaining('lone surrogate') });
  });

  test('is not a whole character outside the basic plane', () => {
    expect(findUnstorable({ '👩‍🔬': ['𝄞', '\ud83d\ude00'] })).toBeUndefined();
  });

  test(`is more than ${LEVELS_MOST} levels, and no fewer`, () => {
    expect(findUnstorable(nested(LEVELS_MOST, 1).whole)).toBeUndefined();
    expect(findUnstorable(nested(LEVELS_MOST + 1, 1).whole)?.message).toContain('levels deep');
  });

  test('is found in a hundred thousand levels without running out of stack', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as Json;
    expect(findUnstorable({ input_data: deep })).toEqual({
      path: 'input_data.0.0',
      message: expect.stringContaining('levels deep'),
    });
  });
});

describe('a text of far too many values', () => {
  test('is known before it is parsed, as one that would be refused in any case', () => {
    let known = 0;
    fc.assert(
      fc.property(
        fc.json({ stringUnit: 'grapheme', maxDepth: 6, noUnicodeString: false } as object),
        fc.integer({ min: 0, max: 20 }),
        (json, most) => {
          if (!findTooMany(json, most)) return;
          known += 1;
          expect(findUnstorable(JSON.parse(json) as Json, { left: most })).toEqual(findTooMany(json, most));
        },
      ),
      { numRuns: 1_000 },
    );
    expect(known).toBeGreaterThan(50);
  });

  test.each([
    ['values', '1,'.repeat(60_001)],
    ['lists', '[],'.repeat(30_001)],
    ['objects', '{"a":{"a":0}},'.repeat(20_001)],
    ['levels', '['.repeat(60_001)],
  ])('is one of %s', (_, text) => {
    expect(findTooMany(`[${text}`)?.message).toBe('the body holds more than 30000 values');
  });

  test.each([
    ['text of brackets', JSON.stringify('[{,"'.repeat(100_000))],
    ['text that ends with a backslash', JSON.stringify(Array(1_000).fill('\\,"\\'))],
    ['as many as may be', JSON.stringify(Array(29_999).fill(0))],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(findTooMany(text)).toBeUndefined();
  });
});
