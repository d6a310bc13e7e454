/** `PartStore` on SQLite. */
import { expect, test } from 'vitest';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqlitePartStore } from '../../shared/adapters/sqlite-part-store.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { PART_CALLS, partStoreContract } from './part-store.ts';

partStoreContract('SQLite', async () => sqliteStores(systemClock()));

test.each(PART_CALLS)('a broken file gives no answer: %s', async (_, call) => {
  const database = openDatabase(':memory:');
  const parts = sqlitePartStore(database);
  database.exec('DROP TABLE parts');
  await expect(call(parts)).rejects.toMatchObject({ code: 'store_unavailable' });
  database.close();
});
