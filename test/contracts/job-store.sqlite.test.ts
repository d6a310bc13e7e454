/** `JobStore` on SQLite. */
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { jobStoreContract, type OpenStore } from './job-store.ts';
import { jobListContract } from './job-store-lists.ts';

const open: OpenStore = async () => {
  const database = openDatabase(':memory:');
  return {
    store: sqliteJobStore(database, systemClock()),
    close: async () => {
      database.close();
    },
  };
};

jobStoreContract('SQLite', open);
jobListContract('SQLite', open);
