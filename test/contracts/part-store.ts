/** What every `PartStore` must do: the comments of the port, one test each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PartSetKey, PartStore } from '../../shared/core/part-store.ts';

export type OpenPartStore = () => Promise<{ parts: PartStore; close(): Promise<void> }>;

const DELETE_AT = 4_000_000_000_000;
/** Beyond what any test asks for. */
const NOT_YET = 3_000_000_000_000;
const THEN = 1_700_000_000_000;
const PART_BYTES = 768 * 1024;
const AT_ONCE = 50;

const KEY: PartSetKey = { tenant: 't', id: crypto.randomUUID(), set: '1-a' };
/** Each method, for stores that give no answer. */
export const PART_CALLS: [string, (on: PartStore) => Promise<unknown>][] = [
  ['put', (on) => on.put(KEY, { n: 1, text: 'x', deleteAt: DELETE_AT })],
  ['get', (on) => on.get(KEY, 1)],
  ['check', (on) => on.check(KEY, NOT_YET)],
  ['unchecked', (on) => on.unchecked(THEN, 1)],
  ['remove', (on) => on.remove(KEY)],
];

export function partStoreContract(name: string, open: OpenPartStore): void {
  describe(`PartStore on ${name}`, () => {
    let parts: PartStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ parts, close } = await open());
    });
    afterAll(() => close());

    const newKey = (set = `1-${crypto.randomUUID()}`): PartSetKey => ({
      tenant: `tenant-${crypto.randomUUID()}`,
      id: crypto.randomUUID(),
      set,
    });
    const put = (key: PartSetKey, n: number, text = `text ${n}`, checkAt = n === 1 ? NOT_YET : undefined) =>
      parts.put(key, { n, text, deleteAt: DELETE_AT, checkAt });

    async function putAll(key: PartSetKey, count: number, checkAt?: number): Promise<void> {
      for (let from = 1; from <= count; from += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, count - from + 1) }, (_, index) => from + index);
        await Promise.all(some.map((n) => put(key, n, undefined, n === 1 ? checkAt : undefined)));
      }
    }
    const texts = (key: PartSetKey, count: number) =>
      Promise.all(Array.from({ length: count }, (_, index) => parts.get(key, index + 1)));
    /** Which of these sets somebody looks at by then, in the order of the answer. */
    async function dueOf(keys: readonly PartSetKey[], nowMs: number): Promise<PartSetKey[]> {
      const due = await parts.unchecked(nowMs, 1_000);
      return due.filter(({ set }) => keys.some((key) => key.set === set));
    }

    test('a part comes back as it was put; one that is not there does not', async () => {
      const key = newKey();
      await put(key, 2, 'second');
      await put(key, 1, 'first');
      await put(key, 1_000, 'a later one');
      expect(await texts(key, 3)).toEqual(['first', 'second', undefined]);
      expect(await parts.get(key, 1_000)).toBe('a later one');
      expect(await parts.get(newKey(), 1)).toBeUndefined();
    });

    test.each([
      ['none', ''],
      ['emoji that are one', '👨‍👩‍👧‍👦 e\u0301 ﷽'],
      ['a byte order mark before it', '\ufeffa'],
      ['a NUL within', 'a\u0000b'],
      ['a NUL alone', '\u0000'],
      ['half of some JSON', '{"a":"\\u00'],
      ['line ends and quotes', '\r\n\t"\\\u2028'],
      ['the last of all characters', '\u{10ffff}\uffff'],
      ['a whole part of two bytes each', 'é'.repeat(PART_BYTES / 2)],
      ['a whole part of three bytes each', '分'.repeat(PART_BYTES / 3)],
      ['a whole part of four bytes each', '🦊'.repeat(PART_BYTES / 4)],
      ['a whole part of quotes', '"'.repeat(PART_BYTES)],
      ['a megabyte', 'a'.repeat(1_000_000)],
    ])('text comes back as it was: %s', async (_, text) => {
      const key = newKey();
      await put(key, 1, text);
      // Compared without a diff of a megabyte.
      expect((await parts.get(key, 1)) === text).toBe(true);
    });

    test('what is put once more changes nothing, neither the text nor who looks', async () => {
      const key = newKey();
      await putAll(key, 2, THEN);
      await putAll(key, 2, THEN);
      expect(await texts(key, 3)).toEqual(['text 1', 'text 2', undefined]);
      expect(await dueOf([key], THEN)).toEqual([key]);
      // Its writer's first try may come late: somebody looked meanwhile, and need not again.
      await parts.check(key, null);
      await putAll(key, 2, THEN);
      expect(await dueOf([key], NOT_YET)).toEqual([]);
      await parts.remove(key);
    });

    test('a part never changes', async () => {
      const key = newKey();
      await put(key, 1, 'first');
      await put(key, 1, 'another');
      expect(await parts.get(key, 1)).toBe('first');
    });

    test('sets, jobs and tenants have parts of their own', async () => {
      const key = newKey();
      const others: PartSetKey[] = [
        { ...key, set: `2${key.set}` },
        // As the first part's own name would be, were it made of the two.
        { ...key, set: `${key.set}-0001` },
        { ...key, id: crypto.randomUUID() },
        { ...key, tenant: 'another' },
      ];
      await put(key, 1, 'mine');
      for (const other of others) expect(await parts.get(other, 1)).toBeUndefined();
      for (const [index, other] of others.entries()) await put(other, 1, `other ${index}`, THEN);
      expect(await parts.get(key, 1)).toBe('mine');
      for (const [index, other] of others.entries()) expect(await parts.get(other, 1)).toBe(`other ${index}`);
      expect(await dueOf([key, ...others], THEN)).toHaveLength(others.length);
      await parts.check(key, null);
      expect(await dueOf([key, ...others], NOT_YET)).toHaveLength(others.length);
      await parts.remove(key);
      expect(await parts.get(key, 1)).toBeUndefined();
      for (const [index, other] of others.entries()) expect(await parts.get(other, 1)).toBe(`other ${index}`);
      for (const other of others) await parts.remove(other);
    });

    test('the sets that are due: the longest due first, so many at most, each once', async () => {
      const keys = [newKey(), newKey(), newKey(), newKey()];
      const [late, early, middle, future] = keys as [PartSetKey, PartSetKey, PartSetKey, PartSetKey];
      await putAll(late, 3, THEN);
      await putAll(early, 3, THEN - 2_000);
      await putAll(middle, 1, THEN - 1_000);
      await putAll(future, 2, THEN + 1);
      expect(await dueOf(keys, THEN)).toEqual([early, middle, late]);
      expect(await dueOf(keys, THEN + 1)).toEqual([early, middle, late, future]);
      expect(await dueOf(keys, THEN - 1)).toEqual([early, middle]);
      expect(await parts.unchecked(THEN, 2)).toEqual([early, middle]);
      expect(await parts.unchecked(THEN - 2_001, 10)).toEqual([]);
      for (const key of keys) await parts.remove(key);
      expect(await dueOf(keys, NOT_YET)).toEqual([]);
    });

    test('a look is put off, called off and called for again; what is stored stays', async () => {
      const key = newKey();
      await putAll(key, 2, THEN);
      await parts.check(key, THEN + 1_000);
      expect(await dueOf([key], THEN)).toEqual([]);
      expect(await dueOf([key], THEN + 1_000)).toEqual([key]);
      await parts.check(key, null);
      await parts.check(key, null);
      expect(await dueOf([key], NOT_YET)).toEqual([]);
      await parts.check(key, THEN);
      expect(await dueOf([key], THEN)).toEqual([key]);
      expect(await texts(key, 3)).toEqual(['text 1', 'text 2', undefined]);
      await parts.remove(key);
    });

    test('of a set that is not there, or not any more, a look makes nothing', async () => {
      const [never, gone] = [newKey(), newKey()];
      await putAll(gone, 2, THEN);
      await parts.remove(gone);
      for (const key of [never, gone]) {
        await parts.check(key, THEN);
        await parts.check(key, null);
        await parts.check(key, THEN);
        expect(await parts.get(key, 1)).toBeUndefined();
      }
      expect(await dueOf([never, gone], NOT_YET)).toEqual([]);
    });

    test('a set is removed, more than one commit takes, and no other; then all sets of the job', async () => {
      const key = newKey();
      const [second, third] = [
        { ...key, set: `${key.set}-2` },
        { ...key, set: `0${key.set}` },
      ];
      const foreign = { ...key, id: crypto.randomUUID() };
      await putAll(key, 305);
      for (const other of [second, third, foreign]) await putAll(other, 2, THEN);
      await parts.remove(key);
      expect((await texts(key, 305)).filter((text) => text !== undefined)).toEqual([]);
      for (const other of [second, third, foreign]) expect(await texts(other, 2)).toEqual(['text 1', 'text 2']);
      await parts.remove({ tenant: key.tenant, id: key.id });
      for (const other of [second, third]) expect(await texts(other, 2)).toEqual([undefined, undefined]);
      expect(await dueOf([second, third, foreign], THEN)).toEqual([foreign]);
      expect(await texts(foreign, 2)).toEqual(['text 1', 'text 2']);
      for (const other of [key, foreign]) await parts.remove({ tenant: other.tenant, id: other.id });
    });

    test('what was removed can be put again', async () => {
      const key = newKey();
      await put(key, 1, 'first');
      await parts.remove(key);
      await put(key, 1, 'another');
      expect(await parts.get(key, 1)).toBe('another');
    });
  });
}
