/** What a job reserves, when it is denied, what it is charged: the pure part of credits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Account,
  newAccount,
  oldDays,
  periodEndsAt,
  periodSums,
  type StoredAccount,
} from '../../shared/core/accounts.ts';
import type { Attempt, Usage } from '../../shared/core/attempt-record.ts';
import { denialAtSubmit, needOf, reserve } from '../../shared/core/credits.ts';
import type { JobEvent } from '../../shared/core/events.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { dayOf } from '../../shared/core/utc.ts';
import { sampleJob } from '../contracts/job-store.ts';

/** 2025-01-18, a minute before midnight. */
const NOW = Date.UTC(2025, 0, 18, 23, 59);
const ESTIMATE = { inputTokens: 40, outputTokens: 1_000, nanoUsd: 5_000 };
const HOLD = { tokens: 1_040, nanoUsd: 5_000, day: '2025-01-18' };
const active = newAccount({ tenant: 't', user: 'ada' }, { subscription: 'active' });

function stored(over: Partial<Account> = {}): StoredAccount {
  return { account: { ...active, ...over }, revision: '1', readAtMs: NOW };
}

describe('a job needs', () => {
  test('what its type says, else what one call is expected to use; money always by the call', () => {
    const job = sampleJob({ callEstimate: ESTIMATE });
    expect(needOf(job, undefined)).toEqual({ tokens: 1_040, nanoUsd: 5_000, purpose: 'this job' });
    const credits = { tokens: 700, purpose: 'prompt enhancement' };
    expect(needOf(job, { credits })).toEqual({ ...credits, nanoUsd: 5_000 });
    expect(needOf(sampleJob(), {})).toEqual({ tokens: 0, nanoUsd: null, purpose: 'this job' });
  });
});

describe('a hold', () => {
  const need = { tokens: 700, nanoUsd: 100, purpose: 'prompt enhancement' };
  const budget = { nanoUsd: 1_000, period: 'day' } as const;
  const spent = (charged: number, reserved: number, day = '2025-01-18') => ({
    nanoUsdByDay: { [day]: { charged, reserved } },
  });
  const inactive = 'subscription_inactive';

  test.each([
    ['no account', undefined, inactive],
    ['no subscription', stored({ subscription: 'inactive', balance: 9_999 }), inactive],
    ['a token too few', stored({ balance: 699 }), 'insufficient_credits'],
    ['just enough', stored({ balance: 700 }), undefined],
    [
      'others hold a token of it',
      stored({ balance: 1_399, reserved: { tokens: 700, nanoUsd: 0 } }),
      'insufficient_credits',
    ],
    ['others hold the rest', stored({ balance: 1_400, reserved: { tokens: 700, nanoUsd: 0 } }), undefined],
    ['a budget that is left', stored({ balance: 700, budget, ...spent(500, 400) }), undefined],
    ['a budget that is held', stored({ balance: 700, budget, ...spent(500, 401) }), 'budget_exceeded'],
    ['a budget of another day', stored({ balance: 700, budget, ...spent(999, 999, '2025-01-17') }), undefined],
    [
      'a budget of the month',
      stored({ balance: 700, budget: { ...budget, period: 'month' }, ...spent(950, 0, '2025-01-01') }),
      'budget_exceeded',
    ],
    [
      'a budget of another month',
      stored({ balance: 700, budget: { ...budget, period: 'month' }, ...spent(950, 0, '2024-01-18') }),
      undefined,
    ],
  ])('%s', (_, found, code) => {
    const decision = reserve(found, need);
    if (code) expect(decision).toMatchObject({ denied: { code } });
    else expect(decision).toEqual({ hold: { tokens: 700, nanoUsd: 100, day: '2025-01-18' } });
  });

  test('with a budget nothing is reserved whose price is not known; without one it is', () => {
    const unpriced = { ...need, nanoUsd: null };
    expect(reserve(stored({ balance: 700, budget }), unpriced)).toMatchObject({ denied: { code: 'budget_exceeded' } });
    expect(reserve(stored({ balance: 700 }), unpriced)).toMatchObject({ hold: { nanoUsd: 0 } });
  });

  test('is denied in sentences for people', () => {
    const sentences = [
      reserve(undefined, need),
      reserve(stored({ balance: 250 }), need),
      reserve(stored({ balance: -20 }), need),
      reserve(stored({ balance: 700, budget, ...spent(950, 0) }), need),
    ].map((decision) => ('denied' in decision ? decision.denied.message : ''));
    expect(sentences).toEqual([
      'Subscription is not active. Renew your subscription to continue.',
      'You need at least 700 tokens for prompt enhancement. Available: 250',
      'You need at least 700 tokens for prompt enhancement. Available: 0',
      'This job may cost 0.0000001 US dollars, and 0.00000005 US dollars are left of the budget of 0.000001 US dollars for this day. It resets at 2025-01-19T00:00:00Z.',
    ]);
  });

  test('at submit what others hold is not counted: it may come back', () => {
    const held = { reserved: { tokens: 700, nanoUsd: 900 }, ...spent(0, 900), budget };
    expect(denialAtSubmit(stored({ balance: 700, ...held }), need)).toBeUndefined();
    expect(denialAtSubmit(stored({ balance: 699, ...held }), need)).toMatchObject({ code: 'insufficient_credits' });
    expect(denialAtSubmit(stored({ balance: 700, budget, ...spent(901, 0) }), need)).toMatchObject({
      code: 'budget_exceeded',
    });
    expect(denialAtSubmit(undefined, need)).toMatchObject({ code: inactive });
  });
});

describe('a job with fallbacks', () => {
  const estimate = (tokens: number, nanoUsd: number | null) => ({ inputTokens: tokens, outputTokens: 100, nanoUsd });
  const model = (name: string) => ({ id: crypto.randomUUID(), name, provider: 'p', model: name });
  const job = sampleJob({
    ...{ model: model('own'), callEstimate: estimate(10, 5) },
    fallbacks: [
      { model: model('dear'), callEstimate: estimate(10, 900) },
      { model: model('wordy'), callEstimate: estimate(50, 1) },
    ],
  });

  test('reserves for the dearest of its routes', () => {
    expect(needOf(job, undefined)).toEqual({ tokens: 150, nanoUsd: 900, purpose: 'this job' });
    expect(needOf(job, { credits: { tokens: 7, purpose: 'a test' } })).toEqual({
      ...{ tokens: 7, nanoUsd: 900, purpose: 'a test' },
    });
    const unknown = { model: model('unknown'), callEstimate: estimate(1, null) };
    expect(needOf({ ...job, fallbacks: [...(job.fallbacks ?? []), unknown] }, undefined).nanoUsd).toBeNull();
    expect(needOf(sampleJob({ callEstimate: estimate(10, 5) }), undefined)).toMatchObject({ tokens: 110, nanoUsd: 5 });
  });

  test('is charged for a call that nobody measured as its own route was expected to use', () => {
    const lost: Attempt = { n: 1, startedAt: 1, provider: 'p', model: 'wordy', calls: 1, outcome: 'lost' };
    const running: Job = {
      ...{ ...job, state: 'processing', attempt: 2, hold: { tokens: 150, nanoUsd: 900, day: '2025-01-18' } },
      attempts: [
        { ...lost, endedAt: 2, errorCode: 'lease_lost' },
        { n: 2, startedAt: 3, provider: 'p', model: 'own', calls: 1 },
      ],
    };
    const usage: Usage = { inputTokens: 3, outputTokens: 2, totalTokens: 5 };
    const { changes } = transition(running, {
      ...{ type: 'finish', token: running.token, nowMs: NOW, storedAtMs: NOW },
      outcome: { state: 'completed', result: 1, usage },
    } as JobEvent);
    expect(changes?.settled?.charged.tokens).toBe(155);
  });
});

describe('periods of UTC', () => {
  test('end at midnight, and with the month', () => {
    expect(periodEndsAt('day', NOW)).toBe(Date.UTC(2025, 0, 19));
    expect(periodEndsAt('month', NOW)).toBe(Date.UTC(2025, 1, 1));
    expect(periodEndsAt('month', Date.UTC(2024, 11, 31, 23))).toBe(Date.UTC(2025, 0, 1));
    expect(dayOf(NOW + 60_000)).toBe('2025-01-19');
  });

  test('hold their own days alone, and all of a month are kept', () => {
    const day = (n: number) => dayOf(Date.UTC(2025, 0, 1 + n));
    const nanoUsdByDay = Object.fromEntries(
      Array.from({ length: 100 }, (_, n) => [day(n - 80), { reserved: 0, charged: 1 }]),
    );
    const account = { ...active, nanoUsdByDay };
    expect(periodSums(account, 'day', NOW)).toEqual({ reserved: 0, charged: 1 });
    expect(periodSums(account, 'month', NOW)).toEqual({ reserved: 0, charged: 20 });
    const gone = oldDays(account, NOW);
    expect(gone.length).toBeGreaterThan(10);
    expect(gone.every((old) => old < day(-31))).toBe(true);
  });
});

describe('a job that ends', () => {
  const usage: Usage = { inputTokens: 30, outputTokens: 12, totalTokens: 42 };
  const held = sampleJob({
    ...{ state: 'processing', token: 'held', attempt: 1, callEstimate: ESTIMATE, hold: HOLD, leaseExpiresAt: NOW - 1 },
    attempts: [{ n: 1, startedAt: NOW - 1_000, provider: 'p', model: 'm', calls: 1 }],
  });
  const facts = { usage, finishReason: 'stop', cost: { nanoUsd: 700 } };
  const by = { type: 'finish', nowMs: NOW, token: 'held' } as const;
  const error = { code: 'network', message: 'cut' };
  const ends: [string, JobEvent, { tokens: number; nanoUsd: number }][] = [
    ['completed', { ...by, outcome: { state: 'completed', result: 1, ...facts } }, { tokens: 42, nanoUsd: 700 }],
    ['failed after an answer', { ...by, outcome: { state: 'failed', error, ...facts } }, { tokens: 42, nanoUsd: 700 }],
    [
      'failed, and nobody measured it',
      { ...by, outcome: { state: 'failed', error, cost: { nanoUsd: 90 } } },
      { tokens: 1_040, nanoUsd: 90 },
    ],
    [
      'refused before any work',
      { ...by, outcome: { state: 'failed', error: { ...error, code: 'auth' }, cost: { nanoUsd: 0 } } },
      { tokens: 0, nanoUsd: 0 },
    ],
    [
      'cancelled while the provider was counting',
      {
        ...by,
        outcome: { state: 'cancelled', usage: { ...usage, outputTokens: 1 }, cost: { nanoUsd: 400, tokens: 230 } },
      },
      { tokens: 230, nanoUsd: 400 },
    ],
    ['never called', { ...by, outcome: { state: 'cancelled', notMade: true } }, { tokens: 0, nanoUsd: 0 }],
    [
      'completed without usage',
      { ...by, outcome: { state: 'completed', result: 1, cost: { nanoUsd: 80 } } },
      { tokens: 1_040, nanoUsd: 80 },
    ],
    [
      'completed by its type, in place of a call',
      { ...by, outcome: { state: 'completed', result: 1, insteadOf: 'network', ...facts } },
      { tokens: 0, nanoUsd: 0 },
    ],
    [
      'cancelled by its holder, whatever its type had',
      { ...by, outcome: { state: 'cancelled', ...facts } },
      { tokens: 42, nanoUsd: 700 },
    ],
    ['cancelled when its holder is dead', { type: 'cancel', nowMs: NOW }, { tokens: 1_040, nanoUsd: 5_000 }],
    ['deleted when its holder is dead', { type: 'delete', nowMs: NOW }, { tokens: 1_040, nanoUsd: 5_000 }],
  ];

  test.each(ends)('%s', (_, event, charged) => {
    const { day, ...released } = HOLD;
    const { changes } = transition(held, event);
    expect(changes?.settled).toEqual({ user: held.user, day, released, charged });
    const { hold: __, ...free } = held;
    expect(transition(free, event).changes).not.toHaveProperty('settled');
  });

  test('is charged for all of its attempts, measured or not', () => {
    const before: Attempt = {
      n: 1,
      startedAt: 1,
      endedAt: 2,
      provider: 'p',
      model: 'm',
      calls: 1,
      errorCode: 'network',
      outcome: 'failed',
      cost: { nanoUsd: 50 },
    };
    const job: Job = {
      ...held,
      attempt: 2,
      attempts: [before, { n: 2, startedAt: 3, provider: 'p', model: 'm', calls: 1 }],
    };
    const { changes } = transition(job, { ...by, outcome: { state: 'completed', result: 1, ...facts } });
    expect(changes?.settled?.charged).toEqual({ tokens: 1_082, nanoUsd: 750 });
  });

  test('is settled once over any events, with the write that ends it', () => {
    const event = fc.constantFrom(...ends.map(([, one]) => one), {
      type: 'wake',
      nowMs: NOW + 1,
      storedAtMs: NOW,
      random: 0,
    } as JobEvent);
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let job: Job = held;
        let settlements = 0;
        for (const one of events) {
          const { changes } = transition(job, one);
          if (!changes) continue;
          const isEnd = ['completed', 'failed', 'cancelled'].includes(changes.state ?? '');
          expect(changes.settled !== undefined).toBe(isEnd);
          settlements += changes.settled ? 1 : 0;
          job = applyChanges(job, changes);
        }
        expect(settlements).toBeLessThanOrEqual(1);
        expect(job.settled !== undefined).toBe(['completed', 'failed', 'cancelled'].includes(job.state));
      }),
    );
  });
});
