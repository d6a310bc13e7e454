/** The suite of `LeaderStore`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LeaderStore } from '../../shared/core/leader-store.ts';

export function leaderStoreContract(
  name: string,
  open: () => Promise<{ leaders: LeaderStore; close(): Promise<void> }>,
): void {
  describe(`LeaderStore on ${name}`, () => {
    let leaders: LeaderStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ leaders, close } = await open());
    });
    afterAll(() => close());

    const deleteAt = Date.now() + 86_400_000;
    const newKey = () => ({ tenant: 'default', key: crypto.randomUUID() });
    const newId = () => crypto.randomUUID();

    test('nobody leads at first', async () => {
      expect(await leaders.get(newKey())).toBeUndefined();
    });

    test('the first one who asks leads, of its own tenant and key alone', async () => {
      const key = newKey();
      expect(await leaders.lead(key, 'first', { deleteAt })).toBe('first');
      expect(await leaders.lead(key, 'second', { deleteAt })).toBe('first');
      expect(await leaders.get(key)).toBe('first');
      for (const other of [{ tenant: 'other' }, { key: `${key.key}x` }]) {
        expect(await leaders.get({ ...key, ...other })).toBeUndefined();
      }
    });

    test('who asks again still leads', async () => {
      const key = newKey();
      for (let times = 0; times < 2; times++) expect(await leaders.lead(key, 'first', { deleteAt })).toBe('first');
    });

    test('a leader is replaced by whoever names it, and by nobody else', async () => {
      const key = newKey();
      await leaders.lead(key, 'first', { deleteAt });
      expect(await leaders.lead(key, 'second', { before: 'nobody', deleteAt })).toBe('first');
      expect(await leaders.lead(key, 'second', { before: 'first', deleteAt })).toBe('second');
      expect(await leaders.lead(key, 'third', { before: 'first', deleteAt })).toBe('second');
      expect(await leaders.get(key)).toBe('second');
    });

    test('where the one before was forgotten, whoever names it leads', async () => {
      const key = newKey();
      expect(await leaders.lead(key, 'second', { before: 'first', deleteAt })).toBe('second');
    });

    test('of twenty at once one leads, and all hear which', async () => {
      const key = newKey();
      for (const before of [undefined, 'replaced']) {
        if (before) await leaders.lead(key, before, { before: await leaders.get(key), deleteAt });
        const crowd = Array.from({ length: 20 }, newId);
        const told = await Promise.all(crowd.map((id) => leaders.lead(key, id, { before, deleteAt })));
        const leader = await leaders.get(key);
        expect(crowd).toContain(leader);
        expect(new Set(told)).toEqual(new Set([leader]));
      }
    });

    test('a leader is forgotten when it is meant', async () => {
      const key = newKey();
      await leaders.lead(key, 'first', { deleteAt });
      await leaders.remove(key, 'second');
      expect(await leaders.get(key)).toBe('first');
      for (let times = 0; times < 2; times++) await leaders.remove(key, 'first');
      expect(await leaders.get(key)).toBeUndefined();
    });
  });
}
