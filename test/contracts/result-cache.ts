/** What every `ResultCache` must do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResultCache } from '../../shared/core/result-cache.ts';

export type OpenCaches = () => Promise<{
  /** All that hold the same results. */
  caches: [ResultCache, ...ResultCache[]];
  /** Lets so much time pass. */
  wait(ms: number): Promise<void>;
  close(): Promise<void>;
}>;

const HOUR_MS = 3_600_000;

export function resultCacheContract(name: string, open: OpenCaches): void {
  describe(`ResultCache on ${name}`, () => {
    let opened: Awaited<ReturnType<OpenCaches>>;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    const newKey = (tenant = 'default') => ({ tenant, id: crypto.randomUUID() });
    const first = () => opened.caches[0];
    const last = () => opened.caches.at(-1) ?? first();

    test.each([
      ['a JSON text', '{"sentiment":"positive","topics":["wait"]}'],
      ['an empty text', ''],
      ['every kind of character', 'Zoë 東京 😀 \u0000 \n "\\'],
      ['the longest result that is stored', 'é'.repeat(128 * 1_024)],
    ])('%s is got as it was put', async (_, text) => {
      const key = newKey();
      await first().put(key, text, HOUR_MS);
      expect(await last().get(key)).toBe(text);
      expect(await first().get(key)).toBe(text);
    });

    test('what was never put is a miss', async () => {
      expect(await first().get(newKey())).toBeUndefined();
    });

    test('the last one that was put counts, and its time', async () => {
      const key = newKey();
      await first().put(key, 'first', 40);
      await last().put(key, 'second', HOUR_MS);
      await opened.wait(50);
      expect(await first().get(key)).toBe('second');
    });

    test('what is removed is a miss, for all; once more changes nothing', async () => {
      const [key, other] = [newKey(), newKey()];
      await first().put(key, 'text', HOUR_MS);
      await first().put(other, 'other text', HOUR_MS);
      await last().remove(key);
      await last().remove(key);
      expect([await first().get(key), await last().get(key)]).toEqual([undefined, undefined]);
      expect(await first().get(other)).toBe('other text');
    });

    test('what is removed before it is put, or while it is, is a miss for good', async () => {
      const [early, ...raced] = [newKey(), newKey(), newKey()] as const;
      await last().remove(early);
      await first().put(early, 'text', HOUR_MS);
      const [one, two] = raced;
      await Promise.all([first().put(one, 'text', HOUR_MS), last().remove(one)]);
      await Promise.all([last().remove(two), first().put(two, 'text', HOUR_MS)]);
      for (const key of [early, one, two]) expect(await last().get(key)).toBeUndefined();
    });

    test('when its time is over it is a miss, and not before', async () => {
      const key = newKey();
      await first().put(key, 'text', 1_000);
      expect(await first().get(key)).toBe('text');
      await opened.wait(1_010);
      expect(await first().get(key)).toBeUndefined();
    });

    test('the same job id in two tenants is two results', async () => {
      const key = newKey();
      const theirs = { ...key, tenant: 'acme' };
      await first().put(key, 'ours', HOUR_MS);
      expect(await first().get(theirs)).toBeUndefined();
      await first().put(theirs, 'theirs', HOUR_MS);
      await first().remove(key);
      expect([await last().get(key), await last().get(theirs)]).toEqual([undefined, 'theirs']);
    });
  });
}
