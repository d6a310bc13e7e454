/** Everything that the adapters can ask of Firestore, and write to it, asked and written once, by a recorder's account. */
import { firestoreAccountStore } from '../../shared/adapters/firestore-account-store.ts';
import { firestoreApiKeyStore } from '../../shared/adapters/firestore-api-key-store.ts';
import { firestoreChunkStore } from '../../shared/adapters/firestore-chunk-store.ts';
import { firestoreEstimateStore } from '../../shared/adapters/firestore-estimate-store.ts';
import { firestoreJobStore } from '../../shared/adapters/firestore-job-store.ts';
import { firestoreLeaderStore } from '../../shared/adapters/firestore-leader-store.ts';
import { firestorePartStore } from '../../shared/adapters/firestore-part-store.ts';
import { JOB_FIELDS } from '../../shared/adapters/firestore-queries.ts';
import { newAccount } from '../../shared/core/accounts.ts';
import type { ApiKey } from '../../shared/core/api-keys.ts';
import type { JobQuery, UsageQuery } from '../../shared/core/ports.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { type FirestoreRecorder, firestoreRecorder } from './firestore-recorder.ts';

const TENANT = 'acme';
const KEY = { tenant: TENANT, id: 'id' };
const SHARDS = 16;

/** What a list can be narrowed to; each goes with each. */
const LIST_FILTERS: Required<Omit<JobQuery, 'tenant' | 'user' | 'after' | 'limit' | 'offset'>> = {
  ...{ state: 'failed', jobType: 'general_llm_request', modelId: 'm', tag: 't', arm: 'tone/short' },
  ...{ questionId: 'q', projectId: 'p', batchId: 'b', createdAfter: 1, createdBefore: 9 },
};
/** What it can be narrowed to while it is followed. */
const { createdAfter: _, createdBefore: __, ...FOLLOWED_FILTERS } = LIST_FILTERS;
/** What usage is summed up by: one of them, or none. */
const USAGE_KINDS: Required<Omit<UsageQuery, 'tenant' | 'user' | 'createdFrom' | 'createdTo'>> = {
  ...{ jobType: 'general_llm_request', modelId: 'm', arm: 'tone/short' },
};
const OWNERS = [{ tenant: TENANT }, { tenant: TENANT, user: 'ada' }];

export async function askEverything(): Promise<FirestoreRecorder> {
  const recorder = firestoreRecorder();
  await askOfJobs(recorder);
  await askOfTheRest(recorder);
  recorder.writes.push({ collection: 'jobs', fields: [...JOB_FIELDS, 'input'] });
  return recorder;
}

async function askOfJobs({ database }: FirestoreRecorder): Promise<void> {
  const store = firestoreJobStore(database, { wakeShards: SHARDS });
  for (const owner of OWNERS) {
    for (const filters of subsets(LIST_FILTERS)) {
      await store.list({ ...owner, ...filters, limit: 20, offset: 0 });
      await store.list({ ...owner, ...filters, after: { createdAt: 5, id: 'id' }, limit: 20, offset: 0 });
    }
    for (const filters of subsets(FOLLOWED_FILTERS)) store.watchList({ ...owner, ...filters, limit: 51 }, () => {})();
    for (const kind of [{}, ...each(USAGE_KINDS)])
      await store.usage({ ...owner, ...kind, createdFrom: 1, createdTo: 9 });
    await store.countByState({ ...owner, batchId: 'b' }, 5);
    await store.arms(owner, 2);
  }
  await store.due(5, 100);
  await store.parked(TENANT, ['*', 'gpt-4o-mini'], 100);
  store.watchCancels('instance', () => {})();
  store.watch(KEY, () => {})();

  const amounts = { tokens: 1, nanoUsd: 1 };
  const hold = { ...amounts, day: '2025-01-18' };
  const account = newAccount({ tenant: TENANT, user: 'ada' }, { subscription: 'active' });
  const settled = { user: 'ada', day: hold.day, released: amounts, charged: amounts };
  const seen = { running: {}, expired: [], waiting: [], revision: undefined };
  await store.create(sampleJob(), { prompt: 'Hello.' });
  await store.update(
    KEY,
    '1.0',
    { hold },
    { account: { user: 'ada', hold, seen: { account, revision: '1.0', readAtMs: 5 } } },
  );
  await store.update(KEY, '1.0', { slotUntil: 9 }, { slot: { take: 'gpt-4o-mini', seen } });
  await store.update(KEY, '1.0', { cancelFor: 'instance', cancelRequestedAt: 5 });
  await store.update(KEY, '1.0', { settled, slotUntil: undefined }, { slot: { waitFor: '*' } });
}

async function askOfTheRest({ database }: FirestoreRecorder): Promise<void> {
  const chunks = firestoreChunkStore(database);
  await chunks.put(KEY, { attempt: 1, n: 1, text: 'Hello.' }, 9);
  await chunks.list(KEY, 1, 0);
  chunks.watch(KEY, 1, 0, () => {})();
  await chunks.remove(KEY);

  const parts = firestorePartStore(database);
  const set = { ...KEY, set: 'input' };
  await parts.put(set, { n: 1, text: 'Hello.', deleteAt: 9, checkAt: 5 });
  await parts.check(set, 5);
  await parts.unchecked(5, 100);
  await parts.remove(set);
  await parts.remove(KEY);

  const leaders = firestoreLeaderStore(database);
  const leader = { tenant: TENANT, key: 'key' };
  await leaders.lead(leader, 'id', { deleteAt: 9 });
  await leaders.remove(leader, '');

  const estimates = firestoreEstimateStore(database);
  await estimates.put({ tenant: TENANT, jobType: 'general_llm_request', modelId: 'm' }, { usualMs: 1, jobs: 1 });

  const keys = firestoreApiKeyStore(database);
  const names: Pick<ApiKey, 'id' | 'hash' | 'name' | 'tenant' | 'user'> = {
    id: '0',
    hash: '00',
    name: 'n',
    tenant: TENANT,
    user: 'ada',
  };
  await keys.create({ ...names, scopes: [], createdAt: 1, expiresAt: 9 });
  await keys.list();
  await keys.list(TENANT);
  await keys.revoke('0', 5);
  await keys.touch('00', 5);

  const accounts = firestoreAccountStore(database);
  const key = { tenant: TENANT, user: 'ada' };
  await accounts.put(key, { subscription: 'active', budget: { nanoUsd: 1, period: 'day' } });
  await accounts.grant(key, { id: 'g', tokens: 1 });
}

function each<T extends object>(all: T): Partial<T>[] {
  return Object.entries(all).map(([name, value]) => ({ [name]: value }) as Partial<T>);
}

function subsets<T extends object>(all: T): Partial<T>[] {
  let some: Partial<T>[] = [{}];
  for (const one of each(all)) some = some.concat(some.map((set) => ({ ...set, ...one })));
  return some;
}
