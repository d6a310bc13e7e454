/** `JobStore` on SQLite. */
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { jobStoreContract } from './job-store.ts';

jobStoreContract('SQLite', async () => {
  const database = openDatabase(':memory:');
  return {
    store: sqliteJobStore(database, systemClock()),
    close: async () => {
      database.close();
    },
  };
});
