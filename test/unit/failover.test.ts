/** What follows a failed attempt, as pure decisions: short waits stay, medium ones go elsewhere, long ones come later. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RouteTries } from '../../shared/core/attempt-record.ts';
import type { FailureCode } from '../../shared/core/errors.ts';
import { type NextStep, nextStep, orderOf, SHORT_WAIT_MS } from '../../shared/core/failover.ts';
import { DEFAULT_RETRY, FAILURE_RULES, nextTry, type RetryPolicy } from '../../shared/core/retry.ts';

const NOW = 1_700_000_000_000;
const HARD: RetryPolicy = { ...DEFAULT_RETRY, jitter: 'none' };

type Situation = {
  code: FailureCode;
  retryAfterMs?: number;
  route?: number;
  tries?: RouteTries[];
  repairsMost?: number;
  closed?: Readonly<Record<number, number>>;
  policy?: RetryPolicy;
};

function step(situation: Situation): NextStep {
  const { code, retryAfterMs, route = 0, tries = [{}, {}], repairsMost = 0, closed = {}, policy = HARD } = situation;
  const closedMs = (index: number) => closed[index] ?? 0;
  return nextStep(policy, { error: { code, retryAfterMs }, route, tries, repairsMost, nowMs: NOW, closedMs }, 1);
}
const goes = (route: number, pauseMs: number) => ({ next: 'attempt', route, pauseMs });

describe('with another route', () => {
  test.each<[string, Situation, object]>([
    ['a first failure stays', { code: 'overloaded' }, goes(0, 1_000)],
    ['a second one leaves', { code: 'timeout', tries: [{ failures: 1 }, {}] }, goes(1, 0)],
    ['a short refusal stays', { code: 'rate_limited', retryAfterMs: 5_000 }, goes(0, 5_000)],
    [
      '… however many there were',
      { code: 'rate_limited', retryAfterMs: 5_000, tries: [{ refusals: 2 }, {}] },
      goes(0, 5_000),
    ],
    [
      '… also after a failure',
      { code: 'rate_limited', retryAfterMs: 5_000, tries: [{ failures: 1 }, {}] },
      goes(0, 5_000),
    ],
    [
      'a second failure leaves though no pause is left to wait for',
      { code: 'overloaded', tries: [{ failures: 1 }, {}], policy: { ...HARD, pausesMs: [0, 0] } },
      goes(1, 0),
    ],
    [
      'of two that are equally far away the own one is it',
      { code: 'rate_limited', retryAfterMs: 60_000, tries: [{}, { retryAt: NOW + 60_000 }] },
      goes(0, 60_000),
    ],
    ['a medium refusal leaves', { code: 'rate_limited', retryAfterMs: 5_001 }, goes(1, 0)],
    ['a first failure with a medium wait leaves', { code: 'overloaded', retryAfterMs: 20_000 }, goes(1, 0)],
    ['what will never do leaves', { code: 'auth' }, { ...goes(1, 0), isOut: true }],
    ['an answer that can be mended stays', { code: 'schema_violation', repairsMost: 1 }, goes(0, 0)],
    [
      'one that was mended in vain leaves',
      { code: 'schema_violation', repairsMost: 1, tries: [{ repairs: 1 }, {}] },
      goes(1, 0),
    ],
    ['the last one wraps around', { code: 'auth', route: 1 }, goes(0, 0)],
    ['a route that is out is left out', { code: 'auth', tries: [{}, { isOut: true }, {}] }, goes(2, 0)],
    ['a route that is closed is left out', { code: 'auth', tries: [{}, {}, {}], closed: { 1: 9_000 } }, goes(2, 0)],
    ['its own route that is closed is left', { code: 'overloaded', closed: { 0: 30_000 } }, goes(1, 0)],
    [
      'all closed: the soonest',
      { code: 'auth', tries: [{}, {}, {}], closed: { 1: 9_000, 2: 8_000 } },
      { ...goes(2, 8_000), inPlace: true },
    ],
    [
      'a long refusal without another: later',
      { code: 'rate_limited', retryAfterMs: 60_000, tries: [{}, { isOut: true }] },
      { ...goes(0, 60_000), inPlace: false },
    ],
    [
      'a long refusal, another sooner',
      { code: 'rate_limited', retryAfterMs: 60_000, tries: [{}, { retryAt: NOW + 40_000 }] },
      { ...goes(1, 40_000), inPlace: false },
    ],
    ['nothing is left', { code: 'auth', tries: [{}, { isOut: true }] }, { next: 'none' }],
    [
      'the attempts of its own route are used up',
      { code: 'network', tries: [{ failures: 4 }, {}] },
      { ...goes(1, 0), isOut: true },
    ],
    [
      'who asks for too much is not asked again',
      { code: 'rate_limited', retryAfterMs: 11_000, policy: { ...HARD, pauseMostMs: 10_000 } },
      { ...goes(1, 0), isOut: true },
    ],
    ['no other can help', { code: 'invalid_request' }, { next: 'none' }],
    [
      'a fallback that cannot be asked so',
      { code: 'invalid_request', route: 1, tries: [{ retryAt: NOW + 50_000 }, {}] },
      goes(0, 50_000),
    ],
    ['a fallback that costs too much', { code: 'cost_limit', route: 1, tries: [{ failures: 2 }, {}] }, goes(0, 0)],
    ['an answer that was cut, which was paid for', { code: 'answer_truncated', route: 1 }, { next: 'none' }],
  ])('%s', (_, situation, expected) => {
    expect(step(situation)).toMatchObject(expected);
  });
});

const codes = fc.constantFrom(...(Object.keys(FAILURE_RULES) as FailureCode[]));
const pauses = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 4 });
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  pausesMs: pauses,
  refusalsMost: fc.integer({ min: 0, max: 4 }),
  jitter: fc.constantFrom('full' as const, 'none' as const),
  waitInPlaceMostMs: fc.integer({ min: 0, max: 60_000 }),
});
const failures = fc.record({
  code: codes,
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
  closed: fc.array(fc.constantFrom(0, 0, 0, 3_000, 40_000), { minLength: 6, maxLength: 6 }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('without fallbacks it decides as the retry policy does', () => {
  fc.assert(
    fc.property(policies, failures, fc.nat(5), fc.nat(5), (policy, { code, retryAfterMs, random }, failed, refused) => {
      const counted = { failures: failed, refusals: refused, repairs: 0 };
      const story = { error: { code, retryAfterMs }, route: 0, tries: [counted], repairsMost: 1, nowMs: NOW };
      const { next, ...step } = nextStep(policy, { ...story, closedMs: () => 0 }, random);
      const plain = nextTry(policy, { code, retryAfterMs }, { ...counted, repairsMost: 1 }, random);
      expect(next).toBe(plain.again ? 'attempt' : 'none');
      if (!plain.again) return;
      const { pauseMs, inPlace, counts } = plain;
      expect(step).toMatchObject({ route: 0, pauseMs, inPlace, counts });
    }),
  );
});

test('whatever fails how: it ends, within the bound, on no route that is out, and never before it was asked to', () => {
  let longest = 0;
  fc.assert(
    fc.property(
      ...[policies, fc.integer({ min: 1, max: 6 }), fc.nat(2)],
      fc.array(failures, { minLength: 1, maxLength: 20 }),
      (policy, routes, repairsMost, script) => {
        const tries: RouteTries[] = Array.from({ length: routes }, () => ({}));
        const asked = new Array<number>(routes).fill(0);
        const most = routes * (1 + policy.pausesMs.length + policy.refusalsMost + repairsMost);
        let route = 0;
        let nowMs = NOW;
        for (let calls = 1; ; calls++) {
          expect(calls).toBeLessThanOrEqual(most);
          longest = Math.max(longest, calls);
          const { code, retryAfterMs, closed, random } = script[(calls - 1) % script.length] as (typeof script)[number];
          expect(tries[route]?.isOut).toBeUndefined();
          expect(nowMs).toBeGreaterThanOrEqual(asked[route] ?? 0);
          const story = { error: { code, retryAfterMs }, route, tries, repairsMost, nowMs };
          const step = nextStep(policy, { ...story, closedMs: (index) => closed[index] ?? 0 }, random);
          if (step.next === 'none') break;
          if (['wait', 'retry'].includes(FAILURE_RULES[code].sameRoute)) asked[route] = nowMs + (retryAfterMs ?? 0);
          const before = tries[route] ?? {};
          const counted = step.counts ? { [step.counts]: (before[step.counts] ?? 0) + 1 } : {};
          const retryAt = step.restMs === undefined ? before.retryAt : nowMs + step.restMs;
          tries[route] = { ...before, ...counted, isOut: step.isOut ?? before.isOut, retryAt };
          // A job that comes back in another process goes by what is stored.
          const back = nowMs + step.pauseMs;
          if (!step.inPlace) expect(orderOf(tries, step.route, back).routes[0]).toBe(step.route);
          ({ route } = step);
          nowMs = back;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(longest).toBeGreaterThan(10);
});

test('a wait that is short is one that a worker has time for', () => {
  expect(SHORT_WAIT_MS).toBeLessThan(DEFAULT_RETRY.waitInPlaceMostMs);
});

test('a job that comes back asks its own route, and those after it, but none that is out or left alone', () => {
  const until = (ms: number) => ({ retryAt: NOW + ms });
  expect(orderOf([{}, {}, {}], 1, NOW)).toEqual({ routes: [1, 2, 0], restMs: Number.POSITIVE_INFINITY });
  expect(orderOf([until(0), { isOut: true }, until(1)], 1, NOW)).toEqual({ routes: [0], restMs: 1 });
  expect(orderOf([until(7), until(5), { ...until(3), isOut: true }], 0, NOW)).toEqual({ routes: [], restMs: 5 });
});
