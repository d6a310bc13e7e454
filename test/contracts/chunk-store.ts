/** What every `ChunkStore` must do: the comments of the port, one test each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobKey } from '../../shared/core/job.ts';
import type { Chunk, ChunkStore } from '../../shared/core/ports.ts';

export type OpenChunkStore = () => Promise<{ chunks: ChunkStore; close(): Promise<void> }>;

const DELETE_AT = 4_000_000_000_000;
/** Long enough for a listener to bring what it should not. */
const SILENCE_MS = 300;
const AT_ONCE = 50;

export function chunkStoreContract(name: string, open: OpenChunkStore): void {
  describe(`ChunkStore on ${name}`, () => {
    let chunks: ChunkStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ chunks, close } = await open());
    });
    afterAll(() => close());

    const newKey = (): JobKey => ({ tenant: `tenant-${crypto.randomUUID()}`, id: crypto.randomUUID() });
    const chunk = (n: number, attempt = 1, text = `text ${attempt}.${n} `): Chunk => ({ attempt, n, text });
    const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, index) => chunk(index + from));

    async function put(key: JobKey, all: readonly Chunk[]): Promise<void> {
      for (let done = 0; done < all.length; done += AT_ONCE) {
        await Promise.all(all.slice(done, done + AT_ONCE).map((one) => chunks.put(key, one, DELETE_AT)));
      }
    }

    test('chunks come back in order, those after the nth alone', async () => {
      const key = newKey();
      const all = numbered(12);
      await put(key, [...all].reverse());
      expect(await chunks.list(key, 1, 0)).toEqual(all);
      expect(await chunks.list(key, 1, 9)).toEqual(all.slice(9));
      expect(await chunks.list(key, 1, 12)).toEqual([]);
      expect(await chunks.list(newKey(), 1, 0)).toEqual([]);
    });

    test('the order holds beyond 999 chunks and beyond 9 attempts', async () => {
      const key = newKey();
      const all = numbered(1_005);
      await put(key, all);
      await put(key, [chunk(1, 2), chunk(1, 10), chunk(1, 11)]);
      const listed = await chunks.list(key, 1, 0);
      expect(listed.map(({ n }) => n)).toEqual(all.map(({ n }) => n));
      expect(await chunks.list(key, 1, 998)).toEqual(all.slice(998));
      expect(await chunks.list(key, 10, 0)).toEqual([chunk(1, 10)]);
    });

    test('the same chunk once more changes nothing', async () => {
      const key = newKey();
      await put(key, numbered(3));
      await put(key, numbered(3));
      expect(await chunks.list(key, 1, 0)).toEqual(numbered(3));
    });

    test('attempts, jobs and tenants have texts of their own', async () => {
      const key = newKey();
      const [other, foreign] = [
        { ...key, id: crypto.randomUUID() },
        { ...key, tenant: 'another' },
      ];
      await put(key, [chunk(1), chunk(2), chunk(1, 2)]);
      await put(other, [chunk(3)]);
      await put(foreign, [chunk(4)]);
      expect(await chunks.list(key, 1, 0)).toEqual([chunk(1), chunk(2)]);
      expect(await chunks.list(key, 2, 0)).toEqual([chunk(1, 2)]);
      expect(await chunks.list(key, 3, 0)).toEqual([]);
      expect(await chunks.list(other, 1, 0)).toEqual([chunk(3)]);
      expect(await chunks.list(foreign, 1, 0)).toEqual([chunk(4)]);
    });

    test.each([
      ['emoji that are one', '👨‍👩‍👧‍👦 e\u0301 ﷽'],
      ['a joiner alone', '\u200d'],
      ['a NUL within', 'a\u0000b'],
      ['a NUL alone', '\u0000'],
      ['line ends and quotes', '\r\n\t"\\\u2028\ufeff'],
      ['the last of all characters', '\u{10ffff}\uffff'],
      ['much', '分'.repeat(20_000)],
    ])('text comes back as it was: %s', async (_, text) => {
      const key = newKey();
      const sent = chunk(1, 1, text);
      await put(key, [sent]);
      expect(await chunks.list(key, 1, 0)).toEqual([sent]);
      const heard: Chunk[] = [];
      const stop = chunks.watch(key, 1, 0, (found) => heard.push(...found));
      await expect.poll(() => heard.length, { timeout: 30_000 }).toBeGreaterThan(0);
      stop();
      expect(heard[0]).toEqual(sent);
    });

    test('a listener hears what there is after the nth, then what comes, in order, until it stops', async () => {
      const key = newKey();
      await put(key, numbered(12));
      const heard: Chunk[] = [];
      const stop = chunks.watch(key, 1, 2, (found) => heard.push(...found));
      const texts = () => [...new Set(heard.map(({ n }) => n))];
      const upTo = (most: number) => numbered(most - 2, 3).map(({ n }) => n);
      await expect.poll(texts, { timeout: 30_000 }).toEqual(upTo(12));
      // Another attempt's, and one that its writer puts once more.
      await put(key, [chunk(1, 2), chunk(1), chunk(2)]);
      for (const n of [13, 14, 15]) await put(key, [chunk(n)]);
      await expect.poll(texts, { timeout: 30_000 }).toEqual(upTo(15));
      expect(heard.every(({ attempt }) => attempt === 1)).toBe(true);
      expect(heard[0]).toEqual(chunk(3));
      stop();
      await put(key, [chunk(16)]);
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
      expect(texts()).toEqual(upTo(15));
    });

    test('a listener hears of nothing, where there is none, then of what comes', async () => {
      const key = newKey();
      const heard: Chunk[][] = [];
      const stop = chunks.watch(key, 1, 0, (found) => heard.push(found));
      await expect.poll(() => heard, { timeout: 30_000 }).toEqual([[]]);
      await put(key, [chunk(1)]);
      await expect.poll(() => heard.flat(), { timeout: 30_000 }).toEqual([chunk(1)]);
      stop();
    });

    test('a listener that is stopped at once hears nothing', async () => {
      const key = newKey();
      await put(key, numbered(2));
      let calls = 0;
      chunks.watch(key, 1, 0, () => calls++)();
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
      expect(calls).toBe(0);
    });

    test('all chunks of a job are removed, more than one commit takes, and no others', async () => {
      const key = newKey();
      const other = { ...key, id: crypto.randomUUID() };
      await put(key, numbered(605));
      await put(key, [chunk(1, 2), chunk(1, 12)]);
      await put(other, numbered(2));
      await chunks.remove(key);
      for (const attempt of [1, 2, 12]) expect(await chunks.list(key, attempt, 0)).toEqual([]);
      expect(await chunks.list(other, 1, 0)).toEqual(numbered(2));
      await chunks.remove(key);
      await put(key, [chunk(1)]);
      expect(await chunks.list(key, 1, 0)).toEqual([chunk(1)]);
    });
  });
}
