/** Jobs that a provider works on by itself, in the transition table: who may do what with them, and what that changes. */
import { describe, expect, test } from 'vitest';
import type { JobEvent } from '../../shared/core/events.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { CANCEL_GRACE_MS, UPSTREAM_GRACE_MS } from '../../shared/core/leases.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const BORN = NOW - 100_000;
const now = { nowMs: NOW, storedAtMs: BORN };
const held = { ...now, token: 'held', leaseMs: 60_000 };
const upstream = { id: 'resp_1', looks: 3 };
const attempt = { n: 1, startedAt: NOW - 1_000, provider: 'p', model: 'm', calls: 1 };

function attached(over: Partial<Job>): Job {
  const job = { state: 'processing', attempt: 1, token: 'held', sequence: 3, startedAt: NOW - 1_000 } as const;
  const left = { leaseExpiresAt: null, wakeAt: NOW, nextAttemptAt: NOW, slotUntil: NOW + 1 };
  return sampleJob({ ...job, attempts: [attempt], stage: 'calling_llm', upstream, ...left, ...over });
}
/** Their time was over so long ago. */
const over = (ms: number) => ({ limits: { ...DEFAULT_LIMITS, timeoutMs: NOW - BORN - ms } });

const EVENTS = {
  claim: { type: 'claim', ...held, token: 'new', holder: 'w2', stage: 'other' },
  attach: { type: 'attach', ...held, upstream: { id: 'resp_2', looks: 0 }, providerRequestId: 'req-1' },
  detach: { type: 'detach', ...held, upstream, nextLookAt: NOW + 5_000 },
  cancel: { type: 'cancel', nowMs: NOW },
  wake: { type: 'wake', ...now, random: 0.5 },
} satisfies { [name: string]: JobEvent };

const JOBS = {
  left: attached({}),
  'left, not due': attached({ nextAttemptAt: NOW + 1, wakeAt: NOW + 1 }),
  'left, cancel asked': attached({ nextAttemptAt: undefined, cancelRequestedAt: NOW - 1 }),
  'left, cancel asked long ago': attached({ nextAttemptAt: undefined, cancelRequestedAt: NOW - CANCEL_GRACE_MS }),
  'left, its time is over': attached(over(0)),
  'left, its time is long over': attached(over(UPSTREAM_GRACE_MS)),
  held: attached({ leaseExpiresAt: NOW + 1, nextAttemptAt: undefined }),
  'held, its time is over': attached({ leaseExpiresAt: NOW + 1, nextAttemptAt: undefined, ...over(2_000) }),
  'lease ended': attached({ leaseExpiresAt: NOW, nextAttemptAt: undefined }),
  'lease ended, a second loss': attached({ leaseExpiresAt: NOW, nextAttemptAt: undefined, losses: 1 }),
  'lease ended, a last loss': attached({ leaseExpiresAt: NOW, losses: LOSSES_MOST - 1 }),
  'lease ended, a last loss, cancel asked': attached({
    ...{ leaseExpiresAt: NOW, losses: LOSSES_MOST - 1, cancelRequestedAt: NOW - 1 },
  }),
  'lease ended, a second loss, cancel asked': attached({
    ...{ leaseExpiresAt: NOW, nextAttemptAt: undefined, losses: 1, cancelRequestedAt: NOW - 1 },
  }),
};

/** A state: allowed, and the job is in it after. */
const p = 'processing';
const TABLE: Record<keyof typeof JOBS, Record<keyof typeof EVENTS, string>> = {
  left: { claim: p, attach: 'lease-ended', detach: p, cancel: p, wake: p },
  'left, not due': { claim: 'not-due', attach: 'lease-ended', detach: p, cancel: p, wake: 'not-due' },
  'left, cancel asked': { claim: p, attach: 'cancelling', detach: 'cancelling', cancel: 'cancelling', wake: p },
  'left, cancel asked long ago': {
    ...{ claim: 'overdue', attach: 'cancelling', detach: 'cancelling', cancel: 'cancelling', wake: 'cancelled' },
  },
  'left, its time is over': { claim: p, attach: 'lease-ended', detach: p, cancel: p, wake: p },
  'left, its time is long over': { claim: 'overdue', attach: 'lease-ended', detach: p, cancel: p, wake: 'failed' },
  held: { claim: 'leased', attach: p, detach: p, cancel: p, wake: 'leased' },
  'held, its time is over': { claim: 'leased', attach: p, detach: p, cancel: p, wake: 'leased' },
  'lease ended': { claim: p, attach: 'lease-ended', detach: p, cancel: p, wake: p },
  'lease ended, a second loss': { claim: 'overdue', attach: 'lease-ended', detach: p, cancel: p, wake: p },
  'lease ended, a last loss': { claim: 'overdue', attach: 'lease-ended', detach: p, cancel: p, wake: 'failed' },
  'lease ended, a last loss, cancel asked': {
    ...{ claim: 'overdue', attach: 'cancelling', detach: 'cancelling', cancel: 'cancelling', wake: 'cancelled' },
  },
  'lease ended, a second loss, cancel asked': {
    ...{ claim: p, attach: 'cancelling', detach: 'cancelling', cancel: 'cancelling', wake: p },
  },
};

describe('the table', () => {
  const events = Object.keys(EVENTS) as (keyof typeof EVENTS)[];
  const rows = (Object.keys(JOBS) as (keyof typeof JOBS)[]).flatMap((job) => events.map((event) => ({ job, event })));

  test.each(rows)('$job, $event', ({ job, event }) => {
    const before: Job = JOBS[job];
    const decision = transition(before, EVENTS[event]);
    const after = applyChanges(before, decision.changes ?? {});
    expect(decision.refused ?? after.state).toBe(TABLE[job][event]);
    // Whatever happened, the call goes on or its record has an end, and never is there a second one.
    expect(after.attempts).toHaveLength(1);
    expect(after.attempts[0]?.endedAt === undefined).toBe(after.upstream !== undefined);
    expect(after.upstream === undefined).toBe(after.state !== p);
    if (after.state === p && event !== 'attach')
      expect(after).toMatchObject({ stage: 'calling_llm', slotUntil: NOW + 1 });
  });
});

test('a claim goes on with the attempt: nothing that readers see has changed', () => {
  const { changes } = transition(JOBS.left, EVENTS.claim);
  expect(Object.keys(changes ?? {}).sort()).toEqual(
    ['holder', 'leaseExpiresAt', 'nextAttemptAt', 'rings', 'sequence', 'token', 'wakeAt'].sort(),
  );
});

test('whose holder was lost counts that, and has a pause from the second time on', () => {
  expect(transition(JOBS['lease ended'], EVENTS.claim).changes).toMatchObject({ losses: 1 });
  const paused = transition(JOBS['lease ended, a second loss'], EVENTS.wake).changes;
  expect(paused).toMatchObject({ losses: 2, leaseExpiresAt: null, nextAttemptAt: expect.any(Number) });
  expect(paused?.nextAttemptAt).toBeGreaterThan(NOW);
  // Not while the provider has to be stopped.
  const urgent = transition(JOBS['lease ended, a second loss, cancel asked'], EVENTS.wake).changes;
  expect(urgent).toMatchObject({ losses: 2, nextAttemptAt: NOW });
});

test('the name of the request that began it is shown', () => {
  const { changes } = transition(JOBS.held, EVENTS.attach);
  expect(changes).toMatchObject({ attempts: [{ providerRequestId: 'req-1' }], version: JOBS.held.version + 1 });
  const again = transition(applyChanges(JOBS.held, changes ?? {}), EVENTS.attach).changes;
  expect(again).not.toHaveProperty('version');
});

test('nobody looks after the end of its time', () => {
  const job = attached({ ...over(-1_000), leaseExpiresAt: NOW + 1 });
  expect(transition(job, EVENTS.detach).changes).toMatchObject({ nextAttemptAt: NOW + 1_000, wakeAt: NOW + 1_000 });
});

test('a pause after a loss ends with the time of the job, when the provider has to be stopped', () => {
  const job = { ...JOBS['lease ended, a second loss'], losses: 6, ...over(-1_000) };
  const { changes } = transition(job, { ...EVENTS.wake, random: 1 });
  expect(changes).toMatchObject({ nextAttemptAt: NOW + 1_000, wakeAt: NOW + 1_000 });
});
