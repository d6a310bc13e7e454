/** The transition table: every state × every event, and what must hold over any sequence of events. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTerminal, JOB_STATES, type Job, type JobState } from '../../shared/core/job.ts';
import { applyChanges, type JobEvent, LEASE_GRACE_MS, type Refusal, transition } from '../../shared/core/lifecycle.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const LEASE_MS = 60_000;
const MINUTE_MS = 60_000;

const EVENTS: { [name: string]: JobEvent } = {
  claim: { type: 'claim', nowMs: NOW, leaseMs: LEASE_MS, token: 'new', stage: 'calling_llm' },
  renew: { type: 'renew', nowMs: NOW, leaseMs: LEASE_MS, token: 'held' },
  'finish, completed': { type: 'finish', nowMs: NOW, token: 'held', outcome: { state: 'completed', result: 'r' } },
  'finish, failed': {
    type: 'finish',
    nowMs: NOW,
    token: 'held',
    outcome: { state: 'failed', error: { code: 'auth', message: 'no' } },
  },
  ring: { type: 'ring', nowMs: NOW },
};

/** Complete by its type: a new event does not compile until it is here, and then the table misses a column. */
const EVENT_TYPES: Record<JobEvent['type'], true> = { claim: true, renew: true, finish: true, ring: true };

/** A job in each state; a processing one with a live lease, an ended lease, and a lease that another one holds. */
const JOBS: { [name: string]: Job } = {
  pending: sampleJob({ wakeAt: NOW }),
  'pending, not due': sampleJob({ wakeAt: NOW + 1 }),
  processing: processing({ leaseExpiresAt: NOW + 1 }),
  'processing, lease ended': processing({ leaseExpiresAt: NOW, wakeAt: NOW }),
  'processing, held by another': processing({ leaseExpiresAt: NOW + 1, token: 'other' }),
  'processing, ended lease of another': processing({ leaseExpiresAt: NOW, wakeAt: NOW, token: 'other' }),
  completed: sampleJob({ state: 'completed', wakeAt: null, token: 'held' }),
  failed: sampleJob({ state: 'failed', wakeAt: null, token: 'held' }),
  cancelled: sampleJob({ state: 'cancelled', wakeAt: null, token: 'held' }),
};

function processing(over: Partial<Job>): Job {
  const attempt = { n: 1, startedAt: NOW - 1_000, provider: 'p', model: 'm', calls: 1 };
  return sampleJob({ state: 'processing', attempt: 1, token: 'held', sequence: 3, attempts: [attempt], ...over });
}

type Expected = JobState | Refusal;
const over: Expected[] = ['done', 'done', 'done', 'done', 'done'];
/** Columns: claim, renew, finish completed, finish failed, ring. A state: allowed, and the job is in it after. */
const TABLE: { [job: string]: Expected[] } = {
  pending: ['processing', 'not-leased', 'not-leased', 'not-leased', 'pending'],
  'pending, not due': ['processing', 'not-leased', 'not-leased', 'not-leased', 'not-due'],
  processing: ['leased', 'processing', 'completed', 'failed', 'not-due'],
  'processing, lease ended': ['processing', 'lease-ended', 'completed', 'failed', 'processing'],
  'processing, held by another': ['leased', 'lease-lost', 'lease-lost', 'lease-lost', 'not-due'],
  'processing, ended lease of another': ['processing', 'lease-lost', 'lease-lost', 'lease-lost', 'processing'],
  completed: over,
  failed: over,
  cancelled: over,
};

describe('the table', () => {
  const rows = Object.entries(TABLE).flatMap(([job, expected]) =>
    Object.keys(EVENTS).map((event, column) => ({ job, event, expected: expected[column] })),
  );

  test.each(rows)('$job, $event: $expected', ({ job, event, expected }) => {
    const before = JOBS[job] as Job;
    const decision = transition(before, EVENTS[event] as JobEvent);
    const after = decision.refused ?? applyChanges(before, decision.changes).state;
    expect(after).toBe(expected);
  });

  test('every state and every event is in it', () => {
    expect(new Set(Object.values(JOBS).map((job) => job.state))).toEqual(new Set(JOB_STATES));
    expect(new Set(Object.values(EVENTS).map((event) => event.type))).toEqual(new Set(Object.keys(EVENT_TYPES)));
    expect(Object.keys(TABLE)).toEqual(Object.keys(JOBS));
    expect(rows.filter(({ expected }) => expected === undefined)).toEqual([]);
  });
});

function changed(job: Job, event: JobEvent): Job {
  const decision = transition(job, event);
  if (decision.refused) throw new Error(decision.refused);
  return applyChanges(job, decision.changes);
}

test('a claim records its call, starts a lease, and wakes the sweeper after its end', () => {
  const job = changed(JOBS.pending as Job, EVENTS.claim as JobEvent);
  expect(job).toMatchObject({
    version: 2,
    startedAt: NOW,
    stage: 'calling_llm',
    attempt: 1,
    token: 'new',
    sequence: 0,
    leaseExpiresAt: NOW + LEASE_MS,
    wakeAt: NOW + LEASE_MS + LEASE_GRACE_MS,
    rings: 0,
    attempts: [{ n: 1, startedAt: NOW, provider: 'simulated', model: 'simulated', calls: 1 }],
  });
});

test('a claim after an ended lease closes the lost attempt and keeps when the job started', () => {
  const before = { ...(JOBS['processing, lease ended'] as Job), startedAt: NOW - 1_000 };
  const job = changed(before, EVENTS.claim as JobEvent);
  expect(job.startedAt).toBe(NOW - 1_000);
  expect(job.attempts).toMatchObject([
    { n: 1, outcome: 'lost', errorCode: 'lease_lost', endedAt: NOW },
    { n: 2, calls: 1 },
  ]);
});

test('a finish leaves nothing for anybody to do', () => {
  const completed = changed(JOBS.processing as Job, EVENTS['finish, completed'] as JobEvent);
  expect(completed).toMatchObject({
    state: 'completed',
    result: 'r',
    wakeAt: null,
    leaseExpiresAt: null,
    completedAt: NOW,
  });
  expect(completed).not.toHaveProperty('stage');
  const failed = changed(JOBS.processing as Job, EVENTS['finish, failed'] as JobEvent);
  expect(failed).toMatchObject({ error: { code: 'auth' }, attempts: [{ n: 1, outcome: 'failed', errorCode: 'auth' }] });
  expect(failed).not.toHaveProperty('result');
});

test('ring k comes min(2^k, 15) minutes after the one before', () => {
  let job = JOBS.pending as Job;
  const pauses: number[] = [];
  for (let k = 0; k < 6; k++) {
    const nowMs = job.wakeAt ?? 0;
    job = changed(job, { type: 'ring', nowMs });
    pauses.push(((job.wakeAt ?? 0) - nowMs) / MINUTE_MS);
  }
  expect(pauses).toEqual([1, 2, 4, 8, 15, 15]);
});

test('only the latest 50 attempts are kept', () => {
  let job = JOBS.pending as Job;
  for (let n = 1; n <= 60; n++) {
    job = changed(job, { type: 'claim', nowMs: NOW + n * 2 * LEASE_MS, leaseMs: LEASE_MS, token: `t${n}`, stage: 's' });
  }
  expect(job.attempts.map((attempt) => attempt.n)).toEqual(Array.from({ length: 50 }, (_, index) => index + 11));
});

describe('over any sequence of events', () => {
  const token = fc.constantFrom('a', 'b', 'c');
  const step = fc.record({
    type: fc.constantFrom('claim', 'renew', 'complete', 'fail', 'ring'),
    token,
    afterMs: fc.nat(90_000),
  });

  test('nothing goes back, and only the newest token writes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let job = sampleJob({ wakeAt: NOW });
        let nowMs = NOW;
        for (const { type, token: by, afterMs } of steps) {
          nowMs += afterMs;
          const decision = transition(job, toEvent(type, by, nowMs));
          if (decision.refused) continue;
          const next = applyChanges(job, decision.changes);
          expect(isTerminal(job.state)).toBe(false);
          expect(next.version).toBeGreaterThanOrEqual(job.version);
          expect(next.attempt - job.attempt).toBe(type === 'claim' ? 1 : 0);
          expect(next.attempts.map((attempt) => attempt.n)).toEqual(next.attempts.map((_, index) => index + 1));
          expect(next.wakeAt === null).toBe(isTerminal(next.state));
          if (type === 'claim') expect(job.leaseExpiresAt === null || job.leaseExpiresAt <= nowMs).toBe(true);
          else if (type !== 'ring') expect(by).toBe(job.token);
          if (isTerminal(next.state))
            expect(next.attempts.every((attempt) => attempt.endedAt !== undefined)).toBe(true);
          job = next;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  function toEvent(type: string, by: string, nowMs: number): JobEvent {
    switch (type) {
      case 'claim':
        return { type, nowMs, leaseMs: LEASE_MS, token: by, stage: 's' };
      case 'renew':
        return { type, nowMs, leaseMs: LEASE_MS, token: by };
      case 'complete':
        return { type: 'finish', nowMs, token: by, outcome: { state: 'completed', result: 1 } };
      case 'fail':
        return { type: 'finish', nowMs, token: by, outcome: { state: 'failed', error: { code: 'auth', message: '' } } };
      default:
        return { type: 'ring', nowMs };
    }
  }
});
