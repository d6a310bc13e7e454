/** Every store behind the core, as the runtime puts them together. */
import { firestoreAccountStore } from '../../shared/adapters/firestore-account-store.ts';
import { firestoreApiKeyStore } from '../../shared/adapters/firestore-api-key-store.ts';
import { firestoreChunkStore } from '../../shared/adapters/firestore-chunk-store.ts';
import { type FirestoreDatabase, firestoreDatabase } from '../../shared/adapters/firestore-database.ts';
import { firestoreEstimateStore } from '../../shared/adapters/firestore-estimate-store.ts';
import { firestoreJobStore } from '../../shared/adapters/firestore-job-store.ts';
import { firestoreLeaderStore } from '../../shared/adapters/firestore-leader-store.ts';
import { firestorePartStore } from '../../shared/adapters/firestore-part-store.ts';
import { sqliteAccountStore } from '../../shared/adapters/sqlite-accounts.ts';
import { sqliteApiKeyStore } from '../../shared/adapters/sqlite-api-key-store.ts';
import { sqliteChunkStore } from '../../shared/adapters/sqlite-chunk-store.ts';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteEstimateStore } from '../../shared/adapters/sqlite-estimate-store.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { sqliteLeaderStore } from '../../shared/adapters/sqlite-leader-store.ts';
import { sqlitePartStore } from '../../shared/adapters/sqlite-part-store.ts';
import { groupedWrites, writeAtOnce } from '../../shared/adapters/sqlite-writes.ts';
import type { AccountStore } from '../../shared/core/accounts.ts';
import type { ApiKeyStore } from '../../shared/core/api-keys.ts';
import type { LeaderStore } from '../../shared/core/leader-store.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import type { ChunkStore, Clock, EstimateStore, JobStore } from '../../shared/core/ports.ts';

export type Stores = {
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  leaders: LeaderStore;
  estimateStore: EstimateStore;
  apiKeys: ApiKeyStore;
  accounts: AccountStore;
  close(): Promise<void>;
};

/** On SQLite, in memory; `isGrouped`: with writes that are committed together, as `npm start` does it. */
export function sqliteStores(clock: Clock, { isGrouped = false } = {}) {
  const database = openDatabase(':memory:');
  const grouped = groupedWrites(database);
  const write = isGrouped ? grouped.write : writeAtOnce;
  return {
    store: sqliteJobStore(database, clock, write),
    chunks: sqliteChunkStore(database, clock, write),
    parts: sqlitePartStore(database),
    leaders: sqliteLeaderStore(database),
    estimateStore: sqliteEstimateStore(database),
    apiKeys: sqliteApiKeyStore(database),
    accounts: sqliteAccountStore(database, clock),
    async close() {
      grouped.end();
      database.close();
    },
  } satisfies Stores;
}

/** On a Firestore emulator, or on what stands before one. */
export function firestoreStores(options: {
  projectId: string;
  emulatorHost: string | undefined;
  deadlineMs?: number;
  wakeShards?: number;
  databaseId?: string;
  /** Something between the stores and their database. */
  between?: (database: FirestoreDatabase) => FirestoreDatabase;
}): Stores {
  const { wakeShards = 16, deadlineMs = 5_000, databaseId = '(default)', between = (same) => same } = options;
  const database = between(firestoreDatabase({ ...options, databaseId, deadlineMs }));
  return {
    store: firestoreJobStore(database, { wakeShards }),
    chunks: firestoreChunkStore(database),
    parts: firestorePartStore(database),
    leaders: firestoreLeaderStore(database),
    estimateStore: firestoreEstimateStore(database),
    apiKeys: firestoreApiKeyStore(database),
    accounts: firestoreAccountStore(database),
    close: database.close,
  };
}
