/** A user's schema in each vendor's dialect: never something else than the user said. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../shared/core/job.ts';
import type { JsonObject } from '../../shared/core/llm.ts';
import { toAnthropicSchema, toGeminiSchema, toOpenaiFormat } from '../../shared/llm/structured/dialects.ts';
import { instanceOf } from '../../shared/llm/structured/instance.ts';
import { validatorFor } from '../../shared/llm/structured/validator.ts';

const object = (properties: object, required: string[] = Object.keys(properties), more: object = {}) =>
  ({ type: 'object', properties, required, ...more }) as JsonObject;
const closed = (properties: object, required?: string[]) =>
  object(properties, required, { additionalProperties: false });
const NULLABLE = { anyOf: [{ type: 'string' }, { type: 'null' }] };

describe('for OpenAI', () => {
  test.each<[string, JsonObject, JsonObject]>([
    [
      'closes objects and drops what is refused',
      {
        ...object({ a: { type: 'string', maxLength: 3, default: 'x', pattern: '^a' } }),
        $schema: 'https://json-schema.org/draft/2020-12/schema',
      },
      closed({ a: { type: 'string', pattern: '^a' } }),
    ],
    [
      'requires what may be null',
      object({ a: NULLABLE, b: { type: 'integer' } }, ['b']),
      closed({ a: NULLABLE, b: { type: 'integer' } }),
    ],
    ['says oneOf as anyOf', object({ a: { oneOf: NULLABLE.anyOf } }), closed({ a: NULLABLE })],
    [
      'names the type of literals',
      object({ a: { const: 'x' }, b: { enum: [1, null] } }),
      closed({ a: { const: 'x', type: 'string' }, b: { enum: [1, null], type: ['number', 'null'] } }),
    ],
    [
      'keeps references, with nothing beside them',
      object({ a: { $ref: '#/$defs/d', description: 'x' } }, ['a'], {
        $defs: { d: object({ n: { anyOf: [{ $ref: '#/$defs/d' }, { type: 'null' }] } }, []) },
      }),
      {
        ...closed({ a: { $ref: '#/$defs/d' } }),
        $defs: { d: closed({ n: { anyOf: [{ $ref: '#/$defs/d' }, { type: 'null' }] } }) },
      },
    ],
    [
      'keeps no pattern with look-around',
      object({ a: { type: 'string', pattern: '^(?!a)' } }),
      closed({ a: { type: 'string' } }),
    ],
    [
      'goes into lists',
      object({ a: { type: 'array', items: object({ b: { type: 'null' } }), uniqueItems: true } }),
      closed({ a: { type: 'array', items: closed({ b: { type: 'null' } }) } }),
    ],
  ])('%s', (_, schema, sent) => {
    expect(toOpenaiFormat(schema)).toEqual({ schema: sent, strict: true });
  });

  test.each<[string, JsonObject]>([
    ['a property that may be left out, and not be null', object({ a: { type: 'string' } }, [])],
    [
      'a property that may be left out and be null by a number',
      object({ a: { type: 'string', enum: ['x', null] } }, []),
    ],
    ['open objects', object({}, [], { additionalProperties: { type: 'string' } })],
    ['objects of any names', object({ a: { type: 'object' } })],
    ['a name that is required and not described', object({ a: { type: 'string' } }, ['a', 'b'])],
    ['a value of any type', object({ a: {} })],
    ['lists of anything', object({ a: { type: 'array' } })],
    ['tuples', object({ a: { type: 'array', prefixItems: [{ type: 'null' }], items: { type: 'string' } } })],
    ['conditions', object({ a: { type: 'string', not: { const: 'x' } } })],
    ['what is said twice', object({ a: { allOf: [{ type: 'string' }] } })],
    ['alternatives beside properties', object({ a: { type: 'null' } }, ['a'], { anyOf: [{ required: ['a'] }] })],
    ['too few properties allowed', object({ a: { type: 'null' }, b: { type: 'null' } }, [], { maxProperties: 1 })],
    ['a reference into itself', object({ a: { type: 'string' }, b: { $ref: '#/properties/a' } })],
  ])('%s cannot be strict, and stay as they are', (_, schema) => {
    expect(toOpenaiFormat(schema)).toEqual({ schema, strict: false });
  });
});

test.each<[string, JsonObject, JsonObject]>([
  ['const', object({ a: { const: 'x' } }), object({ a: { enum: ['x'], type: 'string' } })],
  ['true as the only value', object({ a: { const: true } }), object({ a: { type: 'boolean' } })],
  ['oneOf', object({ a: { oneOf: NULLABLE.anyOf } }), object({ a: NULLABLE })],
  [
    'exclusive bounds',
    object({ a: { type: 'number', exclusiveMinimum: 1, minimum: 0, exclusiveMaximum: 5 } }),
    object({ a: { type: 'number', minimum: 1, maximum: 5 } }),
  ],
  [
    'unknown words',
    { ...object({ a: { type: 'string', pattern: 'x', format: 'email' } }), $schema: 'x' },
    object({ a: { type: 'string' } }),
  ],
  [
    'definitions',
    object({ a: { $ref: '#/definitions/d', title: 'x' } }, ['a'], { definitions: { d: { const: 1 } } }),
    object({ a: { $ref: '#/$defs/d' } }, ['a'], { $defs: { d: { enum: [1], type: 'number' } } }),
  ],
  [
    'open and closed objects',
    object({ a: object({}, [], { additionalProperties: false }) }, [], { additionalProperties: { const: 1 } }),
    object({ a: object({}, [], { additionalProperties: false }) }, [], {
      additionalProperties: { enum: [1], type: 'number' },
    }),
  ],
  ['all and nothing', object({ a: true, b: false }, []), object({ a: {} }, [])],
  [
    'one of one',
    object({ a: { allOf: [{ type: 'string' }], title: 'T' } }),
    object({ a: { title: 'T', type: 'string' } }),
  ],
])('Gemini is told %s in its own words', (_, schema, sent) => {
  expect(toGeminiSchema(schema)).toEqual(sent);
});

test.each<[string, JsonObject, JsonObject]>([
  ['closed objects', object({ a: object({}, []) }, []), closed({ a: closed({}, []) }, [])],
  [
    'no bounds',
    object({ a: { type: 'number', minimum: 1, multipleOf: 2 }, b: { type: 'string', maxLength: 1, format: 'email' } }),
    closed({ a: { type: 'number' }, b: { type: 'string', format: 'email' } }),
  ],
  [
    'lists that are empty or not',
    object({ a: { type: 'array', minItems: 1, items: { type: 'null' } }, b: { type: 'array', minItems: 2 } }),
    closed({ a: { type: 'array', minItems: 1, items: { type: 'null' } }, b: { type: 'array' } }),
  ],
  [
    'no rest of a tuple as all of it',
    object({ a: { type: 'array', prefixItems: [{}], items: { type: 'null' } } }),
    closed({ a: { type: 'array' } }),
  ],
  [
    'what all forms add',
    object({ a: { type: 'null' } }, ['a'], { oneOf: [object({ b: { const: 1 } }), object({ b: { const: 2 } })] }),
    closed({ b: { anyOf: [{ const: 1 }, { const: 2 }] }, a: { type: 'null' } }, ['a']),
  ],
])('Anthropic is told %s', (_, schema, sent) => {
  expect(toAnthropicSchema(schema)).toEqual(sent);
});

/** Schemas of what all vendors know; `bounds`: also of what some drop. */
function schemas(bounds: boolean): fc.Arbitrary<JsonObject> {
  const small = fc.integer({ min: 0, max: 3 });
  const scalar = fc.oneof(
    fc.constant({ type: 'string' }),
    fc.constant({ type: ['integer', 'null'] }),
    small.map((minimum) => ({ type: 'integer', minimum })),
    fc
      .uniqueArray(fc.oneof(small, fc.constantFrom('x', null)), { minLength: 1, maxLength: 3 })
      .map((values) => ({ enum: values })),
    fc.constantFrom<Json>('x', 1, true).map((value) => ({ const: value })),
    ...(bounds ? [small.map((minLength) => ({ type: 'string', minLength, default: 'x' }))] : []),
  );
  const { root } = fc.letrec<{ node: JsonObject; root: JsonObject }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      scalar as fc.Arbitrary<JsonObject>,
      tie('root'),
      tie('node').map((items): JsonObject => ({ type: 'array', items })),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((anyOf): JsonObject => ({ anyOf })),
      ...(bounds
        ? [fc.tuple(tie('node'), small).map(([items, minItems]): JsonObject => ({ type: 'array', items, minItems }))]
        : []),
    ),
    root: fc
      .tuple(
        fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('node'), { minKeys: 1 }),
        fc.oneof({ weight: 3, arbitrary: fc.constant(['a', 'b', 'c', 'd']) }, fc.subarray(['a', 'b', 'c', 'd'])),
        fc.boolean(),
      )
      .map(
        ([properties, names, isClosed]): JsonObject => ({
          ...{ type: 'object', properties, required: names.filter((name) => name in properties) },
          ...(isClosed ? { additionalProperties: false } : {}),
        }),
      ),
  }));
  return root;
}

test('what fits the strict schema fits the schema of the user', async () => {
  const scalars = fc.constantFrom<Json>('x', '', 1, 0, 3, true, null, [], {});
  let strictOnes = 0;
  await fc.assert(
    fc.asyncProperty(schemas(false), fc.array(scalars), async (schema, noise) => {
      const before = structuredClone(schema);
      const { schema: sent, strict } = toOpenaiFormat(schema);
      expect(schema).toEqual(before);
      if (!strict) {
        expect(sent).toEqual(schema);
        return;
      }
      strictOnes++;
      const [isSent, isOurs] = [await validatorFor(sent), await validatorFor(schema)];
      const { value, fits } = await instanceOf(sent);
      expect(fits).toBe(true);
      for (const each of [value, ...noise.flatMap((other) => variantsOf(value, other))]) {
        if (isSent(each) === undefined) expect(isOurs(each)).toBeUndefined();
      }
    }),
    { numRuns: 50 },
  );
  expect(strictOnes).toBeGreaterThan(5);
});

test('what is sent to nobody contradicts the schema: there is an answer that fits both', async () => {
  await fc.assert(
    fc.asyncProperty(schemas(true), async (schema) => {
      const { value, fits } = await instanceOf(schema);
      expect(fits).toBe(true);
      const dialects = [toOpenaiFormat(schema).schema, toGeminiSchema(schema), toAnthropicSchema(schema)];
      for (const sent of dialects) expect((await validatorFor(sent))(value)).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});

/** The value with another one in each of its first places. */
function variantsOf(value: Json, other: Json): Json[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const without = (name: string) => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
  return Object.keys(value).flatMap((name) => [{ ...value, [name]: other }, without(name), { ...value, more: other }]);
}
