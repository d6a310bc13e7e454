/** `ResultCache` in memory, on virtual time; what it forgets. */
import { expect, test } from 'vitest';
import { memoryResultCache } from '../../shared/adapters/memory-result-cache.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import { resultCacheContract } from './result-cache.ts';

resultCacheContract('memory', async () => {
  const clock = virtualClock();
  return { caches: [memoryResultCache({ clock })], wait: clock.advance, async close() {} };
});

const key = (id: string) => ({ tenant: 'default', id });
const HOUR_MS = 3_600_000;

test('at most so many results are kept, and the one that was least recently asked for goes first', async () => {
  const cache = memoryResultCache({ clock: virtualClock(), resultsMost: 3 });
  for (const id of ['a', 'b', 'c']) await cache.put(key(id), id, HOUR_MS);
  await cache.get(key('a'));
  await cache.put(key('d'), 'd', HOUR_MS);
  const found = await Promise.all(['a', 'b', 'c', 'd'].map((id) => cache.get(key(id))));
  expect(found).toEqual(['a', undefined, 'c', 'd']);
});

test('at most so many bytes are kept; what is larger is not kept, nor what was there before it', async () => {
  const cache = memoryResultCache({ clock: virtualClock(), bytesMost: 100 });
  await cache.put(key('a'), 'x'.repeat(30), HOUR_MS);
  await cache.put(key('b'), 'x'.repeat(30), HOUR_MS);
  expect([await cache.get(key('a')), await cache.get(key('b'))]).toEqual([undefined, 'x'.repeat(30)]);
  await cache.put(key('b'), 'x'.repeat(51), HOUR_MS);
  expect(await cache.get(key('b'))).toBeUndefined();
});

test('by default 1,000 results, and 16 MiB', async () => {
  const cache = memoryResultCache({ clock: virtualClock() });
  const count = async (ids: number) => {
    const found = await Promise.all(Array.from({ length: ids }, (_, n) => cache.get(key(String(n)))));
    return found.filter((text) => text !== undefined).length;
  };
  for (let n = 0; n < 1_001; n++) await cache.put(key(String(n)), 'x', HOUR_MS);
  expect(await count(1_001)).toBe(1_000);
  for (let n = 0; n < 40; n++) await cache.put(key(String(n)), 'x'.repeat(256 * 1_024), HOUR_MS);
  expect(await count(40)).toBe(32);
});
