/** `AccountStore` on SQLite. */
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { accountStoreContract } from './account-store.ts';

accountStoreContract('SQLite', async () => sqliteStores(systemClock()));
