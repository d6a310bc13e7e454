/** Progress and the pause before the next poll, over any life of a job and any estimate. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobEvent } from '../../shared/core/events.ts';
import { applyChanges, isTerminal, type Job } from '../../shared/core/job.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { pollAfterMs, progressOf } from '../../shared/core/progress.ts';
import { sampleJob } from '../contracts/job-store.ts';

const BORN = 1_700_000_000_000;
const LEASE_MS = 60_000;

const usual = fc.option(fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 86_400_000 })), {
  nil: undefined,
});
const step = fc.record({
  type: fc.constantFrom('claim', 'renew', 'retry', 'hand-back', 'complete', 'fail', 'cancel', 'delete', 'wake'),
  token: fc.constantFrom('a', 'b'),
  afterMs: fc.oneof(fc.nat(2_000), fc.nat(90_000), fc.nat(4_000_000)),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});

function toEvent(type: string, token: string, nowMs: number, random: number): JobEvent {
  const held = { nowMs, storedAtMs: BORN, token, leaseMs: LEASE_MS };
  const ended = { outcome: 'failed', errorCode: 'overloaded', counts: 'failures' } as const;
  switch (type) {
    case 'claim':
      return { type, ...held, holder: token, stage: 'calling_llm' };
    case 'renew':
      return { type, ...held };
    case 'retry':
    case 'hand-back':
      return { type, ...held, ended, nextAttemptAt: nowMs + Math.floor(random * 90_000) };
    case 'complete':
      return { type: 'finish', ...held, outcome: { state: 'completed', result: 1 } };
    case 'fail':
      return { type: 'finish', ...held, outcome: { state: 'failed', error: { code: 'auth', message: '' } } };
    case 'cancel':
    case 'delete':
      return { type, nowMs };
    default:
      return { type: 'wake', nowMs, storedAtMs: BORN, random };
  }
}

function rangeOf({ state }: Job): [least: number, most: number] {
  if (state === 'pending') return [0, 0];
  return isTerminal(state) ? [100, 100] : [10, 95];
}

function assertBounds(job: Job, nowMs: number): void {
  const pauseMs = pollAfterMs(job, nowMs);
  expect(pauseMs === undefined).toBe(isTerminal(job.state));
  if (pauseMs === undefined) return;
  expect(Number.isInteger(pauseMs)).toBe(true);
  expect(pauseMs).toBeGreaterThanOrEqual(500);
  expect(pauseMs).toBeLessThanOrEqual(nowMs - job.createdAt < 120_000 ? 3_000 : 15_000);
}

test('whatever happens, progress never falls, keeps to the range of its state, and polls are asked for within bounds', () => {
  const statesSeen = new Set<string>();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), usual, (steps, usualMs) => {
      let job = sampleJob({ createdAt: BORN, wakeAt: BORN, limits: DEFAULT_LIMITS, usualMs });
      let nowMs = BORN;
      let shown = 0;
      const look = () => {
        const progress = progressOf(job, nowMs);
        const [least, most] = rangeOf(job);
        expect(progress).toBeGreaterThanOrEqual(Math.max(shown, least));
        expect(progress).toBeLessThanOrEqual(most);
        expect(Number.isInteger(progress)).toBe(true);
        assertBounds(job, nowMs);
        shown = progress;
        statesSeen.add(job.state);
      };
      for (const { type, token, afterMs, random } of steps) {
        nowMs += afterMs;
        look();
        const decision = transition(job, toEvent(type, token, nowMs, random));
        if (!decision.refused) job = applyChanges(job, decision.changes);
        look();
      }
    }),
    { numRuns: 2_000 },
  );
  expect([...statesSeen].sort()).toEqual(['cancelled', 'completed', 'failed', 'pending', 'processing']);
});

describe('while a call is under way, progress', () => {
  const job = (over: Partial<Job> = {}) =>
    sampleJob({ state: 'processing', createdAt: BORN, startedAt: BORN, usualMs: 60_000, ...over });

  test('moves: a tenth of the usual time shows, four fifths of the way are gone at its end, and then it slows down', () => {
    const at = (share: number) => progressOf(job(), BORN + share * 60_000);
    expect(at(0)).toBe(10);
    expect(at(0.1)).toBeGreaterThan(20);
    expect(at(1)).toBeGreaterThan(75);
    expect(at(1)).toBeLessThan(85);
    expect(at(3)).toBeGreaterThan(90);
    expect(at(1_000)).toBeLessThanOrEqual(95);
  });

  test('is not less than its reader was shown by a process that heard sooner, and no reader makes it an end', () => {
    expect(progressOf(job(), BORN, 42)).toBe(42);
    expect(progressOf(job(), BORN + 60_000, 42)).toBeGreaterThan(75);
    expect(progressOf(job(), BORN, 999)).toBe(95);
    expect(progressOf(job({ state: 'pending', startedAt: undefined }), BORN, 50)).toBe(0);
    expect(progressOf(job({ state: 'failed' }), BORN, 50)).toBe(100);
  });

  test('is a number also where the clock is behind, or an estimate is none', () => {
    expect(progressOf(job(), BORN - 5_000)).toBe(10);
    expect(progressOf(job({ usualMs: 0 }), BORN)).toBe(10);
  });
});

describe('a client is asked to look again', () => {
  const job = (over: Partial<Job> = {}) =>
    sampleJob({ state: 'processing', createdAt: BORN, startedAt: BORN, usualMs: 60_000, ...over });

  test.each([
    ['just begun', 0, 3_000],
    ['not before the usual end comes near', 53_000, 1_000],
    ['near its usual end', 60_000, 900],
    ['a little after it', 65_000, 900],
    ['long after it', 110_000, 3_000],
    ['after minutes', 400_000, 10_000],
    ['after hours', 40_000_000, 15_000],
  ])('%s (%i ms): after %i ms', (_, elapsedMs, pauseMs) => {
    expect(pollAfterMs(job(), BORN + elapsedMs)).toBe(pauseMs);
  });

  test('when the next attempt starts, not before', () => {
    expect(pollAfterMs(job({ nextAttemptAt: BORN + 11_000 }), BORN + 10_000)).toBe(1_500);
  });

  test('soon, where nothing is known and the job is young', () => {
    const unknown = job({ usualMs: undefined });
    expect([0, 8_000, 60_000].map((elapsedMs) => pollAfterMs(unknown, BORN + elapsedMs))).toEqual([500, 1_000, 3_000]);
  });
});
