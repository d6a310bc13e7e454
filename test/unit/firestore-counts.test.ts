/**
 * Counts and sums on Firestore: those of a batch, each of which has a time of its own, while jobs move on between them; and
 * what usage asks for.
 */
import { describe, expect, test } from 'vitest';
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

describe('usage', () => {
  const NAMES = ['inputTokens', 'outputTokens', 'cachedInputTokens', 'reasoningTokens', 'nanoUsd', 'estimatedNanoUsd'];

  /** A database in which a count finds so many jobs, and each sum is the length of its field's name. */
  function counting(jobs: number) {
    const asked: { limit: number; fields: readonly string[] }[] = [];
    const database = {
      root: 'projects/p/databases/d/documents',
      async count({ limit }: { limit: { value: number } }) {
        asked.push({ limit: limit.value, fields: [] });
        return jobs;
      },
      async sums({ limit }: { limit: { value: number } }, fields: readonly string[]) {
        asked.push({ limit: limit.value, fields });
        return fields.map((field) => field.length);
      },
    } as unknown as FirestoreDatabase;
    const store = firestoreJobStore(database, { wakeShards: 1 });
    return { asked, usage: () => store.usage({ tenant: 't', createdFrom: 0, createdTo: 1 }) };
  }

  test('of no job is one count', async () => {
    const { asked, usage } = counting(0);
    expect(await usage()).toMatchObject({ jobs: 0, nanoUsd: 0 });
    expect(asked).toEqual([{ limit: 100_000, fields: [] }]);
  });

  test('of any number of jobs is three queries of at most five sums, each over 100,000 jobs at most', async () => {
    const { asked, usage } = counting(99_999);
    const sums = await usage();
    expect(sums).not.toHaveProperty('isTruncated');
    expect(asked.map(({ limit }) => limit)).toEqual([100_000, 100_000, 100_000]);
    expect(asked.map(({ fields }) => fields.length)).toEqual([0, 5, 2]);
    expect(asked.flatMap(({ fields }) => fields)).toEqual([...NAMES, 'unpriced'].map((name) => `spent.${name}`));
    expect(sums).toMatchObject({ inputTokens: 'spent.inputTokens'.length, unpriced: 'spent.unpriced'.length });
  });

  test('says when there may be more than were counted', async () => {
    expect(await counting(100_000).usage()).toMatchObject({ jobs: 100_000, isTruncated: true });
  });
});
