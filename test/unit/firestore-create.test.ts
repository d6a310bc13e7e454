/** Creates on Firestore: which of its refusals mean what, of one job alone and of one that another changes with. */
import { expect, test } from 'vitest';
import type { FirestoreDatabase } from '../../shared/adapters/firestore-database.ts';
import { firestoreJobStore } from '../../shared/adapters/firestore-job-store.ts';
import type { JobUpdate } from '../../shared/core/ports.ts';
import { sampleJob } from '../contracts/job-store.ts';

const [NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED] = [5, 6, 9, 10];

/** A Firestore that refuses each commit with this gRPC code. */
function refusing(code: number) {
  let commits = 0;
  const commit = async () => {
    commits += 1;
    throw Object.assign(new Error('refused by the test'), { code });
  };
  const database = { root: 'projects/p/databases/d/documents', commit } as unknown as FirestoreDatabase;
  return { store: firestoreJobStore(database, { wakeShards: 1 }), commits: () => commits };
}

test('a job that is there is no news, whether or not another one changes with it', async () => {
  const { store } = refusing(ALREADY_EXISTS);
  expect(await store.create(sampleJob(), 1)).toEqual({ refused: 'exists' });
  expect(await store.create(sampleJob(), 1, { with: other() })).toEqual({ refused: 'exists' });
});

test.each([NOT_FOUND, FAILED_PRECONDITION, ABORTED])(
  'code %d says that the other one changed, where there is one',
  async (code) => {
    const { store, commits } = refusing(code);
    expect(await store.create(sampleJob(), 1, { with: other() })).toEqual({ refused: 'changed' });
    await expect(store.create(sampleJob(), 1)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(commits()).toBe(2);
  },
);

function other(): JobUpdate {
  const { tenant, id } = sampleJob();
  return { key: { tenant, id }, revision: '1.0', changes: { version: 2 } };
}
