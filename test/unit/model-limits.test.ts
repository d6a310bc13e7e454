/** Calls are kept within what a minute takes: what was set, and what providers say. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { type ModelLimits, modelLimits } from '../../shared/core/model-limits.ts';

const MODEL = { provider: 'openai', model: 'gpt-4o' };
const MINUTE_MS = 60_000;

type Set = { requests?: Record<string, number>; tokens?: Record<string, number> };

/** `take` as the time to wait, 0 for none. */
const waiting = ({ take, learn }: ModelLimits) => ({
  learn,
  async take(...asked: Parameters<typeof take>): Promise<number> {
    const allowed = await take(...asked);
    return 'waitMs' in allowed ? allowed.waitMs : 0;
  },
});

/** Limits on a clock that only moves by hand. */
function open({ requests = {}, tokens = {} }: Set = {}) {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs };
  const windowLimiter = memoryWindowLimiter({ clock });
  const perMinute = (limits: Record<string, number>) => new Map(Object.entries(limits));
  const set = { requestsPerMinute: perMinute(requests), tokensPerMinute: perMinute(tokens) };
  const limits = modelLimits({ clock, windowLimiter, ...set });
  return {
    ...waiting(limits),
    allow: limits.take,
    windowLimiter,
    clock,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** The most in any 60 s, the first and the last instant included. */
function peakOf(calls: readonly { atMs: number; amount: number }[]): number {
  let [peak, sum, first] = [0, 0, 0];
  for (const { atMs, amount } of calls) {
    sum += amount;
    for (let oldest = calls[first]; oldest && oldest.atMs < atMs - MINUTE_MS; oldest = calls[++first])
      sum -= oldest.amount;
    peak = Math.max(peak, sum);
  }
  return peak;
}

/** Between two that ask, in milliseconds. */
const pauses = fc.oneof(
  fc.constant('as long as was said' as const),
  fc.constant(0),
  fc.integer({ min: 0, max: 90_000 }),
);

describe('what was set', () => {
  test('without any, all calls are made', async () => {
    const limits = open();
    for (let n = 0; n < 1_000; n++) expect(await limits.take(MODEL, 1_000_000)).toBe(0);
  });

  test('in any minute there are no more requests than the limit, however they come', async () => {
    const waits = fc.array(pauses, { maxLength: 150 });
    const property = fc.asyncProperty(fc.integer({ min: 1, max: 60 }), waits, async (limit, pauses) => {
      const limits = open({ requests: { 'gpt-4o': limit } });
      const calls: { atMs: number; amount: number }[] = [];
      let saidMs = 0;
      for (const pause of pauses) {
        limits.wait(pause === 'as long as was said' ? saidMs : pause);
        saidMs = await limits.take(MODEL, 1_000);
        if (saidMs === 0) calls.push({ atMs: limits.clock.monotonicMs(), amount: 1 });
      }
      expect(peakOf(calls)).toBeLessThanOrEqual(limit);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test('nor more tokens, of calls up to a tenth of the limit; a larger one exceeds it by itself alone', async () => {
    const step = fc.record({
      pause: pauses,
      share: fc.oneof(fc.constantFrom(0.01, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    });
    const cases = [fc.integer({ min: 100, max: 1e6 }), fc.array(step, { maxLength: 150, size: 'max' })] as const;
    const property = fc.asyncProperty(...cases, fc.constantFrom(0.1, 1, 3), async (limit, steps, shareMost) => {
      const limits = open({ tokens: { 'openai/gpt-4o': limit } });
      const calls: { atMs: number; amount: number }[] = [];
      let saidMs = 0;
      for (const { pause, share } of steps) {
        limits.wait(pause === 'as long as was said' ? saidMs : pause);
        const amount = Math.max(1, Math.floor(share * shareMost * limit));
        saidMs = await limits.take(MODEL, amount);
        if (saidMs === 0) calls.push({ atMs: limits.clock.monotonicMs(), amount });
      }
      expect(peakOf(calls)).toBeLessThanOrEqual(limit * (0.9 + shareMost));
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test.each([
    [1, 59],
    [10, 590],
    [500, 29_500],
  ])('a limit of %i is used whole, all the time: %i calls in an hour at least', async (limit, least) => {
    const limits = open({ requests: { 'gpt-4o': limit } });
    let calls = 0;
    while (limits.clock.monotonicMs() < 60 * MINUTE_MS) {
      const waitMs = await limits.take(MODEL, 1_000);
      if (waitMs === 0) calls += 1;
      expect(waitMs).toBeLessThanOrEqual(MINUTE_MS + 1_000);
      limits.wait(waitMs);
    }
    expect(calls).toBeGreaterThanOrEqual(least);
    expect(calls).toBeLessThanOrEqual(60 * limit);
  });

  test('nine tenths of a limit of tokens are used all the time', async () => {
    const limits = open({ tokens: { 'gpt-4o': 10_000 } });
    let tokens = 0;
    while (limits.clock.monotonicMs() < 60 * MINUTE_MS) {
      const waitMs = await limits.take(MODEL, 100);
      if (waitMs === 0) tokens += 100;
      limits.wait(waitMs);
    }
    expect(tokens).toBeGreaterThanOrEqual(59 * 9_000);
  });

  test('a limit of one is one', async () => {
    const limits = open({ requests: { 'gpt-4o': 1 } });
    expect(await limits.take(MODEL, 1)).toBe(0);
    const waitMs = await limits.take(MODEL, 1);
    expect(waitMs).toBe(MINUTE_MS + 1_000);
    limits.wait(waitMs - 1);
    expect(await limits.take(MODEL, 1)).toBe(1);
    limits.wait(1);
    expect(await limits.take(MODEL, 1)).toBe(0);
  });

  test('a call larger than the whole limit goes, and is paid off before the next one', async () => {
    const limits = open({ tokens: { 'gpt-4o': 10_000 } });
    expect(await limits.take(MODEL, 40_000)).toBe(0);
    const waitMs = await limits.take(MODEL, 1);
    expect(waitMs).toBeGreaterThan(4 * MINUTE_MS);
    limits.wait(waitMs);
    expect(await limits.take(MODEL, 1)).toBe(0);
  });

  test('among small calls a large one gets its turn', async () => {
    const limits = open({ tokens: { 'gpt-4o': 10_000 } });
    let [smallMs, largeMs] = [0, 0];
    for (let large = 0; large < 3; limits.wait(1_000)) {
      const nowMs = limits.clock.monotonicMs();
      if (nowMs >= smallMs) smallMs = nowMs + (await limits.take(MODEL, 150));
      if (nowMs < largeMs) continue;
      const waitMs = await limits.take(MODEL, 5_000);
      if (waitMs === 0) large += 1;
      largeMs = nowMs + waitMs;
      expect(nowMs).toBeLessThan(10 * MINUTE_MS);
    }
  });

  test('a call that was not made gives back what was taken for it, once', async () => {
    const limits = open({ requests: { 'gpt-4o': 1 }, tokens: { 'gpt-4o': 1_000 } });
    for (let n = 0; n < 20; n++) {
      limits.learn(MODEL, { requests: { remaining: 1, resetMs: 5_000 } });
      const allowed = await limits.allow(MODEL, 900);
      expect(await limits.take(MODEL, 1)).toBeGreaterThan(0);
      if ('waitMs' in allowed) throw new Error(`it waits for ${allowed.waitMs} ms`);
      await allowed.giveBack();
    }
    expect(await limits.take(MODEL, 900)).toBe(0);
  });

  test('what is given back adds nothing to what the provider said since', async () => {
    const limits = open();
    limits.learn(MODEL, { requests: { remaining: 2, resetMs: 5_000 } });
    const allowed = await limits.allow(MODEL, 1);
    limits.learn(MODEL, { requests: { remaining: 0, resetMs: 5_000 } });
    if ('giveBack' in allowed) await allowed.giveBack();
    expect(await limits.take(MODEL, 1)).toBe(5_000);
  });

  test('of both limits both are taken or none', async () => {
    const limits = open({ requests: { 'gpt-4o': 10 }, tokens: { 'gpt-4o': 1_000 } });
    expect(await limits.take(MODEL, 1_000)).toBe(0);
    limits.wait(30_000);
    // Asked together, too: each takes a request before the tokens are asked for.
    const waits = await Promise.all(Array.from({ length: 50 }, () => limits.take(MODEL, 1_000)));
    expect(Math.min(...waits)).toBeGreaterThan(0);
    limits.wait(31_000);
    const later = await Promise.all(Array.from({ length: 50 }, () => limits.take(MODEL, 1)));
    expect(later.filter((waitMs) => waitMs === 0)).toHaveLength(10);
  });

  test("a model's limit under its provider's name comes before the one under its own, and others have none", async () => {
    const limits = open({ requests: { 'gpt-4o': 1, 'vertex/gpt-4o': 60, 'meta/llama': 1 } });
    const atOnce = async (provider: string, model: string) => {
      const waits = [];
      for (let n = 0; n < 10; n++) waits.push(await limits.take({ provider, model }, 1));
      return waits.filter((waitMs) => waitMs === 0).length;
    };
    expect(await atOnce('openai', 'gpt-4o')).toBe(1);
    // Another provider's is another model.
    expect(await atOnce('openai-compatible', 'gpt-4o')).toBe(1);
    for (let n = 0; n < 6; n++) expect(await atOnce('vertex', 'gpt-4o')).toBe(10);
    expect(await atOnce('vertex', 'gpt-4o')).toBe(0);
    expect(await atOnce('openai-compatible', 'meta/llama')).toBe(1);
    expect(await atOnce('openai', 'gpt-4o-mini')).toBe(10);
  });

  test('whoever shares the windows shares the limit', async () => {
    const first = open({ requests: { 'gpt-4o': 50 } });
    const second = waiting(
      modelLimits({
        ...{ clock: first.clock, windowLimiter: first.windowLimiter },
        ...{ requestsPerMinute: new Map([['gpt-4o', 50]]), tokensPerMinute: new Map() },
      }),
    );
    const takes = Array.from({ length: 80 }, (_, n) => (n % 2 ? first : second).take(MODEL, 1));
    expect((await Promise.all(takes)).filter((waitMs) => waitMs === 0)).toHaveLength(50);
  });
});

describe('what the provider says', () => {
  test('nothing left: nobody calls before the reset, and then all do', async () => {
    const limits = open();
    limits.learn(MODEL, { requests: { remaining: 0, resetMs: 3_000 } });
    expect(await limits.take(MODEL, 1)).toBe(3_000);
    expect(await limits.take({ ...MODEL, model: 'gpt-4o-mini' }, 1)).toBe(0);
    limits.wait(2_999.5);
    expect(await limits.take(MODEL, 1)).toBe(1);
    limits.wait(0.5);
    for (let n = 0; n < 10; n++) expect(await limits.take(MODEL, 1)).toBe(0);
  });

  test('what is sent meanwhile counts, also of those who ask at once', async () => {
    const limits = open();
    limits.learn(MODEL, { requests: { remaining: 3, resetMs: 5_000 } });
    const waits = await Promise.all(Array.from({ length: 10 }, () => limits.take(MODEL, 1)));
    expect(waits).toEqual([0, 0, 0, ...Array.from({ length: 7 }, () => 5_000)]);
    limits.learn(MODEL, { requests: { remaining: 1, resetMs: 2_000 } });
    expect([await limits.take(MODEL, 1), await limits.take(MODEL, 1)]).toEqual([0, 2_000]);
  });

  test('fewer tokens than a call needs: that one waits, a smaller one does not', async () => {
    const limits = open();
    limits.learn(MODEL, { tokens: { remaining: 500, resetMs: 20_000, limit: 10_000 } });
    expect(await limits.take(MODEL, 501)).toBe(20_000);
    expect(await limits.take(MODEL, 400)).toBe(0);
    expect(await limits.take(MODEL, 101)).toBe(20_000);
    expect(await limits.take(MODEL, 100)).toBe(0);
    limits.wait(20_000);
    expect(await limits.take(MODEL, 1_000_000)).toBe(0);
  });

  test('a call that needs most of the limit goes when half is there, for there may never be more', async () => {
    const limits = open();
    limits.learn(MODEL, { tokens: { remaining: 4_999, resetMs: 20_000, limit: 10_000 } });
    expect(await limits.take(MODEL, 50_000)).toBe(20_000);
    limits.learn(MODEL, { tokens: { remaining: 5_000, resetMs: 20_000, limit: 10_000 } });
    expect(await limits.take(MODEL, 50_000)).toBe(0);
    expect(await limits.take(MODEL, 1)).toBe(20_000);
  });

  test('both are waited for, and one that is not named stays as it was said before', async () => {
    const limits = open();
    limits.learn(MODEL, { requests: { remaining: 0, resetMs: 1_000 }, tokens: { remaining: 0, resetMs: 9_000 } });
    expect(await limits.take(MODEL, 1)).toBe(9_000);
    limits.learn(MODEL, { tokens: { remaining: 100, resetMs: 9_000 } });
    expect(await limits.take(MODEL, 1)).toBe(1_000);
    limits.learn(MODEL, { requests: { remaining: 1, resetMs: 0 } });
    expect(await limits.take(MODEL, 1)).toBe(0);
  });

  test('a day without requests is not believed: it is asked again after ten minutes', async () => {
    const limits = open();
    limits.learn(MODEL, { requests: { remaining: 0, resetMs: 86_400_000 } });
    expect(await limits.take(MODEL, 1)).toBe(600_000);
    limits.wait(600_000);
    expect(await limits.take(MODEL, 1)).toBe(0);
  });

  test('who is refused by a limit that was set has taken nothing of it', async () => {
    const limits = open({ requests: { 'gpt-4o': 1 } });
    expect(await limits.take(MODEL, 1)).toBe(0);
    limits.learn(MODEL, { requests: { remaining: 1, resetMs: 500_000 }, tokens: { remaining: 100, resetMs: 500_000 } });
    for (let n = 0; n < 20; n++) expect(await limits.take(MODEL, 60)).toBeLessThan(2 * MINUTE_MS);
    limits.wait(2 * MINUTE_MS);
    expect(await limits.take(MODEL, 60)).toBe(0);
    expect(await limits.take(MODEL, 1)).toBe(380_000);
  });

  test('and who is refused by it has taken nothing of what was set', async () => {
    const limits = open({ requests: { 'gpt-4o': 1 } });
    limits.learn(MODEL, { requests: { remaining: 0, resetMs: 1_000 } });
    for (let n = 0; n < 20; n++) expect(await limits.take(MODEL, 60)).toBe(1_000);
    limits.wait(1_000);
    expect(await limits.take(MODEL, 60)).toBe(0);
  });
});
