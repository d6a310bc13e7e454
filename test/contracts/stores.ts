/** All suites of the stores, for databases that are opened by an address. */
import type { Stores } from '../support/stores.ts';
import { accountStoreContract } from './account-store.ts';
import { apiKeyStoreContract } from './api-key-store.ts';
import { chunkStoreContract } from './chunk-store.ts';
import { estimateStoreContract } from './estimate-store.ts';
import { jobStoreContract } from './job-store.ts';
import { jobStoreAccountsContract } from './job-store-accounts.ts';
import { jobListWatchingContract } from './job-store-list-watching.ts';
import { jobListContract } from './job-store-lists.ts';
import { jobStoreNoticesContract } from './job-store-notices.ts';
import { jobPairContract } from './job-store-pairs.ts';
import { jobStoreSlotsContract } from './job-store-slots.ts';
import { jobUsageContract } from './job-store-usage.ts';
import { jobStoreWatchingContract } from './job-store-watching.ts';
import { leaderStoreContract } from './leader-store.ts';
import { partStoreContract } from './part-store.ts';

/** One after the other, on stores that `open` opens. */
export function storeContracts(name: string, open: () => Promise<Stores>): void {
  jobStoreContract(name, open);
  jobListContract(name, open);
  jobStoreSlotsContract(name, open);
  jobStoreNoticesContract(name, open);
  jobStoreAccountsContract(name, open);
  jobStoreWatchingContract(name, open);
  jobListWatchingContract(name, open);
  jobUsageContract(name, open);
  jobPairContract(name, open);
  chunkStoreContract(name, open);
  partStoreContract(name, open);
  leaderStoreContract(name, open);
  estimateStoreContract(name, open);
  apiKeyStoreContract(name, open);
  accountStoreContract(name, open);
}
