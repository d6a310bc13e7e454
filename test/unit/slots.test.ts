/** Slots: which limit applies, whose turn it is, and what being parked and promoted does to a job. */
import { describe, expect, test } from 'vitest';
import type { JobEvent } from '../../shared/core/events.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import {
  fullFor,
  isLimited,
  limitOn,
  lineOf,
  type RunningLimits,
  type SlotSet,
  turnsIn,
} from '../../shared/core/slots.ts';
import { RING_GRACE_MS } from '../../shared/core/waking.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const now = { nowMs: NOW, storedAtMs: NOW - 10_000 };
const LIMITS: RunningLimits = new Map([
  ['*', 3],
  ['gpt-4o', 1],
  ['acme/*', 2],
  ['acme/gpt-4o', 2],
  ['acme/meta/llama', 1],
]);

const jobOn = (model: string, over: Partial<Job> = {}) =>
  sampleJob({ tenant: 'other', model: { id: 'm', name: model, provider: 'p', model }, ...over });

function setOf(models: string[], waiting: string[] = []): SlotSet {
  const running = Object.fromEntries(models.map((model, n) => [`job-${n}`, { model, expiresAt: NOW }]));
  return { running, waiting, expired: [], revision: '1' };
}

test.each([
  ['other', '*', 3],
  ['other', 'gpt-4o', 1],
  ['other', 'simulated', undefined],
  ['acme', '*', 2],
  ['acme', 'gpt-4o', 2],
  // A model may have a slash in its name.
  ['acme', 'meta/llama', 1],
  ['other', 'meta/llama', undefined],
])('the limit of %s on %s is %s', (tenant, model, expected) => {
  expect(limitOn(LIMITS, tenant, model)).toBe(expected);
});

test('a job is limited where all jobs are, or those on its model', () => {
  expect(isLimited(new Map([['gpt-4o', 1]]), jobOn('gpt-4o'))).toBe(true);
  expect(isLimited(new Map([['gpt-4o', 1]]), jobOn('simulated'))).toBe(false);
  expect(isLimited(new Map([['acme/*', 1]]), jobOn('simulated'))).toBe(false);
  expect(isLimited(new Map([['*', 1]]), jobOn('simulated'))).toBe(true);
});

test.each([
  ['nothing runs', [], 'gpt-4o', undefined],
  ['its model is full', ['gpt-4o'], 'gpt-4o', 'gpt-4o'],
  ['another model is full', ['gpt-4o'], 'simulated', undefined],
  ['all is full', ['simulated', 'simulated', 'simulated'], 'gpt-4o', '*'],
  ['all is full, and its model', ['gpt-4o', 'simulated', 'simulated'], 'gpt-4o', 'gpt-4o'],
])('%s: %j, a job on %s waits for %s', (_, models, model, expected) => {
  expect(fullFor({ limits: LIMITS, tenant: 'other', set: setOf(models) }, jobOn(model))).toBe(expected);
});

test("a job's own slot is none against it", () => {
  const mine = jobOn('gpt-4o', { id: 'job-0' });
  expect(fullFor({ limits: LIMITS, tenant: 'other', set: setOf(['gpt-4o']) }, mine)).toBeUndefined();
});

test.each([
  ['nobody waits', [], [], []],
  ['somebody waits, and all is full', ['a', 'b', 'c'], ['*', 'gpt-4o'], []],
  ['somebody waits for a model that is full', ['gpt-4o'], ['gpt-4o'], []],
  ['somebody waits for a model that is not', ['a'], ['gpt-4o'], ['gpt-4o']],
  ['somebody waits for any slot', ['gpt-4o'], ['*', 'gpt-4o'], ['*']],
  ['somebody waits for a model that is not limited any more', [], ['gone'], ['gone']],
])('%s: %j %j: it is the turn of %j', (_, models, waiting, expected) => {
  expect(turnsIn({ limits: LIMITS, tenant: 'other', set: setOf(models, waiting) })).toEqual(expected);
});

test('who comes after others waits with them', () => {
  expect(lineOf(LIMITS, jobOn('gpt-4o'))).toBe('*');
  expect(lineOf(new Map([['gpt-4o', 1]]), jobOn('gpt-4o'))).toBe('gpt-4o');
});

describe('a job', () => {
  const lease = { leaseMs: 60_000, token: 'new', holder: 'w', stage: 'calling_llm' };
  const changed = (job: Job, event: JobEvent): Job => {
    const decision = transition(job, event);
    if (decision.refused) throw new Error(decision.refused);
    return applyChanges(job, decision.changes);
  };
  const parked = changed(sampleJob(), { type: 'park', ...now, parkedFor: '*' });
  const reserved = changed(parked, { type: 'promote', ...now, slotUntil: NOW + 90_000 });
  const running = changed(reserved, { type: 'claim', ...now, ...lease, slotUntil: NOW + 900_000 });

  test('that is parked waits without an attempt, is looked at later and later, and says so', () => {
    expect(parked).toMatchObject({ state: 'pending', attempt: 0, attempts: [], stage: 'waiting_for_slot', rings: 1 });
    expect(parked).toMatchObject({ parkedAt: NOW, parkedFor: '*', wakeAt: NOW + 60_000 });
    const rung = changed(parked, { type: 'wake', nowMs: NOW + 60_000, storedAtMs: now.storedAtMs, random: 0 });
    expect(rung).toMatchObject({ parkedAt: NOW, parkedFor: '*', wakeAt: NOW + 60_000 + 120_000, rings: 2 });
  });

  test('that waits for something else now keeps its place', () => {
    const again = changed(parked, { type: 'park', ...now, nowMs: NOW + 5, parkedFor: 'gpt-4o' });
    expect(again).toMatchObject({ parkedAt: NOW, parkedFor: 'gpt-4o', version: parked.version + 1 });
  });

  test('that is promoted has a slot and a doorbell with the grace of a first one', () => {
    expect(reserved).toMatchObject({ slotUntil: NOW + 90_000, wakeAt: NOW + RING_GRACE_MS, attempt: 0 });
    for (const field of ['parkedAt', 'parkedFor', 'stage']) expect(reserved).not.toHaveProperty(field);
  });

  test('that is claimed does not wait any more', () => {
    expect(running).toMatchObject({ slotUntil: NOW + 900_000, attempt: 1, rings: 0 });
    expect(changed(parked, { type: 'claim', ...now, ...lease })).not.toHaveProperty('parkedFor');
  });

  const held = { nowMs: NOW + 1, token: 'new' };
  const ended = { outcome: 'failed', errorCode: 'overloaded' } as const;
  const later = { nowMs: NOW + 100_000, storedAtMs: now.storedAtMs };
  const short = { ...DEFAULT_LIMITS, timeoutMs: 20_000 };
  const waysOut: [string, Job, JobEvent][] = [
    ['a finish', running, { type: 'finish', ...held, outcome: { state: 'completed', result: 1 } }],
    ['a hand-back', running, { type: 'hand-back', ...held, storedAtMs: NOW, ended, nextAttemptAt: NOW + 5 }],
    ['a lost lease', running, { type: 'wake', ...later, random: 0 }],
    ['the end of its time', { ...running, limits: short }, { type: 'wake', ...later, random: 0 }],
    ['a cancel when its holder is dead', running, { type: 'cancel', nowMs: later.nowMs }],
    ['a cancel of a reserved one', reserved, { type: 'cancel', nowMs: NOW }],
    ['a delete of a reserved one', reserved, { type: 'delete', nowMs: NOW }],
    ['the end of the time of a reserved one', { ...reserved, limits: short }, { type: 'wake', ...later, random: 0 }],
  ];
  test.each(waysOut)('gives its slot back with %s', (_, job, event) => {
    const { changes = {} } = transition(job, event);
    expect(changes).toHaveProperty('slotUntil', undefined);
    const { slotUntil: __, ...without } = job;
    expect(transition(without, event).changes).not.toHaveProperty('slotUntil');
  });

  test.each([
    ['a heartbeat', { type: 'renew', ...held, storedAtMs: NOW, leaseMs: 60_000 }],
    ['a retry in place', { type: 'retry', ...held, storedAtMs: NOW, leaseMs: 60_000, ended, nextAttemptAt: NOW + 5 }],
    ['a cancel that its holder has to hear of', { type: 'cancel', nowMs: NOW }],
  ] satisfies [string, JobEvent][])('keeps its slot through %s', (_, event) => {
    expect(transition(running, event).changes).not.toHaveProperty('slotUntil');
  });

  test('that is parked ends as any other, and does not wait any more', () => {
    const cancelled = changed(parked, { type: 'cancel', nowMs: NOW });
    expect(cancelled).toMatchObject({ state: 'cancelled', wakeAt: null });
    const overdue = changed({ ...parked, limits: short }, { type: 'wake', ...later, random: 0 });
    expect(overdue).toMatchObject({ state: 'failed', error: { code: 'job_timeout' } });
    for (const job of [cancelled, overdue]) expect(job).not.toHaveProperty('parkedFor');
  });
});
