/** What being put off does to a job, and what a failed attempt leaves in the memory of its routes. Pure. */
import { describe, expect, test } from 'vitest';
import { defer, isPutOff } from '../../shared/core/deferring.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { countFailed, triesOf } from '../../shared/core/tries.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const BORN = NOW - 10_000;
const LATER = NOW + 5_000;
const model = (name: string) => ({ id: name, name, provider: 'p', model: name });
const attempt = { n: 1, startedAt: BORN, provider: 'p', model: 'a', calls: 1 };

const putOff = (over: Partial<Job>, leads?: string) => {
  const job = sampleJob(over);
  const changes = defer(job, { type: 'defer', nowMs: NOW, storedAtMs: BORN, nextAttemptAt: LATER, leads });
  return applyChanges(job, changes);
};

describe('a job that is put off', () => {
  test('is rung at that instant, as if for the first time', () => {
    const job = putOff({ rings: 7 });
    expect(job).toMatchObject({ nextAttemptAt: LATER, wakeAt: LATER, rings: 0, version: 2, state: 'pending' });
    expect(job.stage).toBeUndefined();
    expect(putOff({ state: 'processing', stage: 'calling_llm' }).stage).toBe('waiting');
  });

  test('is looked at when its time is over, should that come sooner', () => {
    const limits = { ...DEFAULT_LIMITS, startWithinMs: 12_000 };
    expect(putOff({ limits })).toMatchObject({ nextAttemptAt: LATER, wakeAt: BORN + 12_000 });
  });

  test('has no holder, no slot and waits for none, and an attempt that nobody ended is lost', () => {
    const held = { state: 'processing' as const, leaseExpiresAt: NOW - 1, holder: 'w', slotUntil: NOW + 1 };
    const job = putOff({ ...held, parkedFor: '*', parkedAt: BORN, attempt: 1, attempts: [attempt] });
    expect(job).toMatchObject({ leaseExpiresAt: null, losses: 1, attempts: [{ outcome: 'lost', endedAt: NOW }] });
    for (const field of ['holder', 'slotUntil', 'parkedFor', 'parkedAt'] as const) expect(job[field]).toBeUndefined();
    const ended = putOff({ ...held, attempt: 1, attempts: [{ ...attempt, endedAt: BORN, outcome: 'failed' }] });
    expect(ended.attempts).toMatchObject([{ outcome: 'failed', endedAt: BORN }]);
    expect(ended.losses).toBeUndefined();
  });

  test('leads those who wait for its answer as before, or by the key that it was told', () => {
    expect(putOff({ leads: 'old' }).leads).toBe('old');
    expect(putOff({ leads: 'old' }, 'new').leads).toBe('new');
    expect(putOff({})).not.toHaveProperty('leads');
  });

  test('is one as long as nobody works on it, it is not over, and its time has not come', () => {
    const job = putOff({});
    expect(isPutOff(job, LATER - 1)).toBe(true);
    expect(isPutOff(job, LATER)).toBe(false);
    expect(isPutOff({ ...job, state: 'cancelled' }, NOW)).toBe(false);
    expect(isPutOff({ ...job, leaseExpiresAt: NOW + 1 }, NOW)).toBe(false);
    expect(isPutOff({ ...job, upstream: { id: 'u', looks: 0 } }, NOW)).toBe(false);
    expect(isPutOff(sampleJob(), NOW)).toBe(false);
  });
});

describe('what a job has tried', () => {
  const fallbacks = [{ model: model('b') }, { model: model('c') }];
  const failed = { outcome: 'failed', errorCode: 'overloaded' } as const;

  test('is its totals where it has one route', () => {
    const job = sampleJob({ failures: 2, refusals: 1, tries: [{ failures: 9 }] });
    expect(triesOf(job)).toEqual([{ failures: 2, refusals: 1 }]);
    expect(countFailed(job, { ...failed, counts: 'failures', retryAt: LATER })).toEqual({ failures: 3 });
  });

  test('is counted for the route of the attempt, and in all', () => {
    const job = sampleJob({ fallbacks, route: 1, failures: 3, tries: [{ failures: 2 }, { failures: 1, repairs: 1 }] });
    expect(triesOf(job)).toEqual([{ failures: 2 }, { failures: 1, repairs: 1 }, {}]);
    expect(countFailed(job, { ...failed, counts: 'failures', retryAt: LATER })).toEqual({
      failures: 4,
      tries: [{ failures: 2 }, { failures: 2, repairs: 1, retryAt: LATER }, {}],
    });
    expect(countFailed(job, { ...failed, isOut: true }).tries?.[1]).toEqual({ failures: 1, repairs: 1, isOut: true });
  });

  test('is kept by a failure that says nothing of it', () => {
    const job = sampleJob({ fallbacks, tries: [{ isOut: true, retryAt: LATER }] });
    expect(countFailed(job, failed)).toEqual({ tries: [{ isOut: true, retryAt: LATER }, {}, {}] });
  });
});
