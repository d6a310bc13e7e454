/** Experiments: who gets which variant, and what is wrong with one. */
import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  armOf,
  bucketOf,
  type Experiment,
  experimentErrors,
  isWeight,
  variantAt,
  variantOf,
} from '../../shared/core/experiments.ts';
import { derivedId } from '../../shared/core/ids.ts';

const JOBS = 100_000;
const experiment = (weights: readonly number[], over: Partial<Experiment> = {}): Experiment => ({
  name: 'tone',
  variants: weights.map((weight, n) => ({ name: `v${n}`, weight })),
  ...over,
});

/** Web Crypto takes a thread and a while for each hash, seconds for so many. Here the same hash is made at once. */
function hashAtOnce(): () => void {
  const digest = crypto.subtle.digest;
  crypto.subtle.digest = async (_, bytes) => new Uint8Array(hash('sha256', bytes as Uint8Array, 'buffer')).buffer;
  return () => {
    crypto.subtle.digest = digest;
  };
}

async function bucketsOf(name: string, subjects: readonly string[]): Promise<number[]> {
  const restore = hashAtOnce();
  try {
    const buckets: number[] = [];
    for (const subject of subjects) buckets.push(await bucketOf(name, subject));
    return buckets;
  } finally {
    restore();
  }
}

test('the buckets of this test are those of jobs', async () => {
  const subjects = Array.from({ length: 300 }, (_, n) => (n % 2 ? `user-${n}` : crypto.randomUUID()));
  const real = await Promise.all(subjects.map((subject) => bucketOf('tone', subject)));
  expect(await bucketsOf('tone', subjects)).toEqual(real);
});

/** How many of these jobs each variant gets. */
function countsOf(weights: readonly number[], jobsIn: readonly number[]): number[] {
  const { variants } = experiment(weights);
  const counts = weights.map(() => 0);
  for (const [bucket, jobs] of jobsIn.entries()) {
    const variant = variantAt(variants, bucket);
    counts[variant] = (counts[variant] ?? 0) + jobs;
  }
  return counts;
}

describe('of 100,000 jobs each variant gets its share, within one in a hundred of all', () => {
  const WEIGHTINGS = [
    [50, 50],
    [70, 30],
    [99, 1],
    [0.5, 99.5],
    [33.33, 33.33, 33.34],
    [0.01, 0.02, 99.97],
    Array(10).fill(10),
    [40, 30, 15, 10, 5],
  ];

  test.each<[string, (n: number) => string]>([
    ['by job id', () => crypto.randomUUID()],
    ['by subject', (n) => `user-${n}`],
  ])('%s', { timeout: 60_000 }, async (_, subjectOf) => {
    const jobsIn = Array<number>(10_000).fill(0);
    const subjects = Array.from({ length: JOBS }, (_each, n) => subjectOf(n));
    for (const bucket of await bucketsOf('tone', subjects)) jobsIn[bucket] = (jobsIn[bucket] ?? 0) + 1;
    for (const weights of WEIGHTINGS) {
      const counts = countsOf(weights, jobsIn);
      for (const [variant, weight] of weights.entries()) {
        const share = ((counts[variant] ?? 0) / JOBS) * 100;
        expect([weights, Math.abs(share - weight) < 1]).toEqual([weights, true]);
      }
      expect(counts.reduce((sum, count) => sum + count)).toBe(JOBS);
    }
  });

  test('and of all buckets exactly its share', () => {
    for (const weights of WEIGHTINGS) {
      const counts = countsOf(weights, Array(10_000).fill(1));
      expect(counts).toEqual(weights.map((weight) => Math.round(weight * 100)));
    }
  });
});

test('two experiments share the same subjects out independently of each other', async () => {
  const subjects = Array.from({ length: 20_000 }, (_, n) => `user-${n}`);
  const [tone, length] = [await bucketsOf('tone', subjects), await bucketsOf('length', subjects)];
  const cells = new Map<string, number>();
  for (const [n, bucket] of tone.entries()) {
    const cell = `${variantAt(experiment([50, 50]).variants, bucket)}${Math.floor((length[n] ?? 0) / 2_500)}`;
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  expect(cells.size).toBe(8);
  const expected = subjects.length / 8;
  const chiSquare = [...cells.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // Seven degrees of freedom: more than this once in a thousand; the subjects are always the same.
  expect(chiSquare).toBeLessThan(24.3);
});

test('the same words give the same variant, for ever', async () => {
  const halves = experiment([50, 50]);
  const ids = await Promise.all(Array.from({ length: 8 }, (_, n) => derivedId('of this test', String(n))));
  const variants = () => Promise.all(ids.map((id) => variantOf(halves, id)));
  expect(await variants()).toEqual(await variants());
  expect(await Promise.all(['a', 'b', 'c', 'd'].map((subject) => bucketOf('tone', subject)))).toEqual([
    5_420, 7_234, 944, 4_795,
  ]);
  const ofOne = await Promise.all(ids.map((id) => variantOf({ ...halves, subject: 'user-42' }, id)));
  expect(new Set(ofOne).size).toBe(1);
  expect(armOf(halves, 1)).toBe('tone/v1');
});

describe('an experiment that is wrong', () => {
  const variants = experiment([50, 50]).variants;
  const NAME = 'must be 1 to 64 letters, digits, dots, underscores or hyphens, not beginning with one of those three';
  const WEIGHT = 'must be a number above 0 and below 100, with at most two decimals';
  const SUM = 'weights must add up to 100; these add up to';

  test.each<[string, Experiment, [string, string][]]>([
    ['adds up to less', experiment([70, 29.99]), [['experiment.variants', `${SUM} 99.99`]]],
    ['adds up to more', experiment([70, 30, 0.01]), [['experiment.variants', `${SUM} 100.01`]]],
    ['has one variant', experiment([50]), [['experiment.variants', 'must hold 2 to 10 variants']]],
    ['has eleven', experiment(Array(11).fill(9)), [['experiment.variants', 'must hold 2 to 10 variants']]],
    ['has no name', experiment([50, 50], { name: '' }), [['experiment.name', NAME]]],
    [
      'has variants with one name, and a weight too fine',
      experiment([], { variants: [...variants, { name: 'v0', weight: 0.001 }] }),
      [
        ['experiment.variants.2.name', 'is the name of experiment.variants.0 already; take another one'],
        ['experiment.variants.2.weight', WEIGHT],
      ],
    ],
    [
      'has a variant with a slash, and one with nothing',
      experiment([], {
        variants: [
          { name: 'a/b', weight: 100 },
          { name: 'c', weight: 0 },
        ],
      }),
      [
        ['experiment.variants.0.name', NAME],
        ['experiment.variants.0.weight', WEIGHT],
        ['experiment.variants.1.weight', WEIGHT],
      ],
    ],
  ])('%s', (_, given, wrong) => {
    expect(experimentErrors(given).map(({ path, message }) => [path, message])).toEqual(wrong);
  });

  test('and one that is not', () => {
    for (const weights of [
      [50, 50],
      [0.07, 0.29, 99.64],
      [33.33, 33.33, 33.34],
    ]) {
      expect(experimentErrors(experiment(weights))).toEqual([]);
    }
    expect([0.01, 0.07, 29.99, 99.99, 1].every(isWeight)).toBe(true);
    expect([0, -1, 100, 0.005, 0.001, 33.333, Number.NaN, Number.POSITIVE_INFINITY].some(isWeight)).toBe(false);
  });
});
