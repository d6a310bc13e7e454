/** All stores and the queue in one SQLite file. A module of its own: the driver is loaded only where there is a file. */
import { sqliteAccountStore } from './adapters/sqlite-accounts.ts';
import { sqliteApiKeyStore } from './adapters/sqlite-api-key-store.ts';
import { sqliteChunkStore } from './adapters/sqlite-chunk-store.ts';
import { openDatabase } from './adapters/sqlite-database.ts';
import { sqliteEstimateStore } from './adapters/sqlite-estimate-store.ts';
import { sqliteJobQueue } from './adapters/sqlite-job-queue.ts';
import { sqliteJobStore } from './adapters/sqlite-job-store.ts';
import { sqliteLeaderStore } from './adapters/sqlite-leader-store.ts';
import { sqlitePartStore } from './adapters/sqlite-part-store.ts';
import { groupedWrites } from './adapters/sqlite-writes.ts';
import type { Clock, Log } from './core/ports.ts';

/** Throws a sentence for people when another process has the file open. */
export function sqliteFile(path: string, clock: Clock, log: Log) {
  const database = openDatabase(path);
  const { write, end } = groupedWrites(database);
  const store = sqliteJobStore(database, clock, write);
  const chunks = sqliteChunkStore(database, clock, write);
  const parts = sqlitePartStore(database);
  const leaders = sqliteLeaderStore(database);
  return {
    stores: {
      store,
      chunks,
      parts,
      leaders,
      estimateStore: sqliteEstimateStore(database),
      apiKeys: sqliteApiKeyStore(database),
      accounts: sqliteAccountStore(database, clock),
    },
    queue: sqliteJobQueue(database, { clock, log, write }),
    /** Removes what may go by now, as Firestore does by itself. */
    purge(nowMs: number): void {
      for (const one of [store, chunks, parts, leaders]) one.purge(nowMs);
    },
    close() {
      end();
      database.close();
    },
  };
}
