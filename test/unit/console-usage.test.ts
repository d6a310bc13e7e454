/** What the usage page asks for and adds up, and the numbers at its axes. */
import { describe, expect, test } from 'vitest';
import { labelEvery, shortCount, shortDollars, ticksTo, wholeTicksTo } from '../../functions/console/charts/ticks.ts';
import {
  joined,
  lastDays,
  piecesOf,
  type Sums,
  type UsageReport,
  wrongDays,
} from '../../functions/console/charts/usage.ts';

const sums = (more: Partial<Sums> = {}): Sums => ({
  ...{ jobs: 0, input_tokens: 0, output_tokens: 0, cost: 0, estimated_cost: 0, unpriced_attempts: 0 },
  ...more,
});

describe('the days', () => {
  test('that are shown at first are the last ones, of UTC', () => {
    expect(lastDays(7, Date.parse('2026-03-02T23:59:59Z'))).toEqual({ from: '2026-02-24', to: '2026-03-02' });
    expect(lastDays(1, Date.parse('2026-03-02T00:00:00Z'))).toEqual({ from: '2026-03-02', to: '2026-03-02' });
  });

  test.each([
    ['', '2026-01-02', 'Give both days.'],
    ['2026-01-03', '2026-01-02', 'The first day must not be after the last one.'],
    ['2026-01-01', '2026-04-03', 'These are 93 days; at most 92 are shown.'],
    ['2026-01-01', '2026-04-02', undefined],
    ['2026-01-02', '2026-01-02', undefined],
  ])('from %j to %j: %s', (from, to, wrong) => {
    expect(wrongDays({ from, to })).toBe(wrong);
  });

  test('are asked for in pieces of at most 31, which leave nothing out and have nothing twice', () => {
    expect(piecesOf({ from: '2026-01-01', to: '2026-01-31' })).toEqual([{ from: '2026-01-01', to: '2026-01-31' }]);
    expect(piecesOf({ from: '2026-01-01', to: '2026-03-05' })).toEqual([
      { from: '2026-01-01', to: '2026-01-31' },
      { from: '2026-02-01', to: '2026-03-03' },
      { from: '2026-03-04', to: '2026-03-05' },
    ]);
  });
});

describe('reports of pieces', () => {
  const report = (from: string, to: string, rows: UsageReport['rows'], total: Sums) => ({ from, to, rows, total });

  test('are joined by name', () => {
    const one = report('a', 'b', [{ model: 'x', ...sums({ jobs: 1, cost: 0.25 }) }], sums({ jobs: 1, cost: 0.25 }));
    const both = [
      { model: 'x', ...sums({ jobs: 2, cost: 0.5, truncated: true }) },
      { model: 'y', ...sums({ jobs: 1, cost: null, unpriced_attempts: 1 }) },
    ];
    const other = report('c', 'd', both, sums({ jobs: 3, cost: 0.5, unpriced_attempts: 1, truncated: true }));
    expect(joined([one, other], 'model')).toEqual({
      ...{ from: 'a', to: 'd' },
      rows: [
        { model: 'x', ...sums({ jobs: 3, cost: 0.75, truncated: true }) },
        { model: 'y', ...sums({ jobs: 1, cost: null, unpriced_attempts: 1 }) },
      ],
      total: sums({ jobs: 4, cost: 0.75, unpriced_attempts: 1, truncated: true }),
    });
  });

  test('cost what nobody knows only while nothing of it is known', () => {
    const total = (...costs: (number | null)[]) =>
      joined(
        costs.map((cost) => report('a', 'b', [], sums({ cost }))),
        'day',
      ).total.cost;
    expect(total(null, null)).toBeNull();
    expect(total(null, 0)).toBeNull();
    expect(total(0, null, 0.5)).toBe(0.5);
    expect(total(0, 0)).toBe(0);
  });
});

describe('an axis', () => {
  test.each([
    [0, [0, 1]],
    [0.3, [0, 0.1, 0.2, 0.3]],
    [0.000_23, [0, 0.000_1, 0.000_2, 0.000_3]],
    [1, [0, 0.5, 1]],
    [4, [0, 1, 2, 3, 4]],
    [17, [0, 5, 10, 15, 20]],
    [230_000, [0, 100_000, 200_000, 300_000]],
    [1e-9, [0, 5e-10, 1e-9]],
  ])('to %d', (highest, ticks) => {
    expect(ticksTo(highest)).toEqual(ticks);
  });

  test('has few ticks, round ones, and reaches the highest value, whatever that is', () => {
    for (let highest = 1e-9; highest < 1e12; highest *= 1.37) {
      const ticks = ticksTo(highest);
      expect(ticks.length).toBeGreaterThanOrEqual(3);
      expect(ticks.length).toBeLessThanOrEqual(6);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(highest * (1 - 1e-6));
      for (const tick of ticks) expect(`${Number(tick.toExponential(1))}`).toBe(`${tick}`);
    }
  });

  test('of what is counted has whole numbers', () => {
    expect([0, 1, 2, 3, 5].map((highest) => wholeTicksTo(highest))).toEqual([
      ...[
        [0, 1],
        [0, 1],
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 2, 4, 6],
      ],
    ]);
  });

  test('has short names', () => {
    expect([0, 999, 1_200, 300_000, 2_500_000].map(shortCount)).toEqual(['0', '999', '1.2k', '300k', '2.5M']);
    expect([0, 0.000_05, 0.01, 0.5, 1.5, 20, 1_200].map(shortDollars)).toEqual([
      ...['$0', '$0.00005', '$0.01', '$0.5', '$1.5', '$20', '$1.2k'],
    ]);
  });

  test('leaves out names that would stand on each other', () => {
    expect(labelEvery(7, 700, 56)).toBe(1);
    expect(labelEvery(90, 280, 56)).toBe(18);
    expect(labelEvery(90, 0, 56)).toBe(90);
  });
});
