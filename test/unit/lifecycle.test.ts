/** The transition table: every state × every event, and what must hold over any sequence of events. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FailedAttempt, JobEvent, NoticeEvent, Refusal } from '../../shared/core/events.ts';
import { applyChanges, isTerminal, JOB_STATES, type Job, type JobState } from '../../shared/core/job.ts';
import { CANCEL_GRACE_MS, LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { UNREAD_MS } from '../../shared/core/payloads.ts';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const LEASE_MS = 60_000;
const MINUTE_MS = 60_000;

const BORN = NOW - 10_000;
const now = { nowMs: NOW, storedAtMs: BORN };
const held = { nowMs: NOW, token: 'held' };
const ended: FailedAttempt = { outcome: 'failed', errorCode: 'overloaded', counts: 'failures' };

const EVENTS = {
  claim: { type: 'claim', ...now, leaseMs: LEASE_MS, token: 'new', holder: 'w2', stage: 'calling_llm' },
  renew: { type: 'renew', ...held, storedAtMs: BORN, leaseMs: LEASE_MS },
  retry: { type: 'retry', ...held, storedAtMs: BORN, leaseMs: LEASE_MS, ended, nextAttemptAt: NOW + 5_000 },
  'hand-back': { type: 'hand-back', ...held, storedAtMs: BORN, ended, nextAttemptAt: NOW + 90_000 },
  'finish, completed': { type: 'finish', ...held, outcome: { state: 'completed', result: 'r' } },
  'finish, failed': { type: 'finish', ...held, outcome: { state: 'failed', error: { code: 'auth', message: 'no' } } },
  cancel: { type: 'cancel', nowMs: NOW },
  wake: { type: 'wake', ...now, random: 0.5 },
  delete: { type: 'delete', nowMs: NOW },
  park: { type: 'park', ...now, parkedFor: 'gpt-4o' },
  promote: { type: 'promote', ...now, slotUntil: NOW + MINUTE_MS },
  read: { type: 'read', nowMs: NOW },
  redrive: { type: 'redrive', nowMs: NOW, redrivenAs: 'anew' },
  deny: { type: 'deny', ...now, error: { code: 'insufficient_credits', message: 'too few' } },
  stage: { type: 'stage', ...held, storedAtMs: BORN, leaseMs: LEASE_MS, stage: 'validating' },
  defer: { type: 'defer', ...now, nextAttemptAt: NOW + 5_000 },
  reuse: { type: 'reuse', ...now, answer: { id: 'equal', completedAt: NOW - 1 }, result: 'r' },
  attach: { type: 'attach', ...held, storedAtMs: BORN, leaseMs: LEASE_MS, upstream: { id: 'resp_1', looks: 0 } },
  detach: { type: 'detach', ...held, storedAtMs: BORN, upstream: { id: 'resp_1', looks: 0 }, nextLookAt: NOW + 5_000 },
} satisfies { [name: string]: JobEvent };

/** Complete by its type: a new event does not compile until it is here, and then the table misses a column. */
const EVENT_TYPES: Record<Exclude<JobEvent, NoticeEvent>['type'], true> = {
  ...{ claim: true, renew: true, retry: true, 'hand-back': true, finish: true, cancel: true, delete: true },
  ...{ read: true, wake: true, park: true, promote: true, stage: true, deny: true, redrive: true },
  ...{ defer: true, reuse: true, attach: true, detach: true },
};

const SOON = { ...DEFAULT_LIMITS, startWithinMs: 10_000 };
const LATE = { ...DEFAULT_LIMITS, timeoutMs: 10_000 - LEASE_GRACE_MS };
const SHORT = { ...DEFAULT_LIMITS, timeoutMs: 10_000 };
const WAITING = { leaseExpiresAt: null, stage: 'waiting' };
const ENDED = { leaseExpiresAt: NOW, wakeAt: NOW };
const ASKED = { cancelRequestedAt: NOW - CANCEL_GRACE_MS };

/** Jobs in each state, by who holds them, what they wait for, and what time has done to them. */
const JOBS = {
  pending: sampleJob({ wakeAt: NOW }),
  'pending, not due': sampleJob({ wakeAt: NOW + 1 }),
  'pending, start_within is over': sampleJob({ wakeAt: NOW + 1, limits: SOON }),
  'pending, timeout is over': sampleJob({ wakeAt: NOW + 1, limits: SHORT }),
  processing: processing({ leaseExpiresAt: NOW + 1 }),
  'processing, timeout is over': processing({ leaseExpiresAt: NOW + 1, limits: SHORT }),
  'processing, long past its timeout': processing({ leaseExpiresAt: NOW + 1, limits: LATE }),
  'processing, cancel asked, long past its timeout': processing({
    leaseExpiresAt: NOW + 1,
    cancelRequestedAt: NOW - 1,
    limits: LATE,
  }),
  'processing, start_within is over': processing({ leaseExpiresAt: NOW + 1, limits: SOON }),
  'processing, cancel asked just now': processing({ leaseExpiresAt: NOW + 1, cancelRequestedAt: NOW - 1 }),
  'processing, cancel ignored': processing({ leaseExpiresAt: NOW + 1, ...ASKED }),
  'processing, held by another': processing({ leaseExpiresAt: NOW + 1, token: 'other' }),
  'lease ended': processing(ENDED),
  'lease ended, in its grace': processing({ leaseExpiresAt: NOW, wakeAt: NOW + 1 }),
  'lease ended, of another': processing({ ...ENDED, token: 'other' }),
  'lease ended, a second loss': processing({ ...ENDED, losses: 1 }),
  'lease ended, a last loss': processing({ ...ENDED, losses: LOSSES_MOST - 1 }),
  'lease ended, cancel asked': processing({ ...ENDED, cancelRequestedAt: NOW - 1 }),
  'lease ended, timeout is over': processing({ ...ENDED, limits: SHORT }),
  'lease ended, in a pause': processing({ ...ENDED, nextAttemptAt: NOW + 1 }),
  waiting: processing({ ...WAITING, nextAttemptAt: NOW, wakeAt: NOW, attempts: [closed()] }),
  'waiting, not yet': processing({ ...WAITING, nextAttemptAt: NOW + 1, wakeAt: NOW + 1, attempts: [closed()] }),
  'waiting, timeout is over': processing({ ...WAITING, nextAttemptAt: NOW + 1, limits: SHORT, attempts: [closed()] }),
  completed: sampleJob({ state: 'completed', wakeAt: null, token: 'held' }),
  failed: sampleJob({ state: 'failed', wakeAt: null, token: 'held' }),
  cancelled: sampleJob({ state: 'cancelled', wakeAt: null, token: 'held' }),
} satisfies { [name: string]: Job };

function attempt() {
  return { n: 1, startedAt: NOW - 1_000, provider: 'p', model: 'm', calls: 1 };
}

function closed() {
  return { ...attempt(), endedAt: NOW - 1, outcome: 'failed' as const, errorCode: 'overloaded' };
}

function processing(over: Partial<Job>): Job {
  const job = {
    state: 'processing',
    attempt: 1,
    token: 'held',
    sequence: 3,
    holder: 'w1',
    attempts: [attempt()],
  } as const;
  return sampleJob({ ...job, attempts: [attempt()], startedAt: NOW - 1_000, ...over });
}

type Expected = JobState | Refusal;
const over: Expected[] = Array(8).fill('done');
const p: Expected = 'processing';
const [completed, failed, cancelled]: Expected[] = ['completed', 'failed', 'cancelled'] as Expected[];
/** Columns as in EVENTS, up to `wake`. A state: allowed, and the job is in it after. */
const TABLE: Record<keyof typeof JOBS, (Expected | undefined)[]> = {
  pending: [p, ...Array(5).fill('not-leased'), cancelled, 'pending'],
  'pending, not due': [p, ...Array(5).fill('not-leased'), cancelled, 'not-due'],
  'pending, start_within is over': ['overdue', ...Array(5).fill('not-leased'), cancelled, failed],
  'pending, timeout is over': ['overdue', ...Array(5).fill('not-leased'), cancelled, failed],
  processing: ['leased', p, p, p, completed, failed, p, 'leased'],
  'processing, timeout is over': ['leased', p, p, p, completed, failed, p, 'leased'],
  'processing, long past its timeout': ['leased', p, p, p, completed, failed, p, failed],
  'processing, cancel asked, long past its timeout': [
    ...['leased', p, 'cancelling', 'cancelling', cancelled, cancelled, 'cancelling', cancelled],
  ] as Expected[],
  'processing, start_within is over': ['leased', p, p, p, completed, failed, p, 'leased'],
  'processing, cancel asked just now': [
    'leased',
    p,
    'cancelling',
    'cancelling',
    cancelled,
    cancelled,
    'cancelling',
    'leased',
  ],
  'processing, cancel ignored': [
    'leased',
    p,
    'cancelling',
    'cancelling',
    cancelled,
    cancelled,
    'cancelling',
    cancelled,
  ],
  'processing, held by another': ['leased', ...Array(5).fill('lease-lost'), p, 'leased'],
  'lease ended': [p, 'lease-ended', 'lease-ended', p, completed, failed, cancelled, p],
  'lease ended, in its grace': [p, 'lease-ended', 'lease-ended', p, completed, failed, cancelled, 'not-due'],
  'lease ended, of another': [p, ...Array(5).fill('lease-lost'), cancelled, p],
  'lease ended, a second loss': ['overdue', 'lease-ended', 'lease-ended', p, completed, failed, cancelled, p],
  'lease ended, a last loss': ['overdue', 'lease-ended', 'lease-ended', p, completed, failed, cancelled, failed],
  'lease ended, cancel asked': [
    'overdue',
    'lease-ended',
    'cancelling',
    'cancelling',
    cancelled,
    cancelled,
    cancelled,
    cancelled,
  ],
  'lease ended, timeout is over': ['overdue', 'lease-ended', 'lease-ended', p, completed, failed, cancelled, failed],
  'lease ended, in a pause': ['not-due', 'lease-ended', 'lease-ended', p, completed, failed, cancelled, p],
  waiting: [p, 'lease-ended', 'lease-ended', p, completed, failed, cancelled, p],
  'waiting, not yet': ['not-due', 'lease-ended', 'lease-ended', p, completed, failed, cancelled, 'not-due'],
  'waiting, timeout is over': ['overdue', 'lease-ended', 'lease-ended', p, completed, failed, cancelled, failed],
  completed: over,
  failed: over,
  cancelled: over,
};

describe('a document of a newer version', () => {
  const newer = { schemaVersion: SCHEMA_VERSION + 1 };
  test.each(Object.keys(EVENTS) as (keyof typeof EVENTS)[])('is not ours to change: %s', (event) => {
    for (const job of Object.values<Job>(JOBS)) {
      expect(transition({ ...job, ...newer }, EVENTS[event])).toEqual({ refused: 'newer-version' });
      const unknown = { ...job, state: 'paused' as Job['state'] };
      expect(transition(unknown, EVENTS[event])).toEqual({ refused: 'newer-version' });
    }
  });
});

describe('the table', () => {
  const events = (Object.keys(EVENTS) as (keyof typeof EVENTS)[]).slice(0, 8);
  const rows = (Object.keys(TABLE) as (keyof typeof JOBS)[]).flatMap((job) =>
    events.map((event, column) => ({ job, event, expected: TABLE[job][column] })),
  );

  test.each(rows)('$job, $event: $expected', ({ job, event, expected }) => {
    const before: Job = JOBS[job];
    const decision = transition(before, EVENTS[event]);
    const after = decision.refused ?? applyChanges(before, decision.changes).state;
    expect(after).toBe(expected);
  });

  test.each(Object.keys(TABLE) as (keyof typeof JOBS)[])('%s, stage: whoever may renew may say what is done', (job) => {
    const renewed = transition(JOBS[job], EVENTS.renew);
    const shown = transition(JOBS[job], EVENTS.stage);
    expect(shown.refused).toBe(renewed.refused);
    if (renewed.refused) return;
    const news = { stage: 'validating', version: JOBS[job].version + 1 };
    expect(shown.changes).toEqual({ ...renewed.changes, ...news });
  });

  test.each(Object.keys(TABLE) as (keyof typeof JOBS)[])('%s, delete: as a cancel, and unreadable', (job) => {
    const before: Job = { ...JOBS[job], tags: ['mine'], result: 'r' };
    const [asked] = TABLE[job].slice(events.indexOf('cancel'));
    const after = changed(before, EVENTS.delete);
    expect(after.state).toBe(JOB_STATES.includes(asked as JobState) ? asked : before.state);
    expect(after).toMatchObject({
      deletedAt: NOW,
      version: before.version + 1,
      attempts: before.attempts.map(() => ({})),
    });
    expect(after).not.toHaveProperty('tags');
    expect(after).not.toHaveProperty('result');
    expect(transition(after, EVENTS.delete)).toEqual({ refused: 'done' });
  });

  test.each(Object.keys(TABLE) as (keyof typeof JOBS)[])(
    '%s, park: where a claim may be made, and no attempt',
    (job) => {
      const before: Job = JOBS[job];
      const [claim] = TABLE[job];
      const decision = transition(before, EVENTS.park);
      expect(decision.refused).toBe(claim === p ? undefined : claim);
      expect(transition(before, EVENTS.promote)).toEqual({ refused: isTerminal(before.state) ? 'done' : 'not-parked' });
      if (decision.refused) return;
      const after = applyChanges(before, decision.changes);
      const { state, attempt, failures, refusals } = before;
      expect(after).toMatchObject({ state, attempt, parkedAt: NOW, parkedFor: 'gpt-4o', version: before.version + 1 });
      expect([after.failures, after.refusals, after.leaseExpiresAt]).toEqual([failures, refusals, null]);
      expect(after.attempts.every(({ endedAt }) => endedAt !== undefined)).toBe(true);
    },
  );
  test.each(Object.keys(TABLE) as (keyof typeof JOBS)[])('%s, deny: where a claim may be made, it is over', (job) => {
    const before: Job = { ...JOBS[job], slotUntil: NOW + 1, parkedFor: '*', parkedAt: NOW - 1 };
    const [claim] = TABLE[job];
    const decision = transition(before, EVENTS.deny);
    expect(decision.refused).toBe(claim === p ? undefined : claim);
    if (decision.refused) return;
    const after = applyChanges(before, decision.changes);
    const { attempt } = before;
    expect(after).toMatchObject({ state: 'failed', attempt, error: EVENTS.deny.error, wakeAt: null });
    for (const field of ['slotUntil', 'parkedFor', 'settled']) expect(after).not.toHaveProperty(field);
    expect(after.attempts.every(({ endedAt }) => endedAt !== undefined)).toBe(true);
  });

  test.each(Object.keys(TABLE) as (keyof typeof JOBS)[])('%s, read: nothing, where payloads are kept', (job) => {
    expect(transition(JOBS[job], EVENTS.read)).toEqual({
      refused: JOB_STATES.slice(2).includes(JOBS[job].state) ? 'done' : 'not-due',
    });
  });

  test.each(Object.keys(TABLE) as (keyof typeof JOBS)[])(
    '%s, redrive: of what ended without an answer, once',
    (job) => {
      const before: Job = { ...JOBS[job], result: 'r', tags: ['mine'] };
      const isFit = before.state === 'failed' || before.state === 'cancelled';
      const decision = transition(before, EVENTS.redrive);
      expect(decision.refused).toBe(isFit ? undefined : isTerminal(before.state) ? 'done' : 'not-due');
      if (decision.refused) return;
      expect(decision.changes).toEqual({ version: before.version + 1, redrivenAs: 'anew' });
      const after = applyChanges(before, decision.changes);
      for (const event of Object.values(EVENTS)) {
        if (event.type !== 'delete') expect(transition(after, event)).toEqual({ refused: 'done' });
      }
      for (const gone of [
        { payloadsRemovedAt: NOW },
        { deletedAt: NOW },
        { model: { ...before.model, provider: 'unknown' } },
      ]) {
        expect(transition({ ...before, ...gone }, EVENTS.redrive)).toEqual({ refused: 'done' });
      }
    },
  );

  test('every state and every event is in it', () => {
    expect(new Set(Object.values(JOBS).map((job) => job.state))).toEqual(new Set(JOB_STATES));
    expect(new Set(Object.values(EVENTS).map((event) => event.type))).toEqual(new Set(Object.keys(EVENT_TYPES)));
    expect(Object.keys(TABLE)).toEqual(Object.keys(JOBS));
    expect(Object.values(TABLE).map((row) => row.length)).toEqual(Object.keys(JOBS).map(() => 8));
    expect(rows.filter(({ expected }) => expected === undefined)).toEqual([]);
  });
});

function changed(job: Job, event: JobEvent): Job {
  const decision = transition(job, event);
  if (decision.refused) throw new Error(decision.refused);
  return applyChanges(job, decision.changes);
}

test('a claim records its call, starts a lease, and wakes the sweeper after its end', () => {
  expect(changed(JOBS.pending, EVENTS.claim)).toMatchObject({
    ...{
      version: 2,
      startedAt: NOW,
      stage: 'calling_llm',
      attempt: 1,
      token: 'new',
      holder: 'w2',
      sequence: 0,
      rings: 0,
    },
    leaseExpiresAt: NOW + LEASE_MS,
    wakeAt: NOW + LEASE_MS + LEASE_GRACE_MS,
    attempts: [{ n: 1, startedAt: NOW, provider: 'simulated', model: 'simulated', calls: 1 }],
  });
});

test('a claim after an ended lease closes the lost attempt, counts the loss and keeps when the job started', () => {
  const job = changed(JOBS['lease ended'], EVENTS.claim);
  expect(job).toMatchObject({ startedAt: NOW - 1_000, losses: 1 });
  expect(job.attempts).toMatchObject([
    { n: 1, outcome: 'lost', errorCode: 'lease_lost', endedAt: NOW },
    { n: 2, calls: 1 },
  ]);
});

test('a finish leaves nothing for anybody to do', () => {
  const job = changed(JOBS.processing, EVENTS['finish, completed']);
  expect(job).toMatchObject({ state: 'completed', result: 'r', wakeAt: null, leaseExpiresAt: null, completedAt: NOW });
  for (const field of ['stage', 'holder', 'nextAttemptAt', 'cancelFor']) expect(job).not.toHaveProperty(field);
  const refused = changed(JOBS.processing, EVENTS['finish, failed']);
  expect(refused).toMatchObject({
    error: { code: 'auth' },
    attempts: [{ n: 1, outcome: 'failed', errorCode: 'auth' }],
  });
  expect(refused).not.toHaveProperty('result');
});

test('a finish that meets a cancel drops its result and keeps what is known of the call', () => {
  const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3 };
  const outcome = { state: 'completed', result: 'r', usage } as const;
  const job = changed(JOBS['processing, cancel asked just now'], { type: 'finish', ...held, outcome });
  expect(job).not.toHaveProperty('result');
  expect(job).toMatchObject({
    state: 'cancelled',
    attempts: [{ outcome: 'cancelled', errorCode: 'cancelled', usage }],
  });
});

test('a retry records both attempts in one write and keeps the lease', () => {
  const job = changed(JOBS.processing, EVENTS.retry);
  expect(job).toMatchObject({
    state: 'processing',
    attempt: 2,
    failures: 1,
    nextAttemptAt: NOW + 5_000,
    token: 'held',
  });
  expect(job.leaseExpiresAt).toBe(NOW + LEASE_MS);
  expect(job.version).toBe(JOBS.processing.version + 1);
  expect(job.attempts).toMatchObject([
    { n: 1, outcome: 'failed', errorCode: 'overloaded', endedAt: NOW },
    { n: 2, calls: 1, startedAt: NOW + 5_000 },
  ]);
});

test('a job that is handed back waits, and is looked at when its next attempt may start, or its time is over', () => {
  const job = changed(JOBS.processing, EVENTS['hand-back']);
  expect(job).toMatchObject({ ...WAITING, state: 'processing', attempt: 1, failures: 1, wakeAt: NOW + 90_000 });
  const hurried = processing({ leaseExpiresAt: NOW + 1, limits: { ...DEFAULT_LIMITS, timeoutMs: 60_000 } });
  expect(changed(hurried, EVENTS['hand-back']).wakeAt).toBe(BORN + 60_000);
});

test('a lost attempt is given to the next worker at once the first time, later from the second time on', () => {
  const first = changed(JOBS['lease ended'], EVENTS.wake);
  expect(first).toMatchObject({ ...WAITING, losses: 1, nextAttemptAt: NOW, rings: 1, attempts: [{ outcome: 'lost' }] });
  const second = changed(JOBS['lease ended, a second loss'], EVENTS.wake);
  expect(second).toMatchObject({ losses: 2, nextAttemptAt: NOW + 2_000, wakeAt: NOW + 2_000, rings: 0 });
  const last = changed(JOBS['lease ended, a last loss'], EVENTS.wake);
  expect(last).toMatchObject({ state: 'failed', losses: LOSSES_MOST, error: { code: 'crash_loop' }, wakeAt: null });
});

test('a lost attempt that still waited for what a provider asked goes on waiting', () => {
  expect(changed(JOBS['lease ended, in a pause'], EVENTS.wake)).toMatchObject({
    nextAttemptAt: NOW + 1,
    wakeAt: NOW + 1,
  });
});

test.each([
  ['pending, start_within is over', 'start_timeout'],
  ['pending, timeout is over', 'job_timeout'],
  ['lease ended, timeout is over', 'job_timeout'],
  ['waiting, timeout is over', 'job_timeout'],
] as const)('%s: it fails with %s', (job, code) => {
  expect(changed(JOBS[job], EVENTS.wake)).toMatchObject({ state: 'failed', error: { code }, wakeAt: null });
});

test('what a holder says of its attempt stands above that others took it for lost', () => {
  const lost = changed(JOBS['lease ended'], EVENTS.wake);
  const job = changed(lost, EVENTS['finish, completed']);
  expect(job.attempts).toMatchObject([{ n: 1, outcome: 'completed' }]);
  expect(job.attempts[0]?.errorCode).toBeUndefined();
});

test('a cancel of a held job names who has to hear of it, and when somebody else looks', () => {
  const job = changed({ ...JOBS.processing, wakeAt: NOW + 2 * CANCEL_GRACE_MS }, EVENTS.cancel);
  expect(job).toMatchObject({
    state: 'processing',
    cancelRequestedAt: NOW,
    cancelFor: 'w1',
    wakeAt: NOW + CANCEL_GRACE_MS,
  });
  // A heartbeat after it does not put that off.
  expect(changed(job, EVENTS.renew).wakeAt).toBe(NOW + CANCEL_GRACE_MS);
});

test('ring k comes min(2^k, 15) minutes after the one before', () => {
  let job: Job = JOBS.pending;
  const pauses: number[] = [];
  for (let k = 0; k < 6; k++) {
    const nowMs = job.wakeAt ?? 0;
    job = changed(job, { type: 'wake', nowMs, storedAtMs: NOW, random: 0 });
    pauses.push(((job.wakeAt ?? 0) - nowMs) / MINUTE_MS);
  }
  expect(pauses).toEqual([1, 2, 4, 8, 15, 15]);
});

test('only the latest 50 attempts are kept', () => {
  let job = changed(JOBS.pending, EVENTS.claim);
  for (let n = 2; n <= 60; n++) {
    const at = { nowMs: NOW, storedAtMs: BORN, token: 'new', leaseMs: LEASE_MS };
    job = changed(job, { type: 'retry', ...at, nextAttemptAt: NOW, ended: { ...ended, counts: 'refusals' } });
  }
  expect(job.attempts.map((one) => one.n)).toEqual(Array.from({ length: 50 }, (_, index) => index + 11));
  expect(job.refusals).toBe(59);
});

describe('over any sequence of events', () => {
  const kind = fc.constantFrom(
    ...['claim', 'renew', 'retry', 'hand-back', 'complete', 'fail', 'cancel', 'delete', 'read', 'redrive', 'wake'],
  );
  const words = { questionId: 'q', projectId: 'p', tags: ['t'], metadata: { a: 'b' }, batchId: 'b' };
  const step = fc.record({
    type: kind,
    token: fc.constantFrom('a', 'b', 'c'),
    afterMs: fc.nat(90_000),
    random: fc.float({ min: 0, max: 1, noNaN: true }),
  });
  const timeout = fc.oneof(fc.integer({ min: 1, max: 120_000 }), fc.integer({ min: 1, max: 3_600_000 }));
  const BY_HOLDER = ['renew', 'retry', 'hand-back', 'complete', 'fail'];

  test('nothing goes back, only the newest token writes, and somebody always looks again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), timeout, fc.boolean(), (steps, timeoutMs, isKept) => {
        const store = isKept ? undefined : false;
        let job = sampleJob({ wakeAt: NOW, limits: { ...DEFAULT_LIMITS, timeoutMs }, store, ...words });
        let nowMs = NOW;
        for (const { type, token: by, afterMs, random } of steps) {
          nowMs += afterMs;
          const decision = transition(job, toEvent(type, by, nowMs, random));
          if (decision.refused) continue;
          const next = applyChanges(job, decision.changes);
          const isOfEnded = ['delete', 'redrive'].includes(type) || (!isKept && ['read', 'wake'].includes(type));
          if (!isOfEnded) expect(isTerminal(job.state)).toBe(false);
          else if (isTerminal(job.state)) expect(next).toMatchObject({ state: job.state, attempts: job.attempts });
          expect(next.version).toBeGreaterThanOrEqual(job.version);
          if (type === 'redrive') {
            expect(job).not.toHaveProperty('redrivenAs');
            expect(['failed', 'cancelled']).toContain(job.state);
            expect(next).toEqual({ ...job, version: job.version + 1, redrivenAs: `of ${by}` });
          } else expect(next.redrivenAs).toBe(job.redrivenAs);
          expect(next.attempt - job.attempt).toBe(type === 'claim' || type === 'retry' ? 1 : 0);
          expect(next.attempts.map((one) => one.n)).toEqual(
            next.attempts.map((_, index) => index + next.attempt - next.attempts.length + 1),
          );
          const holds = !isKept && next.payloadsRemovedAt === undefined && next.deletedAt === undefined;
          expect(next.wakeAt === null).toBe(isTerminal(next.state) && !holds);
          if (isTerminal(next.state) && holds) {
            expect(next.wakeAt).toBe(next.payloadsExpireAt);
            expect((next.payloadsExpireAt ?? 0) - (next.completedAt ?? 0)).toBeLessThanOrEqual(UNREAD_MS);
            expect(next.payloadsExpireAt ?? 0).toBeLessThanOrEqual(job.payloadsExpireAt ?? Infinity);
          }
          if (next.payloadsRemovedAt !== undefined) {
            expect(next).not.toHaveProperty('result');
            expect(next.fingerprint).toBe('');
          }
          expect(next.losses ?? 0).toBeLessThanOrEqual(LOSSES_MOST);
          if (type === 'claim') {
            expect(job.leaseExpiresAt === null || job.leaseExpiresAt <= nowMs).toBe(true);
            expect(job.nextAttemptAt ?? 0).toBeLessThanOrEqual(nowMs);
          } else if (BY_HOLDER.includes(type)) expect(by).toBe(job.token);
          if (job.cancelRequestedAt !== undefined && isTerminal(next.state)) expect(next.state).toBe('cancelled');
          if (isTerminal(next.state)) expect(next.attempts.every((one) => one.endedAt !== undefined)).toBe(true);
          expect(isTerminal(next.state)).toBe(next.deleteAt !== undefined && next.expiresAt !== undefined);
          expect(next.deletedAt).toBe(type === 'delete' ? nowMs : job.deletedAt);
          if (type === 'delete') expect(job.deletedAt).toBeUndefined();
          if (next.deletedAt !== undefined) {
            for (const field of ['result', ...Object.keys(words)]) expect(next).not.toHaveProperty(field);
            if (!isTerminal(job.state) && isTerminal(next.state)) expect(next.state).toBe('cancelled');
            expect(next.error?.message ?? 'Deleted').toBe('Deleted');
          }
          job = next;
        }
      }),
      { numRuns: 3_000 },
    );
  });

  function toEvent(type: string, token: string, nowMs: number, random: number): JobEvent {
    const at = { nowMs, token };
    switch (type) {
      case 'claim':
        return { type, ...at, storedAtMs: NOW, leaseMs: LEASE_MS, holder: `worker of ${token}`, stage: 's' };
      case 'renew':
        return { type, ...at, storedAtMs: NOW, leaseMs: LEASE_MS };
      case 'retry':
        return { type, ...at, storedAtMs: NOW, leaseMs: LEASE_MS, ended, nextAttemptAt: nowMs + random * 60_000 };
      case 'hand-back':
        return { type, ...at, storedAtMs: NOW, ended, nextAttemptAt: nowMs + random * 3_600_000 };
      case 'complete':
        return { type: 'finish', ...at, outcome: { state: 'completed', result: 1 } };
      case 'fail':
        return { type: 'finish', ...at, outcome: { state: 'failed', error: { code: 'auth', message: '' } } };
      case 'redrive':
        return { type, nowMs, redrivenAs: `of ${token}` };
      case 'cancel':
      case 'delete':
      case 'read':
        return { type, nowMs };
      default:
        return { type: 'wake', nowMs, storedAtMs: NOW, random };
    }
  }
});
