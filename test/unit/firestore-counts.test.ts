/** The counts of a batch on Firestore, each of which has a time of its own, while jobs move on between them. */
import { expect, test } from 'vitest';
import type { FirestoreDatabase } from '../../shared/adapters/firestore-database.ts';
import { firestoreJobStore } from '../../shared/adapters/firestore-job-store.ts';
import { sleep } from '../../shared/core/ports.ts';
import { virtualClock } from '../support/virtual-clock.ts';

/** How long Firestore takes to look, by what is counted: what comes first in a job's life is looked at last. */
const TAKES_MS: [state: string, ms: number][] = [
  ['pending', 30],
  ['processing', 10],
];

test.each([5, 15, 20, 35, 45])('a job that a worker takes after %d ms is never missed', async (claimedMs) => {
  const clock = virtualClock();
  const startedMs = clock.monotonicMs();
  const count = async (query: unknown) => {
    const counts = (state: string) => JSON.stringify(query).includes(`"stringValue":"${state}"`);
    await sleep(clock, TAKES_MS.find(([state]) => counts(state))?.[1] ?? 0);
    const isClaimed = clock.monotonicMs() - startedMs >= claimedMs;
    return counts(isClaimed ? 'processing' : 'pending') ? 1 : 0;
  };
  const database = { root: 'projects/p/databases/d/documents', count } as unknown as FirestoreDatabase;
  const store = firestoreJobStore(database, { wakeShards: 1 });
  const { pending, processing } = await clock.until(store.countByState({ tenant: 't', batchId: 'b' }, 1));
  expect(pending + processing).toBeGreaterThanOrEqual(1);
});
