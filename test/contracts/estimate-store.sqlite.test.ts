/** `EstimateStore` on SQLite. */
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { estimateStoreContract } from './estimate-store.ts';

estimateStoreContract('SQLite', async () => sqliteStores(systemClock()));
