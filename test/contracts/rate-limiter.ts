/** What every `RateLimiter` must do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RateLimiter, Rule } from '../../shared/core/rate-limits.ts';

export type OpenLimiters = () => Promise<{
  /** All that share their buckets. */
  limiters: [RateLimiter, ...RateLimiter[]];
  /** Lets at least so much time pass. */
  wait(ms: number): Promise<void>;
  close(): Promise<void>;
}>;

/** A token a minute: none comes while a test runs. */
const slow = (burst: number): Rule => ({ perMinute: 1, burst });
/** A token every 100 ms. */
const quick = (burst: number): Rule => ({ perMinute: 600, burst });
const MINUTE_MS = 60_000;
/** What a test may take by a real clock. */
const SLACK_MS = 10_000;

export function rateLimiterContract(name: string, open: OpenLimiters): void {
  describe(`RateLimiter on ${name}`, () => {
    let opened: Awaited<ReturnType<OpenLimiters>>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    const newBucket = () => `user:${crypto.randomUUID()}`;
    const take: RateLimiter['take'] = (...args) => opened.limiters[0].take(...args);
    const expectAbout = (ms: number, wantedMs: number) => {
      expect(ms).toBeLessThanOrEqual(wantedMs);
      expect(ms).toBeGreaterThan(wantedMs - SLACK_MS);
    };

    test('a bucket admits its burst and then refuses, and says what is left and until when', async () => {
      const bucket = newBucket();
      for (const remaining of [2, 1, 0]) {
        const taken = await take(bucket, slow(3));
        expect(taken).toMatchObject({ allowed: true, remaining });
        expectAbout(taken.resetMs, (3 - remaining) * MINUTE_MS);
        if (remaining > 0) expect(taken.retryAfterMs).toBe(0);
        else expectAbout(taken.retryAfterMs, MINUTE_MS);
      }
      const refused = await take(bucket, slow(3));
      expect(refused).toMatchObject({ allowed: false, remaining: 0 });
      expectAbout(refused.retryAfterMs, MINUTE_MS);
      expectAbout(refused.resetMs, 3 * MINUTE_MS);
    });

    test('who waits as long as was said is admitted', async () => {
      const bucket = newBucket();
      let taken = await take(bucket, quick(1));
      expect(taken.allowed).toBe(true);
      for (let turn = 0; turn < 5; turn++) {
        expect(taken.retryAfterMs).toBeGreaterThan(0);
        expect(taken.retryAfterMs).toBeLessThanOrEqual(100);
        await opened.wait(taken.retryAfterMs);
        taken = await take(bucket, quick(1));
        expect(taken.allowed).toBe(true);
      }
    });

    test('it is full again after the time that was said, and never holds more than its burst', async () => {
      const bucket = newBucket();
      const { resetMs } = await take(bucket, quick(3), 3);
      expect(resetMs).toBe(300);
      await opened.wait(resetMs);
      expect(await take(bucket, quick(3))).toMatchObject({ allowed: true, remaining: 2 });
      await opened.wait(1_000);
      expect(await take(bucket, quick(3))).toMatchObject({ allowed: true, remaining: 2 });
    });

    test('one token admits a cost of many, which is paid off before the next one is admitted', async () => {
      const bucket = newBucket();
      await take(bucket, slow(5), 4);
      const batch = await take(bucket, slow(5), 500);
      expect(batch).toMatchObject({ allowed: true, remaining: 0 });
      expectAbout(batch.retryAfterMs, 500 * MINUTE_MS);
      expectAbout(batch.resetMs, 504 * MINUTE_MS);
      expect((await take(bucket, slow(5))).allowed).toBe(false);
    });

    test('a refusal costs nothing', async () => {
      const bucket = newBucket();
      await take(bucket, slow(1));
      for (let turn = 0; turn < 10; turn++) {
        const refused = await take(bucket, slow(1), 100);
        expect(refused.allowed).toBe(false);
        expectAbout(refused.retryAfterMs, MINUTE_MS);
      }
    });

    test('buckets have nothing to do with each other, whatever their names', async () => {
      const bucket = newBucket();
      const names = ['', '{x}', 'ä b\n', `${'long'.repeat(500)}`].map((end) => bucket + end);
      for (const each of names) expect((await take(each, slow(1))).allowed).toBe(true);
      for (const each of names) expect((await take(each, slow(1))).allowed).toBe(false);
    });

    test('another rule for the same bucket holds from then on', async () => {
      const bucket = newBucket();
      await take(bucket, slow(10));
      expect(await take(bucket, slow(4))).toMatchObject({ allowed: true, remaining: 3 });
      expect(await take(bucket, slow(10))).toMatchObject({ allowed: true, remaining: 2 });
    });

    test('50 takes at once, by all who share the bucket, admit exactly its burst', async () => {
      const bucket = newBucket();
      const takes = Array.from({ length: 50 }, (_, n) => {
        const limiter = opened.limiters[n % opened.limiters.length] as RateLimiter;
        return limiter.take(bucket, slow(20));
      });
      const taken = await Promise.all(takes);
      expect(taken.filter(({ allowed }) => allowed)).toHaveLength(20);
      const remaining = taken.filter(({ allowed }) => allowed).map((each) => each.remaining);
      expect(remaining.sort((a, b) => b - a)).toEqual(Array.from({ length: 20 }, (_, n) => 19 - n));
    });
  });
}
