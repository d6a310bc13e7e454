/** The token bucket as a pure function. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bucket, type Rule, takeFrom } from '../../shared/core/rate-limits.ts';

const START_MS = 1_700_000_000_000;
const RULE: Rule = { perMinute: 60, burst: 3 };

const rules = fc.record({
  perMinute: fc.integer({ min: 1, max: 1_000_000 }),
  burst: fc.integer({ min: 1, max: 100_000 }),
});
const steps = fc.array(
  fc.record({ waitMs: fc.integer({ min: 0, max: 120_000 }), cost: fc.integer({ min: 1, max: 600 }) }),
  { minLength: 1, maxLength: 50 },
);

/** What was admitted, when, and what is left, when each step is taken in turn. */
function run(rule: Rule, taken: readonly { waitMs: number; cost: number }[]) {
  let bucket: Bucket | undefined;
  let nowMs = START_MS;
  const admitted: { atMs: number; cost: number }[] = [];
  for (const { waitMs, cost } of taken) {
    nowMs += waitMs;
    const step = takeFrom(bucket, nowMs, rule, cost);
    bucket = step.bucket;
    if (step.taken.allowed) admitted.push({ atMs: nowMs, cost });
  }
  return { bucket, nowMs, admitted };
}

test('a request is admitted exactly when it was said that it would be: not a millisecond earlier or later', () => {
  const property = fc.property(rules, steps, (rule, taken) => {
    const { bucket, nowMs } = run(rule, taken);
    const { taken: asked, bucket: left } = takeFrom(bucket, nowMs, rule);
    const waitMs = asked.retryAfterMs;
    expect(takeFrom(left, nowMs + waitMs, rule).taken.allowed).toBe(true);
    if (waitMs > 0) expect(takeFrom(left, nowMs + waitMs - 1, rule).taken.allowed).toBe(false);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('it is full exactly when it was said that it would be', () => {
  const property = fc.property(rules, steps, (rule, taken) => {
    const { bucket, nowMs } = run(rule, taken);
    const { taken: asked, bucket: left } = takeFrom(bucket, nowMs, rule);
    expect(takeFrom(left, nowMs + asked.resetMs, rule, 0).taken.resetMs).toBe(0);
    expect(takeFrom(left, nowMs + asked.resetMs - 1, rule, 0).taken.resetMs).toBeGreaterThan(0);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('whatever is asked, no more is admitted than the burst, what came since, and the last cost', () => {
  const property = fc.property(rules, steps, (rule, taken) => {
    const { admitted } = run(rule, taken);
    let sum = 0;
    for (const { atMs, cost } of admitted) {
      // One token at least was there.
      expect(sum + 1).toBeLessThanOrEqual(rule.burst + ((atMs - START_MS) / 60_000) * rule.perMinute);
      sum += cost;
    }
  });
  fc.assert(property, { numRuns: 1_000 });
});

test('how often is asked makes no difference to what is admitted: a refusal leaves the bucket as it was', () => {
  const property = fc.property(rules, steps, fc.integer({ min: 1, max: 5_000 }), (rule, taken, laterMs) => {
    const { bucket, nowMs } = run(rule, taken);
    const asked = takeFrom(bucket, nowMs, rule, 0).bucket;
    const often = Array.from({ length: 10 }, (_, n) => Math.floor((laterMs * n) / 10)).reduce(
      (left, ms) => takeFrom(left, nowMs + ms, rule, 0).bucket,
      asked,
    );
    expect(takeFrom(often, nowMs + laterMs, rule)).toEqual(takeFrom(asked, nowMs + laterMs, rule));
  });
  fc.assert(property, { numRuns: 1_000 });
});

describe('a clock that goes back', () => {
  test('gives nothing, takes nothing, and goes on from there', () => {
    const { bucket } = takeFrom(undefined, START_MS, RULE, 3);
    const back = takeFrom(bucket, START_MS - 3_600_000, RULE);
    expect(back.taken).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1_000, resetMs: 3_000 });
    expect(takeFrom(back.bucket, START_MS - 3_600_000 + 1_000, RULE).taken.allowed).toBe(true);
  });
});

test('after a year it is just full', () => {
  const { bucket } = takeFrom(undefined, START_MS, RULE, 1_000);
  const later = takeFrom(bucket, START_MS + 365 * 86_400_000, RULE).taken;
  expect(later).toEqual({ allowed: true, remaining: 2, retryAfterMs: 0, resetMs: 1_000 });
});
