/** From a model's text to a value: what is mended, what never is, and what nobody lets in. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { FinishReason, JsonObject } from '../../shared/core/llm.ts';
import { parseStructured } from '../../shared/llm/structured/parse.ts';
import { validatorOf } from '../../shared/llm/structured/validator.ts';

const SCHEMA: JsonObject = { type: 'object', properties: { a: { type: ['number', 'string'] } } };

async function parsed(text: string, finishReason: FinishReason = 'stop', schema = SCHEMA): Promise<unknown> {
  return parseStructured({ text, finishReason }, (await validatorOf(schema)).validate);
}

test.each<[string, string, unknown]>([
  ['plain', '{"a": 1}', { a: 1 }],
  ['of a name that comes twice, of which the last one counts', '{"a": 1, "a": 2}', { a: 2 }],
  ['of text with digits', '{"a": "12345678901234567890"}', { a: '12345678901234567890' }],
  ['of a large number that is exact', '{"a": 100000000000000000000}', { a: 1e20 }],
])('JSON %s is taken as it is', async (_, text, value) => {
  expect(await parsed(text)).toStrictEqual({ value });
});

test.each<[string, string, unknown]>([
  ['in a code fence', 'Here:\n```json\n{"a": 1}\n```\nDone.', { a: 1 }],
  ['with a comma too many', '{"a": 1,}', { a: 1 }],
  ['in single quotes', "{'a': 'x'}", { a: 'x' }],
  ['of Python', '{"a": "x", "b": None, "c": True}', { a: 'x', b: null, c: true }],
  ['without quotes at its names, with comments', '{a: 1, /* b */ // c\n}', { a: 1 }],
  ['with bare line ends in its text', '{"a": "x\ny"}', { a: 'x\ny' }],
  ['in a fence, with a comma too many', '```\n{"a": 1,}\n```', { a: 1 }],
])('JSON %s is mended, and said to be', async (_, text, value) => {
  expect(await parsed(text)).toStrictEqual({ value, wasRepaired: true });
  expect(await parsed(text, 'tool_calls')).toStrictEqual({ value, wasRepaired: true });
});

test.each<[string, string, string]>([
  ['prose', 'I cannot do that.', 'the answer is not JSON'],
  ['nothing but a fence', '```', 'the answer is not JSON'],
  ['half an object', '{"a": 1, "b": {"c": 2}', 'ends in the middle'],
  ['half a text', '{"a": "x', 'ends in the middle'],
  ['half a fence', '```json\n{"a": 1, "b": [', 'ends in the middle'],
  ['half an object after a word', 'Here: {"a": 1, "b": [', 'ends in the middle'],
  ['no number', '{"a": NaN', 'ends in the middle'],
  ['a number that is none', '{"b": -Infinity, "a": [NaN]}', 'the answer is not JSON'],
  // Whatever stood there would be a guess.
  ['half a number', '{"a": 2e}', 'the answer is not JSON'],
  ['a sign alone', '{"a": -}', 'the answer is not JSON'],
  ['a name without a value', '{"b": 1, "a":}', 'the answer is not JSON'],
  ['what JavaScript calls nothing', '{"a": undefined}', 'the answer is not JSON'],
  ['a list that was cut short', '{"a": 1, "b": [1, 2, ...]}', 'the answer is not JSON'],
  ['quotes in its text', '{"a": "he said "hi" to me"}', 'the answer is not JSON'],
  ['quotes and commas in its text', '{"a": "He said "no", then "left""}', 'the answer is not JSON'],
  ['a large number written as a fraction', '{"a": 12345678901234567890.0}', 'the number 12345678901234567890.0'],
  ['a number without end', '{"a": 1e999}', 'the number 1e999'],
  ['an integer of too many digits', '{"a": 12345678901234567890}', 'the number 12345678901234567890'],
  ['a wrong value', '{"a": []}', 'a: must be a number or a string'],
])('%s is a violation', async (_, text, sentence) => {
  expect(await parsed(text)).toEqual({ violation: expect.stringContaining(sentence) });
});

test.each(['{"a": 1', '{"a": 1}', '7', ''])('%j that ended at the output limit is never taken', async (text) => {
  await expect(parsed(text, 'length')).rejects.toMatchObject({
    code: 'answer_truncated',
    message: expect.stringContaining('max_tokens'),
  });
});

test('an answer that was withheld is not mended', async () => {
  expect(await parsed('{"a": 1,}', 'content_filter')).toEqual({ violation: 'the answer is not JSON' });
});

test('nothing pollutes', async () => {
  const answer = await parsed('{"a": 1, "__proto__": {"bad": 1}, "b": [{"__proto__": {"bad": 1}}]}');
  expect(answer).toEqual({ value: { a: 1, b: [{}] }, wasRepaired: true });
  expect(JSON.stringify(answer)).not.toContain('bad');
  expect(JSON.stringify(await parsed('{"a": 1, "__proto__": {"bad": 1},}'))).not.toContain('bad');
});

// Measured: under half a second each, where the package's other entry took two minutes.
test.each<[string, string]>([
  ['quotes', `{"a": "${'x"y '.repeat(60_000)}"}`],
  ['missing commas', `{${'"a":"b" '.repeat(26_000)}}`],
  ['open lists', '['.repeat(262_144)],
  ['lists and a word', `${'['.repeat(100_000)}${']'.repeat(100_000)} x ]`],
  ['comments', '/*'.repeat(120_000)],
  ['lists', '['.repeat(131_072) + ']'.repeat(131_072)],
  ['digits', `{"a": ${'9'.repeat(260_000)}}`],
])('256 KiB of %s take neither the process nor its time', async (_, text) => {
  const before = performance.now();
  await parsed(text).then((answer) => expect(Object.keys(answer as object)).not.toEqual([]));
  expect(performance.now() - before).toBeLessThan(5_000);
});

test('zod checks with its refinements, and its value is kept', async () => {
  const schema = z.object({
    a: z.string().refine(async (text) => text !== 'no', 'must not be no'),
    n: z.number().default(3),
    at: z.string().transform((text) => new Date(text)),
  });
  const { jsonSchema, validate } = await validatorOf(schema);
  expect(jsonSchema).toMatchObject({ type: 'object', required: ['a', 'at'], properties: { at: { type: 'string' } } });
  expect(await validate({ a: 'x', at: '2026-01-01' })).toEqual({
    value: { a: 'x', n: 3, at: '2026-01-01T00:00:00.000Z' },
  });
  expect(await validate({ a: 'no', at: '2026-01-01' })).toEqual({ violation: 'a: must not be no' });
  expect(await validate({ a: 1 })).toEqual({ violation: expect.stringMatching(/^a: .*; at: /) });
});

test.each<[string, z.ZodType, string]>([
  ['a type that JSON has not', z.object({ a: z.bigint() }), 'BigInt'],
  ['a date', z.object({ a: z.date() }), 'Date'],
  ['another root', z.array(z.string()), 'object schema'],
])('a zod schema of %s is refused by name', async (_, schema, word) => {
  await expect(validatorOf(schema)).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining(word),
  });
});

const LARGE = 'x'.repeat(300_000);

test.each([
  ['a text', `{"a": "${LARGE}"}`, { a: LARGE }],
  ['numbers', `{"a": 1, "b": [${'1.5e3,'.repeat(60_000)}0]}`, { a: 1, b: [...Array(60_000).fill(1_500), 0] }],
  ['one in a fence', `\`\`\`json\n{"a": "${LARGE}"}\n\`\`\``, { a: LARGE }],
])('a large answer that is JSON is taken: %s', async (_, text, value) => {
  expect(await parsed(text)).toMatchObject({ value });
});

test.each([
  ['its syntax is not mended', `{"a": "${LARGE}",}`, 'not JSON, and longer than the 262144 characters that are mended'],
  ['nor is it closed', `{"a": "${LARGE}`, 'ends in the middle'],
  ['it has no millions of values', `{"a": 1, "b": [${'[],'.repeat(1_100_000)}0]}`, 'more than 1000000 values'],
  ['numbers are looked at, too', `{"b": "${LARGE}", "a": 12345678901234567890}`, 'the number 12345678901234567890'],
])('of a large answer %s', async (_, text, violation) => {
  expect(await parsed(text)).toEqual({ violation: expect.stringContaining(violation) });
});
