/** `ChunkStore` on SQLite. */
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { chunkStoreContract } from './chunk-store.ts';

chunkStoreContract('SQLite', async () => sqliteStores(systemClock()));
chunkStoreContract('SQLite, writes grouped', async () => sqliteStores(systemClock(), { isGrouped: true }));
