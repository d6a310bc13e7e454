/** Q04: what a leader is to those who follow it, and what a job's document says of either. */
import { describe, expect, test } from 'vitest';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { awaitedAs, isShared, leadsUntil, type Standing, standingOf } from '../../shared/core/leading.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const AGE_MS = 60_000;
const attempt = { n: 1, startedAt: NOW - 10, provider: 'p', model: 'm', calls: 1 } as const;
const ended = { ...attempt, endedAt: NOW - 5, outcome: 'completed' } as const;
const completed: Partial<Job> = {
  state: 'completed',
  completedAt: NOW - 5,
  attempt: 1,
  attempts: [ended],
  result: 'r',
};
const running: Partial<Job> = { state: 'processing', attempt: 1, attempts: [attempt], leaseExpiresAt: NOW + 1 };
const set = { name: '1-t', bytes: 5, sha256: ['00'] };

describe('a leader that is', () => {
  test.each<[string, Partial<Job>, Standing]>([
    ['completed', completed, 'good'],
    ['completed, its result in parts', { ...completed, result: undefined, parts: { result: set } }, 'good'],
    ['as old as may be', { ...completed, completedAt: NOW - AGE_MS + 1 }, 'good'],
    ['too old', { ...completed, completedAt: NOW - AGE_MS }, 'useless'],
    [
      'completed after a repair',
      {
        ...completed,
        attempts: [
          { ...ended, outcome: 'failed' },
          { ...ended, n: 2 },
        ],
      },
      'good',
    ],
    [
      'completed by what its type has instead',
      { ...completed, attempts: [{ ...ended, outcome: 'failed' }] },
      'useless',
    ],
    ['answered by another one', { ...completed, attempt: 0, attempts: [] }, 'useless'],
    ['completed, its payloads removed', { ...completed, result: undefined, payloadsRemovedAt: NOW - 1 }, 'useless'],
    ['expired', { ...completed, expiresAt: NOW }, 'useless'],
    ['deleted', { ...completed, deletedAt: NOW - 1 }, 'useless'],
    ['deleted while it is held', { ...running, deletedAt: NOW - 1 }, 'useless'],
    ['failed', { state: 'failed', completedAt: NOW - 5, attempts: [ended] }, 'useless'],
    ['cancelled', { state: 'cancelled', completedAt: NOW - 5 }, 'useless'],
    ['held', running, 'held'],
    ['being cancelled', { ...running, cancelRequestedAt: NOW - 1 }, 'held'],
    ['about to be claimed', { state: 'pending' }, 'held'],
    ['left by its worker', { ...running, leaseExpiresAt: NOW }, 'waiting'],
    ['waiting for its next attempt', { ...running, leaseExpiresAt: null, nextAttemptAt: NOW + 5 }, 'waiting'],
    ['put off before its first', { state: 'pending', nextAttemptAt: NOW + 5 }, 'waiting'],
    ['waiting for a slot', { state: 'pending', parkedFor: '*' }, 'waiting'],
    ['left to its provider', { ...running, leaseExpiresAt: null, upstream: { id: 'u', looks: 1 } }, 'waiting'],
  ])('%s', (_, over, standing) => {
    expect(standingOf({ job: sampleJob(over), nowMs: NOW }, AGE_MS)).toBe(standing);
  });

  test('not there', () => expect(standingOf(undefined, AGE_MS)).toBe('useless'));
});

test('only who allows it shares, and nothing that is kept nowhere', () => {
  expect(
    [{}, { cacheMs: 1 }, { cacheMs: 1, store: false }].map((over) => isShared(sampleJob(over as Partial<Job>))),
  ).toEqual([false, true, false]);
});

test('it may be forgotten who leads when nobody would be given its answer', () => {
  const limits = { startWithinMs: 1, timeoutMs: 5_000, attemptTimeoutMs: 1, idleTimeoutMs: 1 };
  expect(leadsUntil(sampleJob({ limits, retentionMs: 700 }), NOW)).toBe(NOW + 5_700);
});

test('parked for an answer, a job says so, and does so no more when it leads, or has it', () => {
  const now = { nowMs: NOW, storedAtMs: NOW - 1 };
  const follower = sampleJob({ cacheMs: AGE_MS });
  const changed = (job: Job, event: Parameters<typeof transition>[1]) => {
    const { changes } = transition(job, event);
    if (!changes) throw new Error('it was refused');
    return applyChanges(job, changes);
  };
  const parked = changed(follower, { type: 'park', ...now, parkedFor: awaitedAs({ id: 'leader' }) });
  expect(parked).toMatchObject({ state: 'pending', stage: 'waiting_for_answer', parkedFor: 'answer:leader' });
  const lease = { token: 't', stage: 's', holder: 'h', leaseMs: 5, leads: 'key' };
  const leading = changed(parked, { type: 'claim', ...now, ...lease });
  expect(leading).toMatchObject({ leads: 'key', stage: 's', attempt: 1 });
  const answered = changed(parked, {
    type: 'reuse',
    ...now,
    answer: { id: 'leader', completedAt: NOW - 9 },
    result: 'r',
  });
  expect(answered).toMatchObject({ state: 'completed', startedAt: NOW, completedAt: NOW, attempt: 0, wakeAt: null });
  for (const job of [leading, answered]) expect(job).not.toHaveProperty('parkedFor');
  expect(changed(leading, { type: 'delete', nowMs: NOW })).not.toHaveProperty('leads');
});
