/** `LeaderStore` on SQLite. */
import { expect, test } from 'vitest';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteLeaderStore } from '../../shared/adapters/sqlite-leader-store.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { leaderStoreContract } from './leader-store.ts';

leaderStoreContract('SQLite', async () => sqliteStores(systemClock()));

const KEY = { tenant: 'default', key: 'k' };

test('what may go by now goes, and nothing else', async () => {
  const database = openDatabase(':memory:');
  const leaders = sqliteLeaderStore(database);
  await leaders.lead(KEY, 'old', { deleteAt: 5 });
  await leaders.lead({ ...KEY, key: 'other' }, 'new', { deleteAt: 6 });
  leaders.purge(5);
  expect([await leaders.get(KEY), await leaders.get({ ...KEY, key: 'other' })]).toEqual([undefined, 'new']);
  database.close();
});

test('a broken file gives no answer', async () => {
  const database = openDatabase(':memory:');
  const leaders = sqliteLeaderStore(database);
  database.exec('DROP TABLE leaders');
  const calls = [leaders.get(KEY), leaders.lead(KEY, 'a', { deleteAt: 5 }), leaders.remove(KEY, 'a')];
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'store_unavailable' });
  database.close();
});
