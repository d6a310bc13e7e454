/** Sets of parts: how values are cut, stored, read back and compared, and what becomes of a set that nobody names. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sha256Hex } from '../../shared/core/ids.ts';
import type { Job, Json } from '../../shared/core/job.ts';
import type { PartSet } from '../../shared/core/part-set.ts';
import type { PartSetKey, PartStore } from '../../shared/core/part-store.ts';
import {
  checkOf,
  INLINE_BYTES_MOST,
  names,
  partsDeleteAt,
  putParts,
  readParts,
  tooLargeInline,
  valueIn,
  wholeInput,
} from '../../shared/core/parts.ts';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { faulty } from '../support/faulty.ts';
import { sqliteStores } from '../support/stores.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const PART_BYTES = 768 * 1024;
const THEN = 1_700_000_000_000;
const TIMES = { deleteAt: THEN + 2_000, checkAt: THEN + 1_000 };
const DAY_MS = 86_400_000;

const open = () => {
  const clock = virtualClock();
  const stores = sqliteStores(clock);
  return { clock, parts: faulty(stores.parts, { clock }), close: stores.close };
};
let world: ReturnType<typeof open>;
beforeEach(() => {
  world = open();
});
afterEach(() => world.close());

const encode = (text: string) => new TextEncoder().encode(text);
const newKey = (): PartSetKey => ({ tenant: 't', id: crypto.randomUUID(), set: '1-a' });

async function all(key: PartSetKey, set: PartSet): Promise<string[]> {
  const texts: string[] = [];
  for await (const text of readParts(world.parts, key, set)) texts.push(text);
  return texts;
}

describe('a value is cut', () => {
  const offsets = (['é', '分', '🦊'] as const).flatMap((character) =>
    Array.from({ length: Buffer.byteLength(character) + 1 }, (_, before) => [character, before] as const),
  );
  test.each(offsets)('between characters: %s, %d of its bytes before the end of a part', async (character, before) => {
    const width = Buffer.byteLength(character);
    const text = 'a'.repeat(PART_BYTES - before) + character.repeat(3);
    const key = newKey();
    const set = await putParts(world.parts, key, [encode(text)], TIMES);
    const [first = '', second = '', ...others] = await all(key, set);
    const isWhole = before === 0 || before === width;
    expect(Buffer.byteLength(first)).toBe(isWhole ? PART_BYTES : PART_BYTES - before);
    expect(second).toBe(character.repeat(before === width ? 2 : 3));
    expect([others, first + second === text]).toEqual([[], true]);
  });

  test('a part may begin with a byte order mark', async () => {
    const text = `${'a'.repeat(PART_BYTES)}\ufeffb`;
    const key = newKey();
    const set = await putParts(world.parts, key, [encode(text)], TIMES);
    expect((await all(key, set))[1]).toBe('\ufeffb');
  });

  test.each([
    ['a byte', 1, 1],
    ['a part', PART_BYTES, 1],
    ['a part and a byte', PART_BYTES + 1, 2],
    ['eleven parts', PART_BYTES * 11, 11],
  ])('into as few parts as can be: %s', async (_, bytes, count) => {
    const key = newKey();
    const text = 'a'.repeat(bytes);
    const set = await putParts(world.parts, key, [encode(text)], TIMES);
    const texts = await all(key, set);
    expect(set).toEqual({
      name: key.set,
      bytes,
      sha256: await Promise.all(texts.map((one) => sha256Hex(encode(one)))),
    });
    expect(texts.length).toBe(count);
    expect(texts.join('') === text).toBe(true);
    expect(await world.parts.get(key, count + 1)).toBeUndefined();
  });

  test.each<[string, Json]>([
    ['of many bytes a character', { a: '分🦊é'.repeat(200_000) }],
    ['text that is all escapes', '\u0000"\\\n'.repeat(300_000)],
    ['half a pair of surrogates', ['x'.repeat(PART_BYTES), '\ud83e']],
    ['numbers', Array.from({ length: 200_000 }, (_, n) => n * 1.5)],
  ])('and comes back as it was: %s', async (_, value) => {
    const pieces = tooLargeInline(value);
    if (!pieces) throw new Error('it is too small');
    const key = newKey();
    const set = await putParts(world.parts, key, pieces, TIMES);
    expect(set.sha256.length).toBeGreaterThan(1);
    expect(JSON.stringify(await valueIn(world.parts, key, set)) === JSON.stringify(value)).toBe(true);
  });
});

describe('what is too large', () => {
  test.each([
    ['as large as may be', 'a'.repeat(INLINE_BYTES_MOST - 2), undefined],
    ['a byte more', 'a'.repeat(INLINE_BYTES_MOST - 1), INLINE_BYTES_MOST + 1],
    ['counted in bytes, not in characters', '分'.repeat(INLINE_BYTES_MOST / 3), INLINE_BYTES_MOST + 1],
    ['counted as JSON', '"'.repeat(INLINE_BYTES_MOST / 2), INLINE_BYTES_MOST + 2],
    ['small', null, undefined],
  ])('%s', (_, value, bytes) => {
    const pieces = tooLargeInline(value);
    expect(pieces && [...pieces].reduce((sum, { length }) => sum + length, 0)).toBe(bytes);
  });
});

describe('a set is stored', () => {
  const pieces = [encode('a'.repeat(PART_BYTES * 8))];

  test('its first part before the others, three at once', async () => {
    let [running, most] = [0, 0];
    const order: number[] = [];
    const counted: PartStore = {
      ...world.parts,
      async put(key, part) {
        order.push(part.n);
        most = Math.max(most, ++running);
        // The others' digests are computed beside this thread, at their own pace: the first three wait for one another.
        if (part.n > 1) await vi.waitUntil(() => most === 3, { interval: 1, timeout: 10_000 });
        await new Promise((resolve) => setTimeout(resolve, 2));
        await world.parts.put(key, part);
        running -= 1;
        if (part.n === 1) expect(order).toEqual([1]);
      },
    };
    await putParts(counted, newKey(), pieces, TIMES);
    expect([order.length, new Set(order).size, most]).toEqual([8, 8, 3]);
  });

  test('each part is put together when its turn has come', async () => {
    let [taken, takenFirst] = [0, 0];
    const some = function* () {
      for (; taken < 64; taken++) yield encode('a'.repeat(PART_BYTES / 8));
    };
    const watched: PartStore = {
      ...world.parts,
      async put(key, part) {
        if (part.n === 1) takenFirst = taken;
        await world.parts.put(key, part);
      },
    };
    const { bytes } = await putParts(watched, newKey(), some(), TIMES);
    expect([taken, bytes]).toEqual([64, 8 * PART_BYTES]);
    expect(takenFirst).toBeLessThanOrEqual(9);
  });

  test('and is looked at once, by its first part', async () => {
    const key = newKey();
    await putParts(world.parts, key, pieces, TIMES);
    expect(await world.parts.unchecked(TIMES.checkAt - 1, 10)).toEqual([]);
    expect(await world.parts.unchecked(TIMES.checkAt, 10)).toEqual([key]);
  });

  test('when a part cannot be, the set is found all the same', async () => {
    const key = newKey();
    world.parts.fail('put', 'before', { skip: 3 });
    const stored = putParts(world.parts, key, pieces, TIMES);
    await expect(stored).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.parts.fired('before')).toBe(1);
    expect(await world.parts.unchecked(TIMES.checkAt, 10)).toEqual([key]);
  });

  test('and where one cannot be, none is on its way any more when that is said', async () => {
    const key = newKey();
    world.parts.fail('put', 'before', { skip: 1 });
    world.parts.fail('put', 'slow', { times: 2 });
    const storing = putParts(world.parts, key, pieces, TIMES).catch((error: unknown) => error);
    expect(await world.clock.until(storing)).toMatchObject({ code: 'store_unavailable' });
    const calls = world.parts.calls('put');
    // Two more had begun.
    expect(calls).toBe(4);
    await world.parts.remove(key);
    await world.clock.advance(10_000);
    expect(world.parts.calls('put')).toBe(calls);
    for (let n = 1; n <= 8; n++) expect(await world.parts.get(key, n)).toBeUndefined();
  });

  test('when its first part cannot be, no other is', async () => {
    world.parts.fail('put', 'before');
    await expect(putParts(world.parts, newKey(), pieces, TIMES)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([world.parts.fired('before'), world.parts.calls('put')]).toEqual([1, 1]);
  });

  test('and once more, with the same end', async () => {
    const key = newKey();
    world.parts.fail('put', 'after', { skip: 1 });
    await expect(putParts(world.parts, key, pieces, TIMES)).rejects.toMatchObject({ code: 'store_unavailable' });
    const set = await putParts(world.parts, key, pieces, TIMES);
    expect(world.parts.fired('after')).toBe(1);
    expect((await all(key, set)).join('').length).toBe(8 * PART_BYTES);
  });
});

describe('nobody is given', () => {
  const DAMAGED = { code: 'internal_error', message: 'A part of what was stored is missing or damaged.' };
  const text = 'ab'.repeat(PART_BYTES);
  let key: PartSetKey;
  let set: PartSet;
  beforeEach(async () => {
    key = newKey();
    set = await putParts(world.parts, key, [encode(text)], TIMES);
    expect(set.sha256).toHaveLength(2);
  });

  /** What was given before it was refused. */
  async function given(of: PartSet, as: { code: string }): Promise<number> {
    let count = 0;
    const read = async () => {
      for await (const _ of readParts(world.parts, key, of)) count += 1;
    };
    await expect(read()).rejects.toMatchObject(as);
    await expect(valueIn(world.parts, key, of)).rejects.toMatchObject(as);
    return count;
  }

  test('a part that is missing', async () => {
    const [first = '', second = ''] = set.sha256;
    expect(await given({ ...set, sha256: [first, second, second] }, DAMAGED)).toBe(2);
    await world.parts.remove(key);
    expect(await given(set, DAMAGED)).toBe(0);
  });

  test('a part that is not what was stored', async () => {
    await world.parts.remove(key);
    await world.parts.put(key, { n: 1, text: text.slice(0, PART_BYTES), deleteAt: TIMES.deleteAt });
    await world.parts.put(key, { n: 2, text: `${text.slice(PART_BYTES, -1)}c`, deleteAt: TIMES.deleteAt });
    expect(await given(set, DAMAGED)).toBe(1);
  });

  test('a part in the place of another', async () => {
    const odd = { ...key, set: '1-odd' };
    const apart = await putParts(world.parts, odd, [encode(`${text.slice(1)}c`)], TIMES);
    expect(await given({ ...apart, sha256: [...apart.sha256].reverse() }, DAMAGED)).toBe(0);
    expect(await given({ ...apart, name: set.name }, DAMAGED)).toBe(0);
  });

  test('anything by a store that gives no answer', async () => {
    world.parts.fail('get', 'before', { skip: 1 });
    await expect(all(key, set)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.parts.fired('before')).toBe(1);
  });
});

describe('a job', () => {
  const SET: PartSet = { name: '1-token', bytes: 1, sha256: ['00'] };
  const job = (over: Partial<Job> = {}) => sampleJob({ token: 'token', state: 'processing', ...over });

  test('names its sets', () => {
    expect(names(job(), '1-token')).toBe(false);
    expect(names(job({ parts: {} }), '1-token')).toBe(false);
    expect(names(job({ parts: { result: SET } }), '1-token')).toBe(true);
    expect(names(job({ parts: { input: undefined, rejectedText: SET } }), '1-token')).toBe(true);
    expect(names(job({ parts: { input: SET } }), '2-token')).toBe(false);
  });

  test.each<[string, Job | undefined, ReturnType<typeof checkOf>]>([
    ['nobody knows the job', undefined, 'remove'],
    ['it is named', job({ parts: { result: SET } }), 'keep'],
    ['it is named by a job that is over', job({ state: 'completed', parts: { result: SET } }), 'keep'],
    ['its holder may still name it', job(), 'wait'],
    ['somebody else holds the job', job({ token: 'another' }), 'remove'],
    ['a newer version may name it elsewhere', job({ state: 'failed', schemaVersion: SCHEMA_VERSION + 1 }), 'wait'],
    ['the job is over without it', job({ state: 'cancelled' }), 'remove'],
    ['the job names another', job({ state: 'completed', parts: { result: { ...SET, name: '2-token' } } }), 'remove'],
  ])('when a set is checked: %s', (_, found, todo) => {
    expect(checkOf(found, SET.name)).toBe(todo);
  });

  test('is not shown for longer than its parts are kept', () => {
    expect(partsDeleteAt(job({ retentionMs: 5 }), THEN)).toBe(THEN + DAY_MS + 5);
    expect(partsDeleteAt(job({ store: false, retentionMs: 5 }), THEN)).toBe(THEN + DAY_MS + 3_600_000);
  });

  test('has its input in its document, or in parts', async () => {
    const key = newKey();
    expect(await wholeInput(world.parts, { job: job(), input: { a: 1 } })).toEqual({ a: 1 });
    const input = await putParts(world.parts, key, [encode('{"a":2}')], TIMES);
    const apart = job({ tenant: key.tenant, id: key.id, parts: { input } });
    expect(await wholeInput(world.parts, { job: apart, input: null })).toEqual({ a: 2 });
  });
});
