/** What a user's JSON Schema may be, and that no schema and no value takes the process with it. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../shared/core/llm.ts';
import { checkSchema, schemaWarnings } from '../../shared/llm/structured/schema-rules.ts';
import { validatorFor } from '../../shared/llm/structured/validator.ts';

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more }) as JsonObject;
const named = (count: number, schema: object) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, schema]));

function nested(levels: number, inner: object = { type: 'string' }): object {
  let schema = inner;
  for (let level = 0; level < levels; level++) schema = { type: 'object', properties: { a: schema } };
  return schema;
}

async function issueOf(schema: unknown): Promise<string> {
  const [first] = await checkSchema(schema);
  return first ? `${first.path}: ${first.message}` : 'fine';
}

/** A bound ten times wider than what was measured. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const before = performance.now();
  const result = await work();
  expect(performance.now() - before).toBeLessThan(ms);
  return result;
}

test.each<[string, object]>([
  [
    'of all plain keywords',
    object({ a: { type: 'string', minLength: 1 }, b: { enum: [1, null] } }, { required: ['a'] }),
  ],
  ['that is a tree', object({ children: { type: 'array', items: { $ref: '#' } } })],
  [
    'with definitions',
    object({ a: { $ref: '#/$defs/a~1b' } }, { $defs: { 'a/b': { $anchor: 'x' }, c: { $ref: '#x' } } }),
  ],
  [
    'that names its dialect and itself',
    { ...object({}), $schema: 'http://json-schema.org/draft-07/schema#', $id: 'x' },
  ],
  ['of properties that are called like keywords', object({ $ref: { type: 'string' }, $async: {}, type: {} })],
  ['of data that looks like keywords', object({ a: { const: { $ref: 'http://x/' }, default: { $async: true } } })],
  ['with a pattern that JavaScript alone takes', object({ a: { pattern: '^(?=x)' } })],
  ['as deep as may be', nested(9)],
  ['as wide as may be', object(named(5_000, {}))],
])('a schema %s is fine', async (_, schema) => {
  expect(await issueOf(schema)).toBe('fine');
});

test.each<[string, unknown, string]>([
  ['text', 'x', ': must be an object schema'],
  ['true', true, ': must be an object schema'],
  ['a list at the root', { type: 'array' }, 'type: must be an object schema'],
  ['no type at the root', { properties: {} }, 'type: must be an object schema'],
  ['too many levels', nested(10), 'is nested more than 10 levels deep'],
  ['too much JSON', object({}, { description: 'é'.repeat(33_000) }), ': must be at most 64 KiB of JSON'],
  ['too many properties', object(named(5_001, {})), ': must have at most 5000 properties'],
  ['too many enum values', object({ a: { enum: Array.from({ length: 1_001 }, (_, n) => n) } }), '1000 enum values'],
  ['an address', object({ a: { $ref: 'https://example.com/a' } }), 'properties.a.$ref: must lead to a place in this'],
  ['a file', object({ a: { $ref: 'other.json#/a' } }), 'properties.a.$ref: must lead to a place in this'],
  ['nothing', object({ a: { $ref: '#/$defs/a' } }), 'properties.a.$ref: leads to a place where no schema is'],
  ['data', object({ a: { $ref: '#/default' } }, { default: {} }), 'properties.a.$ref: leads to a place where no'],
  ['itself', { type: 'object', $ref: '#' }, '$ref: leads back to itself and never ends'],
  ['itself by a detour', object({ a: { allOf: [{ $ref: '#/properties/a' }] } }), 'leads back to itself'],
  ['a dynamic reference', object({ a: { $dynamicRef: '#a' } }), 'properties.a.$dynamicRef: is not supported'],
  ['asynchronous checks', { ...object({}), $async: true }, '$async: is not supported'],
  [
    'another dialect',
    { ...object({}), $schema: 'https://example.com/mine' },
    '$schema: must be JSON Schema draft 2020',
  ],
  ['an identity inside', object({ a: { $id: 'https://x/' } }), 'properties.a.$id: is allowed at the root only'],
  ['pollution', JSON.parse('{"type":"object","properties":{"__proto__":{}}}'), 'properties: must not name anything'],
  ['a wrong keyword type', object({ a: { type: 'text' } }), 'properties.a.type: must be one of "array"'],
  ['a wrong bound', object({ a: { minLength: -1 } }), 'properties.a.minLength: must be >= 0'],
  ['a broken pattern', object({ a: { pattern: '(' } }), 'properties.a.pattern: must be a regular expression'],
  ['a broken name pattern', object({}, { patternProperties: { '[': {} } }), 'patternProperties.[: must be'],
  ['a pattern without end', object({ a: { pattern: 'a'.repeat(1_001) } }), 'at most 1000 characters'],
  ['a pattern that repeats', object({ a: { pattern: '(a?){1000}'.repeat(99) } }), 'it repeats too much'],
  ['what is not JSON', object({ a: { default: new Date(0) } }), 'properties.a.default: must be JSON'],
  ['a keyword that is no schema', object({ a: { id: 'x', $comment: 1 } }), 'properties.a.$comment: must be a string'],
])('a schema with %s is refused', async (_, schema, sentence) => {
  expect(await issueOf(schema)).toContain(sentence);
});

describe('a hostile schema', () => {
  const cyclic: JsonObject = { type: 'object' };
  cyclic.properties = { a: cyclic };
  test.each<[string, unknown]>([
    ['a megabyte of nesting', JSON.parse(`${'{"not":'.repeat(150_000)}{}${'}'.repeat(150_000)}`)],
    ['a megabyte of lists', JSON.parse('['.repeat(500_000) + ']'.repeat(500_000))],
    ['100,000 keys', object(named(100_000, {}))],
    ['a list that is almost empty', object({}, { enum: new Array(1e9) })],
    ['a circle', cyclic],
    ['one schema a million times', object({ a: { anyOf: Array(1_000_000).fill({}) } })],
    ['hundreds of alternatives', object({ a: { oneOf: Array(3_000).fill({ type: 'null' }) } })],
    ['a long chain', object({}, { $ref: '#/$defs/p0', $defs: chain(2_000) })],
  ])('of %s is refused soon', async (_, schema) => {
    await checkSchema(object({}));
    expect(await within(1_000, () => checkSchema(schema))).not.toEqual([]);
  });

  function chain(length: number): object {
    const entries = Array.from({ length }, (_, n) => [`p${n}`, n === length - 1 ? {} : { $ref: `#/$defs/p${n + 1}` }]);
    return Object.fromEntries(entries);
  }
});

test('what is not checked is said', async () => {
  const schema = object({ a: { pattern: '^(?=x)' }, b: { pattern: '^x' } }, { patternProperties: { '(x)\\1': {} } });
  expect(await schemaWarnings(schema)).toEqual([
    expect.stringContaining('patternProperties.(x)\\1 is not checked'),
    expect.stringContaining('properties.a.pattern is not checked'),
  ]);
});

describe('a value', () => {
  const PERSON = object({ name: { type: 'string' }, age: { type: 'number' } }, { required: ['name'] });

  test.each<[string, object, unknown, string | undefined]>([
    ['that fits', PERSON, { name: 'A', age: 1 }, undefined],
    ['that does not', PERSON, { age: 'x' }, 'name: is required; age: must be a number'],
    ['of another type', PERSON, [], 'the answer must be an object'],
    ['with more', { ...PERSON, additionalProperties: false }, { name: 'A', x: 1 }, 'x: is not allowed'],
    ['of an inherited name', object({}, { required: ['constructor'] }), {}, 'constructor: is required'],
    ['of an enum', object({ a: { enum: ['x', 1] } }), { a: 2 }, 'a: must be one of "x", 1'],
    [
      'of no form',
      object({ a: { anyOf: [{ type: 'null' }, { type: 'string' }] } }),
      { a: 2 },
      'a: must fit one of the',
    ],
    ['of cents', object({ a: { multipleOf: 0.01 } }), { a: 19.99 }, undefined],
    ['of a pattern', object({ a: { pattern: '^\\u0041+$' } }), { a: 'B' }, 'a: must match pattern'],
    ['of an unchecked pattern', object({ a: { pattern: '^(?!B)' } }), { a: 'B' }, undefined],
    [
      'of an unchecked name',
      object({}, { patternProperties: { '^(?=x)': { type: 'null' } }, additionalProperties: false }),
      { xy: 1 },
      undefined,
    ],
    [
      'twice',
      object({ a: { uniqueItems: true } }),
      {
        a: [
          { b: 1, c: [2] },
          { c: [2], b: 1 },
        ],
      },
      'a: must not have items',
    ],
    ['once', object({ a: { uniqueItems: true } }), { a: [1, '1', [1], { a: 1 }, null, 'null'] }, undefined],
  ])('%s is told so', async (_, schema, value, sentence) => {
    const found = (await validatorFor(schema as JsonObject))(value);
    if (sentence === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(sentence);
  });

  test('of five wrong places tells these', async () => {
    const violationOf = await validatorFor(object({ a: { items: { type: 'string' } } }));
    const sentence = violationOf({ a: Array(100_000).fill(1) });
    expect(sentence?.split('; ')).toEqual([0, 1, 2, 3, 4].map((n) => `a.${n}: must be a string`));
  });

  test('is checked by the schema as it was, and by one validator for the same schema', async () => {
    const schema = object({ a: { type: 'string' } });
    const made = validatorFor(schema);
    schema.properties = {};
    expect((await made)({ a: 1 })).toBe('a: must be a string');
    expect(await validatorFor(object({ a: { type: 'string' } }))).toBe(await made);
  });

  test('is not checked by a schema that was refused', async () => {
    await expect(validatorFor({ type: 'array' })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  const a = (schema: object) => object({ a: schema });
  const twice: object = { allOf: [{ $ref: '#/$defs/p1' }, { $ref: '#/$defs/p1' }] };
  const laughs = Object.fromEntries(
    Array.from({ length: 40 }, (_, n): [string, object] => [
      `p${n}`,
      n === 39 ? { minProperties: 1 } : { allOf: [{ $ref: `#/$defs/p${n + 1}` }, { $ref: `#/$defs/p${n + 1}` }] },
    ]),
  );
  const lists = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
  test.each<[string, object, unknown, string]>([
    ['of a catastrophic pattern', a({ pattern: '^(a+)+$' }), { a: `${'a'.repeat(100_000)}!` }, 'must match pattern'],
    ['of 256 KiB of lists', a({}), { a: lists(131_072) }, 'nested more than 100 levels'],
    [
      'that is looked at again and again',
      object({}, { ...twice, $defs: laughs }),
      { a: 1 },
      'too large, or too deeply',
    ],
    [
      'of a list that is looked at twice at each level',
      object(
        { a: { $ref: '#/$defs/l' } },
        { $defs: { l: { items: { $ref: '#/$defs/l' }, contains: { $ref: '#/$defs/l' } } } },
      ),
      { a: lists(60) },
      'must contain',
    ],
    [
      'of millions of violations',
      a({ items: { required: Object.keys(named(5_000, {})) } }),
      { a: Array(80_000).fill({}) },
      'is required',
    ],
    [
      'of many items that must differ',
      a({ uniqueItems: true, items: { type: 'null' } }),
      { a: manyObjects() },
      'must be null',
    ],
  ])('%s takes its time and no more', async (_, schema, value, sentence) => {
    const violationOf = await validatorFor(schema as JsonObject);
    expect(await within(5_000, async () => violationOf(value))).toContain(sentence);
  });

  function manyObjects(): object[] {
    return Array.from({ length: 30_000 }, (_, n) => ({ n }));
  }
});
