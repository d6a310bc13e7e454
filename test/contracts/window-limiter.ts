/** What every `WindowLimiter` must do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WindowLimiter, WindowRule } from '../../shared/core/windows.ts';

export type OpenWindowLimiters = () => Promise<{
  /** All that share their windows. */
  limiters: [WindowLimiter, ...WindowLimiter[]];
  /** Lets at least so much time pass. */
  wait(ms: number): Promise<void>;
  close(): Promise<void>;
}>;

const MINUTE_MS = 60_000;
/** Nothing is gone while a test runs. */
const slow = (most: number): WindowRule => ({ most, ms: MINUTE_MS });
const quick = (most: number): WindowRule => ({ most, ms: 900 });

export function windowLimiterContract(name: string, open: OpenWindowLimiters): void {
  describe(`WindowLimiter on ${name}`, () => {
    let opened: Awaited<ReturnType<OpenWindowLimiters>>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    const newWindow = () => `model:${crypto.randomUUID()}`;
    const take: WindowLimiter['take'] = (...args) => opened.limiters[0].take(...args);
    const waitOf = async (...args: Parameters<typeof take>) => {
      const allowed = await take(...args);
      return 'waitMs' in allowed ? allowed.waitMs : 0;
    };

    test('admits all of it at once, and then nothing for its time', async () => {
      const window = newWindow();
      for (let n = 0; n < 3; n++) expect(await waitOf(window, slow(3), 1)).toBe(0);
      for (let n = 0; n < 3; n++) {
        const waitMs = await waitOf(window, slow(3), 1);
        expect(waitMs).toBeLessThanOrEqual(MINUTE_MS + 1_000);
        expect(waitMs).toBeGreaterThan(MINUTE_MS - 10_000);
      }
    });

    test('who waits as long as was said is admitted, and who asks sooner is not', async () => {
      const window = newWindow();
      for (let turn = 0; turn < 2; turn++) {
        expect(await waitOf(window, quick(2), 2)).toBe(0);
        const waitMs = await waitOf(window, quick(2), 1);
        expect(waitMs).toBeGreaterThan(600);
        expect(waitMs).toBeLessThanOrEqual(915);
        await opened.wait(waitMs);
      }
    });

    test('what is taken later is gone later', async () => {
      const window = newWindow();
      expect(await waitOf(window, quick(3), 1)).toBe(0);
      await opened.wait(300);
      expect(await waitOf(window, quick(3), 2)).toBe(0);
      const firstMs = await waitOf(window, quick(3), 1);
      expect(firstMs).toBeLessThanOrEqual(615);
      await opened.wait(firstMs);
      expect(await waitOf(window, quick(3), 1)).toBe(0);
      expect(await waitOf(window, quick(3), 1)).toBeGreaterThan(0);
    });

    test('the last one may take more than is left, and more than all, which is paid off', async () => {
      const window = newWindow();
      expect(await waitOf(window, slow(10), 9)).toBe(0);
      expect(await waitOf(window, slow(10), 35)).toBe(0);
      const waitMs = await waitOf(window, slow(10), 1);
      expect(waitMs).toBeGreaterThan(3 * MINUTE_MS - 10_000);
      expect(waitMs).toBeLessThanOrEqual(4 * MINUTE_MS);
      const endless = newWindow();
      expect(await waitOf(endless, slow(1), 1e12)).toBe(0);
      expect(await waitOf(endless, slow(1), 1)).toBeLessThan(62 * MINUTE_MS);
    });

    test('what is given back is as if it had never been taken, and nothing else', async () => {
      const window = newWindow();
      expect(await waitOf(window, slow(10), 4)).toBe(0);
      const allowed = await take(window, slow(10), 58);
      expect(await waitOf(window, slow(10), 1)).toBeGreaterThan(MINUTE_MS);
      if ('giveBack' in allowed) await allowed.giveBack();
      for (let n = 0; n < 6; n++) expect(await waitOf(window, slow(10), 1)).toBe(0);
      expect(await waitOf(window, slow(10), 1)).toBeGreaterThan(0);
    });

    test('what is given back when it is gone changes nothing', async () => {
      const window = newWindow();
      const allowed = await take(window, quick(2), 2);
      await opened.wait(1_000);
      expect(await waitOf(window, quick(2), 1)).toBe(0);
      if ('giveBack' in allowed) await allowed.giveBack();
      expect(await waitOf(window, quick(2), 1)).toBe(0);
      expect(await waitOf(window, quick(2), 1)).toBeGreaterThan(0);
    });

    test('windows have nothing to do with each other, and another rule holds from then on', async () => {
      const window = newWindow();
      expect(await waitOf(window, slow(1), 1)).toBe(0);
      expect(await waitOf(newWindow(), slow(1), 1)).toBe(0);
      expect(await waitOf(window, slow(1), 1)).toBeGreaterThan(0);
      expect(await waitOf(window, slow(2), 1)).toBe(0);
      expect(await waitOf(window, slow(2), 1)).toBeGreaterThan(0);
    });

    test('50 takes at once, by all who share the window, admit exactly its most', async () => {
      const window = newWindow();
      const takes = Array.from({ length: 50 }, (_, n) => {
        const limiter = opened.limiters[n % opened.limiters.length] as WindowLimiter;
        return limiter.take(window, slow(20), 1);
      });
      expect((await Promise.all(takes)).filter((taken) => 'giveBack' in taken)).toHaveLength(20);
    });
  });
}
