/**
 * `npm run bench -- --only estimates`: how long what a request holds is looked at before any call: estimates of tokens by
 * kinds of text, and users' schemas and patterns that are made to take for ever. All of it blocks the process, so all is
 * shown beside the same for a tenth of the size.
 */
import { tablePricing } from '../../shared/llm/cost.ts';
import { checkSchema } from '../../shared/llm/structured/schema-rules.ts';
import { validatorOf } from '../../shared/llm/structured/validator.ts';
import { bench, type Rows, rounded } from './support/bench.ts';
import { median } from './support/statistics.ts';

const TEXTS = { letters: 'a', spaces: ' ', words: 'word ', CJK: '漢', emoji: '😀', mixed: 'a分.', stops: '. ' };

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

const PATTERNS = ['^(a+)+$', '^(a|aa)+$', '^(.*a){20}$', '(x+x+)+y'];

await bench(
  {
    name: 'estimates',
    title: 'What is looked at before a call',
    about:
      'How long a process is held by estimating the tokens of a text, by refusing a schema that is made to take for ever, and by matching a pattern that takes a backtracking engine for ever; each beside a tenth of its size, so that what grows faster than its input shows.',
  },
  async ({ sized, say, table, plot }) => {
    const sizes = sized([100_000, 1_000_000], [1_000, 10_000]) as [number, number];
    const runs = sized(5, 1);
    const [smallColumn, largeColumn] = sizes.map((size) => `${size / 1_000} KB, ms`) as [string, string];

    async function timeOf(work: () => unknown): Promise<number> {
      const took: number[] = [];
      for (let run = 0; run < runs; run++) {
        const startedMs = performance.now();
        await work();
        took.push(performance.now() - startedMs);
      }
      return median(took);
    }

    async function row(work: (size: number) => () => unknown) {
      const [small, large] = [await timeOf(work(sizes[0])), await timeOf(work(sizes[1]))];
      return { [smallColumn]: rounded(small), [largeColumn]: rounded(large), ratio: rounded(large / small) };
    }

    function show(title: string, rows: Rows): void {
      table(title, rows);
      plot({
        title: `${title}: ${largeColumn}`,
        kind: 'bars',
        x: { label: '' },
        y: { label: 'ms' },
        points: Object.entries(rows).map(([x, cells]) => ({ x, y: Number(cells[largeColumn]) })),
      });
    }

    const { estimateTokens } = tablePricing();
    const estimates: Rows = {};
    for (const [name, text] of Object.entries(TEXTS)) {
      say(`estimating ${name}`);
      estimates[name] = await row((size) => {
        const whole = text.repeat(Math.ceil(size / text.length));
        return () => estimateTokens(whole);
      });
    }
    show('Estimating the tokens of a text', estimates);

    const refused: Rows = {};
    for (const [name, make] of Object.entries(SCHEMAS)) {
      say(`checking a schema ${name}`);
      const issues = await checkSchema(make(sizes[1]));
      const times = await row((size) => {
        const schema = make(size);
        return () => checkSchema(schema);
      });
      refused[name] = { ...times, refused: issues[0]?.message ?? 'no' };
    }
    show('Refusing a schema', refused);

    const patterns: Rows = {};
    for (const pattern of PATTERNS) {
      say(`matching ${pattern}`);
      const schema = { type: 'object', properties: { a: { type: 'string', pattern } } };
      const { validate } = await validatorOf(schema);
      patterns[pattern] = await row((size) => {
        const value = { a: `${pattern.includes('x') ? 'x'.repeat(size) : 'a'.repeat(size)}!` };
        return () => validate(value);
      });
    }
    show('Matching a pattern that takes a backtracking engine for ever', patterns);
  },
);
