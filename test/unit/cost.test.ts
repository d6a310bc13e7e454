/** What calls cost: against sums made by hand from the vendors' price lists; how much may be said for how much money. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toUsd } from '../../shared/core/costs.ts';
import type { LlmRequest } from '../../shared/core/llm.ts';
import { tablePricing } from '../../shared/llm/cost.ts';

const pricing = tablePricing();
const NOW = Date.UTC(2026, 6, 1);

type Counted = { in: number; out: number; cached?: number; thought?: number };
function costOf(model: string, { in: inputTokens, out: outputTokens, cached, thought }: Counted, atMs = NOW) {
  const [provider = '', ...name] = model.split(':');
  const totalTokens = inputTokens + outputTokens;
  const usage = { inputTokens, outputTokens, totalTokens, cachedInputTokens: cached, reasoningTokens: thought };
  return pricing.costOf({ provider, model: name.join(':') }, usage, atMs);
}

describe('a call costs, in nano-dollars,', () => {
  test.each<[string, Counted, number, string]>([
    ['openai:gpt-4o-mini', { in: 1_000, out: 1_000 }, 750_000, '1,000 × 150 + 1,000 × 600'],
    ['openai:gpt-4o-mini-2024-07-18', { in: 21, out: 9 }, 8_550, '21 × 150 + 9 × 600, under its dated name'],
    ['openai:gpt-4o', { in: 1_000, out: 1_000 }, 12_500_000, '1,000 × 2,500 + 1,000 × 10,000'],
    ['openai:gpt-4', { in: 7, out: 3 }, 390_000, '7 × 30,000 + 3 × 60,000'],
    ['openai:gpt-4', { in: 7, out: 3, cached: 5 }, 390_000, 'no cheaper for what was cached: it has no such price'],
    ['openai:gpt-5-mini', { in: 1_000, out: 500 }, 1_250_000, '1,000 × 250 + 500 × 2,000'],
    ['openai:gpt-5-mini', { in: 1_000, out: 500, cached: 400 }, 1_160_000, '600 × 250 + 400 × 25 + 500 × 2,000'],
    ['openai:gpt-5-mini', { in: 1_000, out: 500, cached: 1_000 }, 1_025_000, '1,000 × 25 + 500 × 2,000'],
    [
      'openai:gpt-5-mini',
      { in: 1_000, out: 500, thought: 320 },
      1_250_000,
      'the same: reasoning is a part of the output',
    ],
    ['openai:gpt-5-nano', { in: 3, out: 1, cached: 1 }, 505, '2 × 50 + 1 × 5 + 1 × 400'],
    ['gemini:gemini-2.5-flash', { in: 1_000, out: 1_000 }, 2_800_000, '1,000 × 300 + 1,000 × 2,500'],
    ['gemini:gemini-2.5-flash', { in: 1_000, out: 1_000, thought: 900 }, 2_800_000, 'thoughts priced once'],
    [
      'gemini:gemini-2.5-flash',
      { in: 1_000, out: 40, cached: 256, thought: 30 },
      330_880,
      '744 × 300 + 256 × 30 + 40 × 2,500',
    ],
    ['vertex:google/gemini-2.5-flash', { in: 1_000, out: 1_000 }, 2_800_000, 'the same through Vertex AI'],
    ['vertex:gemini-2.5-flash', { in: 1_000, out: 1_000 }, 2_800_000, 'and without its publisher'],
    ['gemini:gemini-1.5-flash', { in: 1, out: 1, cached: 1 }, 319, '18.75 + 300, rounded once'],
    ['gemini:gemini-1.5-flash', { in: 3, out: 1, cached: 3 }, 356, '3 × 18.75 + 300 = 356.25, not 3 × 19 + 300'],
    ['gemini:gemini-2.5-pro', { in: 200_000, out: 1_000 }, 260_000_000, '200,000 × 1,250 + 1,000 × 10,000'],
    [
      'gemini:gemini-2.5-pro',
      { in: 200_001, out: 1_000 },
      515_002_500,
      'all at the next tier: 200,001 × 2,500 + 1,000 × 15,000',
    ],
    ['gemini:gemini-2.5-pro', { in: 100_000, out: 250_000 }, 2_625_000_000, 'the tier is that of the input alone'],
    [
      'gemini:gemini-2.5-pro',
      { in: 300_000, out: 10, cached: 100_000 },
      525_150_000,
      '200,000 × 2,500 + 100,000 × 250 + 10 × 15,000',
    ],
    [
      'anthropic:claude-opus-4-1',
      { in: 100, out: 10, cached: 40 },
      1_710_000,
      '60 × 15,000 + 40 × 1,500 + 10 × 75,000',
    ],
    ['anthropic:claude-sonnet-4-5-20250929', { in: 10, out: 10 }, 180_000, '10 × 3,000 + 10 × 15,000'],
    ['openai:gpt-5-mini', { in: 0, out: 0 }, 0, 'nothing for nothing'],
    ['simulated:simulated', { in: 1_000_000, out: 1_000_000 }, 0, 'nothing: it is not paid for'],
  ])('of %s with %o: %d (%s)', async (model, usage, nanoUsd) => {
    expect(await costOf(model, usage)).toBe(nanoUsd);
  });

  test.each([
    ['2020-01-01', 50_000],
    ['2025-06-09', 50_000],
    ['2025-06-10', 10_000],
    ['2026-06-10', 10_000],
  ])('what it cost then: a token in and one out of o3 on %s is %d', async (day, nanoUsd) => {
    expect(await costOf('openai:o3', { in: 1, out: 1 }, Date.parse(day))).toBe(nanoUsd);
  });

  test.each([
    'openai:gpt-nobody-knows',
    'openai:gpt-4o-mini-evil',
    'openai:gemini-2.5-flash',
    'openai-compatible:llama3.2',
    'openai-compatible:gpt-4o-mini',
    'nobody:gpt-4o-mini',
    'constructor:gpt-4o-mini',
    'openai:',
  ])('nobody knows what of %s: null, not 0', async (model) => {
    expect(await costOf(model, { in: 1_000, out: 1_000 })).toBeNull();
  });

  test.each<[string, Counted]>([
    ['a negative count', { in: -5, out: 10 }],
    ['a fraction', { in: 1.5, out: 10 }],
    ['no number', { in: Number.NaN, out: 10 }],
    ['infinitely many', { in: 10, out: Number.POSITIVE_INFINITY }],
    ['more than can be counted', { in: 1e300, out: 1 }],
    ['more than can be summed', { in: Number.MAX_SAFE_INTEGER, out: Number.MAX_SAFE_INTEGER }],
    ['text', { in: '7' as unknown as number, out: 1 }],
  ])('nobody knows what when the provider reports %s', async (_, usage) => {
    expect(await costOf('openai:gpt-5-mini', usage)).toBeNull();
  });

  test.each([20, -1, 0.5, Number.NaN])('the full price when %d of 10 tokens are said to be cached', async (cached) => {
    expect(await costOf('openai:gpt-5-mini', { in: 10, out: 1, cached })).toBe(10 * 250 + 2_000);
  });

  test('nobody knows what at no instant', async () => {
    expect(await costOf('openai:o3', { in: 1, out: 1 }, Number.NaN)).toBeNull();
  });

  test('whole nano-dollars, whatever was used', async () => {
    const models = [
      'openai:gpt-5-nano',
      'gemini:gemini-1.5-flash',
      'gemini:gemini-2.5-pro',
      'anthropic:claude-opus-4-1',
    ];
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...models), tokens, tokens, tokens, async (model, input, out, cached) => {
        const cost = await costOf(model, { in: input, out, cached: Math.min(cached, input) });
        expect(Number.isSafeInteger(cost)).toBe(true);
        expect(cost).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('the same when the network is cut: prices are within the package', () => {
    const script = `
      const cut = () => { throw new Error('the network was asked'); };
      const { Socket } = (await import('node:net')).default;
      const dns = (await import('node:dns')).default;
      [globalThis.fetch, Socket.prototype.connect, dns.lookup] = [cut, cut, cut];
      const { tablePricing } = await import('./shared/llm/cost.ts');
      const usage = { inputTokens: 1_000, outputTokens: 500, totalTokens: 1_500 };
      console.log(await tablePricing().costOf({ provider: 'openai', model: 'gpt-5-mini' }, usage, ${NOW}));
      // The cut is one.
      (await import('node:http')).get('http://127.0.0.1:9');`;
    const cwd = join(import.meta.dirname, '../..');
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd,
      encoding: 'utf8',
    });
    expect(stdout.trim()).toBe('1250000');
    expect(stderr).toContain('the network was asked');
  });
});

test('nano-dollars are shown as dollars', () => {
  expect([0, 1, 8_550, 1_250_000, 1_000_000_000_000].map(toUsd)).toEqual([0, 1e-9, 0.00000855, 0.00125, 1_000]);
});

const ask = (content: string, more: Partial<LlmRequest> = {}): LlmRequest => ({
  model: 'm',
  messages: [{ role: 'user', content }],
  ...more,
});

describe('an estimate of tokens', () => {
  test('is a token for about four characters of English, as its vendors say', () => {
    const prose =
      'The quick brown fox jumps over the lazy dog, and nobody knows why it does so again and again. '.repeat(20);
    expect(pricing.estimateTokens(prose)).toBeGreaterThan(prose.length / 6);
    expect(pricing.estimateTokens(prose)).toBeLessThan(prose.length / 3);
    expect(pricing.estimateTokens('')).toBe(0);
  });

  test.each(['สวัสดีครับ', 'مرحبا', 'שלום', 'नमस्ते', '𠀀'])(
    'is a token for eight bytes at least, also of %s: not seven characters for one',
    (word) => {
      const text = `${word} `.repeat(100);
      expect(pricing.estimateTokens(text)).toBeGreaterThanOrEqual(Buffer.byteLength(text) / 8);
      expect(pricing.estimateTokens(word.repeat(100))).toBeGreaterThan((word.length * 100) / 7);
    },
  );

  test('counts messages, tools, a schema and images beside the text', () => {
    const least = pricing.estimateInputTokens(ask('Hello.'));
    expect(least).toBeGreaterThanOrEqual(4 + 1);
    const image = { type: 'image', url: `data:image/png;base64,${'A'.repeat(100_000)}` } as const;
    const content = [{ type: 'text', text: 'Hello.' } as const, image];
    expect(pricing.estimateInputTokens({ model: 'm', messages: [{ role: 'user', content }] })).toBe(least + 1_000);
    const schema = { type: 'object', properties: { name: { type: 'string' } } };
    const tools = [{ name: 'find', description: 'Finds a person by name.', parameters: schema }];
    expect(pricing.estimateInputTokens(ask('Hello.', { tools }))).toBeGreaterThan(least + 15);
    expect(pricing.estimateInputTokens(ask('Hello.', { responseSchema: { name: 'p', schema } }))).toBeGreaterThan(
      least + 10,
    );
  });

  const CHARACTERS = {
    a: 'a',
    Z: 'Z',
    7: '7',
    space: ' ',
    newline: '\n',
    nul: '\0',
    dot: '.',
    CJK: '分',
    kana: 'か',
    hangul: '한',
    ideographicStop: '。',
    emoji: '😀',
    family: '👨‍👩‍👧‍👦',
    heart: '❤️',
    joiner: '\u200d',
    surrogate: '\ud800',
    umlaut: 'ä',
    greek: 'ά',
    cyrillic: 'я',
    thai: 'ก',
    wordsOfOne: 'a ',
    stops: '. ',
    mixed: 'a分.',
  };

  test.each(Object.entries(CHARACTERS))(
    'of a megabyte of %s takes about ten times as long as of 100 KB',
    (_, character) => {
      const text = character.repeat(Math.ceil(1_000_000 / Buffer.byteLength(character)));
      const fastestMs = (part: string) =>
        Math.min(
          ...[1, 2].map(() => {
            const startedMs = performance.now();
            pricing.estimateTokens(part);
            return performance.now() - startedMs;
          }),
        );
      const tenthMs = fastestMs(text.slice(0, text.length / 10));
      // Squared, it would be a hundred times. Memory is slower than caches, and four jobs may hold a megabyte in all.
      expect(fastestMs(text)).toBeLessThan(Math.max(50 * tenthMs, 400));
    },
  );
});

describe('within a limit', () => {
  const MINI = { provider: 'openai', model: 'gpt-5-mini' };
  const PRO = { provider: 'gemini', model: 'gemini-2.5-pro' };
  const long = 'word '.repeat(250_000);

  async function worst(model: typeof MINI, request: LlmRequest, outputTokens: number) {
    const inputTokens = pricing.estimateInputTokens(request);
    return (await costOf(`${model.provider}:${model.model}`, { in: inputTokens, out: outputTokens })) ?? Number.NaN;
  }

  test('the output limit is what is left, to the token', async () => {
    const request = ask('Hello.');
    const input = await worst(MINI, request, 0);
    const limited = await pricing.cap(MINI, request, input + 100 * 2_000, NOW);
    expect(limited).toEqual({ request: { ...request, maxOutputTokens: 100 } });
    expect(await pricing.cap(MINI, request, input + 100 * 2_000 - 1, NOW)).toMatchObject({
      request: { maxOutputTokens: 99 },
    });
  });

  test('the input of a higher tier leaves less', async () => {
    const request = ask(long);
    expect(pricing.estimateInputTokens(request)).toBeGreaterThan(200_000);
    const input = await worst(PRO, request, 0);
    expect(input).toBe(pricing.estimateInputTokens(request) * 2_500);
    expect(await pricing.cap(PRO, request, input + 50 * 15_000, NOW)).toMatchObject({
      request: { maxOutputTokens: 50 },
    });
  });

  test('no call costs more than it may', async () => {
    const tokens = fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 300_000 }));
    const asked = fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined });
    // With the most that each can say in one answer.
    const models = [
      [MINI, 128_000],
      [PRO, 65_536],
      [{ provider: 'openai', model: 'gpt-4' }, 8_192],
      [{ provider: 'gemini', model: 'gemini-1.5-flash' }, 65_536],
    ] as const;
    let held = 0;
    await fc.assert(
      fc.asyncProperty(
        ...[fc.constantFrom(...models), tokens, asked, fc.double({ min: 5, max: 9.3, noNaN: true })],
        async ([model, saysMost], count, maxOutputTokens, magnitude) => {
          const most = Math.round(10 ** magnitude);
          const request = ask('a'.repeat(count * 7), { maxOutputTokens });
          const answer = await pricing.cap(model, request, most, NOW);
          if ('refused' in answer) {
            expect(await worst(model, request, Math.min(16, maxOutputTokens ?? 16))).toBeGreaterThan(most);
            return;
          }
          const limit = answer.request.maxOutputTokens;
          expect(answer.request).toEqual({ ...request, maxOutputTokens: limit });
          expect(limit ?? 0).toBeLessThanOrEqual(maxOutputTokens ?? saysMost);
          expect(await worst(model, request, limit ?? saysMost)).toBeLessThanOrEqual(most);
          if (limit !== maxOutputTokens) {
            held += 1;
            expect(await worst(model, request, (limit ?? 0) + 1)).toBeGreaterThan(most);
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(held).toBeGreaterThan(0);
  });

  test('what was asked for stays when it costs no more', async () => {
    const request = ask('Hello.', { maxOutputTokens: 100 });
    expect(await pricing.cap(MINI, request, 1_000_000_000, NOW)).toEqual({ request });
  });

  test('no limit is set above what the model can say: its vendor would refuse the call', async () => {
    const request = ask('Hello.');
    expect(await pricing.cap(MINI, request, 1_000 * 1_000_000_000, NOW)).toEqual({ request });
    // gpt-5-mini says 128,000 tokens at most, of $2 a million.
    expect(await pricing.cap(MINI, request, 128_000 * 2_000 + 10_000, NOW)).toEqual({ request });
    expect(await pricing.cap(MINI, request, 128_000 * 2_000, NOW)).toMatchObject({
      request: { maxOutputTokens: expect.toSatisfy((limit) => limit > 127_900 && limit < 128_000) },
    });
  });

  test('is refused what its input alone costs, or a few words of answer', async () => {
    const request = ask(long.slice(0, 50_000));
    const input = await worst(MINI, request, 0);
    for (const most of [1, input, input + 15 * 2_000]) {
      const answer = await pricing.cap(MINI, request, most, NOW);
      expect(answer).toEqual({
        refused: expect.stringMatching(/gpt-5-mini.* costs at least about \$0\.00\d+, more than/),
      });
    }
    expect(await pricing.cap(MINI, request, input + 16 * 2_000, NOW)).toMatchObject({
      request: { maxOutputTokens: 16 },
    });
  });

  test('is refused what nobody knows the price of', async () => {
    const model = { provider: 'openai-compatible', model: 'llama3.2' };
    const refused = 'The price of llama3.2 is not known, so max_cost cannot be kept; leave it out.';
    expect(await pricing.cap(model, ask('Hello.'), 1e12, NOW)).toEqual({ refused });
  });

  test('is all that costs nothing', async () => {
    const request = ask('Hello.');
    expect(await pricing.cap({ provider: 'simulated', model: 'simulated' }, request, 1, NOW)).toEqual({ request });
  });
});

test.each([
  ['words', 'The analysis shows that all is fine. '],
  ['code', 'for (let n = 0; n < 10; n++) { call(n); }\n'],
  ['many languages', 'Große 分析 👩‍🔬 и ещё. '],
])('the tokens of a very long text of %s are estimated by pieces of it', (_, sentence) => {
  const { estimateTokens } = tablePricing();
  const piece = sentence.repeat(Math.ceil(50_000 / sentence.length));
  const ratio = estimateTokens(piece.repeat(40)) / (40 * estimateTokens(piece));
  expect(ratio).toBeGreaterThan(0.97);
  expect(ratio).toBeLessThan(1.03);
});
