/**
 * `npm run bench:estimates`: how long what a request holds is looked at before any call: estimates of tokens by kinds of
 * text, and users' schemas and patterns that are made to take for ever. All of it blocks the process, so all is shown
 * beside the same for a tenth of the size.
 */
import { tablePricing } from '../../shared/llm/cost.ts';
import { checkSchema } from '../../shared/llm/structured/schema-rules.ts';
import { validatorOf } from '../../shared/llm/structured/validator.ts';

const TEXTS = { letters: 'a', spaces: ' ', words: 'word ', CJK: '漢', emoji: '😀', mixed: 'a分.', stops: '. ' };
const SIZES = [100_000, 1_000_000] as const;
const RUNS = 5;

const { estimateTokens } = tablePricing();
const rounded = (value: number) => Math.round(value * 100) / 100;

/** The median of some runs, in milliseconds. */
async function timeOf(work: () => unknown): Promise<number> {
  const took: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startedMs = performance.now();
    await work();
    took.push(performance.now() - startedMs);
  }
  return took.sort((a, b) => a - b)[Math.floor(RUNS / 2)] ?? Number.NaN;
}

async function row(work: (size: number) => () => unknown) {
  const [small, large] = [await timeOf(work(SIZES[0])), await timeOf(work(SIZES[1]))];
  return { '100 KB, ms': rounded(small), '1 MB, ms': rounded(large), ratio: rounded(large / small) };
}

const estimates: Record<string, object> = {};
for (const [name, text] of Object.entries(TEXTS)) {
  process.stderr.write(`\restimating ${name}   `);
  estimates[name] = await row((size) => {
    const whole = text.repeat(Math.ceil(size / text.length));
    return () => estimateTokens(whole);
  });
}

const nested = (levels: number) => {
  let schema: object = { type: 'object' };
  for (let level = 0; level < levels; level++) schema = { type: 'object', properties: { a: schema } };
  return schema;
};
const wide = (names: number) => ({
  type: 'object',
  properties: Object.fromEntries(Array.from({ length: names }, (_, n) => [`p${n}`, { type: 'string' }])),
});
const SCHEMAS: Record<string, (size: number) => object> = {
  'nested without end': (size) => nested(size / 40),
  'with very many properties': (size) => wide(size / 25),
  'with one enum of very many values': (size) => ({
    type: 'object',
    properties: { a: { enum: Array.from({ length: size / 8 }, (_, n) => n) } },
  }),
  'with a pattern as long as it is': (size) => ({
    type: 'object',
    properties: { a: { type: 'string', pattern: `(${'a?'.repeat(size / 2)})` } },
  }),
};
const refused: Record<string, object> = {};
for (const [name, make] of Object.entries(SCHEMAS)) {
  process.stderr.write(`\rchecking a schema ${name}   `);
  const issues = await checkSchema(make(SIZES[1]));
  refused[name] = {
    ...(await row((size) => {
      const schema = make(size);
      return () => checkSchema(schema);
    })),
    refused: issues[0]?.message ?? 'no',
  };
}

const PATTERNS = ['^(a+)+$', '^(a|aa)+$', '^(.*a){20}$', '(x+x+)+y'];
const patterns: Record<string, object> = {};
for (const pattern of PATTERNS) {
  process.stderr.write(`\rmatching ${pattern}   `);
  const schema = { type: 'object', properties: { a: { type: 'string', pattern } } };
  const { validate } = await validatorOf(schema);
  patterns[pattern] = await row((size) => {
    const value = { a: `${pattern.includes('x') ? 'x'.repeat(size) : 'a'.repeat(size)}!` };
    return () => validate(value);
  });
}

process.stderr.write('\r');
console.log('Estimating the tokens of a text');
console.table(estimates);
console.log('Refusing a schema');
console.table(refused);
console.log('Matching a pattern that takes a backtracking engine for ever');
console.table(patterns);
