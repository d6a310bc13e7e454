/** `JobStore` on SQLite. */
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { sqliteStores } from '../support/stores.ts';
import { jobStoreContract } from './job-store.ts';
import { jobStoreAccountsContract } from './job-store-accounts.ts';
import { jobListWatchingContract } from './job-store-list-watching.ts';
import { jobListContract } from './job-store-lists.ts';
import { jobStoreNoticesContract } from './job-store-notices.ts';
import { jobPairContract } from './job-store-pairs.ts';
import { jobStoreSlotsContract } from './job-store-slots.ts';
import { jobUsageContract } from './job-store-usage.ts';
import { jobStoreWatchingContract } from './job-store-watching.ts';

for (const [name, isGrouped] of [
  ['SQLite', false],
  ['SQLite, writes grouped', true],
] as const) {
  const open = async () => sqliteStores(systemClock(), { isGrouped });
  jobStoreContract(name, open);
  jobListContract(name, open);
  jobStoreSlotsContract(name, open);
  jobStoreAccountsContract(name, open);
  jobStoreWatchingContract(name, open);
  jobListWatchingContract(name, open);
  jobUsageContract(name, open);
  jobPairContract(name, open);
  jobStoreNoticesContract(name, open);
}
