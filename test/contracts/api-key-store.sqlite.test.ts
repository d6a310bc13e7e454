/** `ApiKeyStore` on SQLite. */
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { apiKeyStoreContract } from './api-key-store.ts';

apiKeyStoreContract('SQLite', async () => sqliteStores(systemClock()));
