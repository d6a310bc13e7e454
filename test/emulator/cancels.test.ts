/** What a cancel leaves on Firestore beside the job: a document for its holder, with that commit alone. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FirestoreDatabase, firestoreDatabase } from '../../shared/adapters/firestore-database.ts';
import { fromFields } from '../../shared/adapters/firestore-document.ts';
import { firestoreJobStore } from '../../shared/adapters/firestore-job-store.ts';
import { type Job, type JobChanges, jobName } from '../../shared/core/job.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';

const THEN = 1_700_000_000_000;
const A_DAY_LATER = THEN + 86_400_000;

describeOnEmulators('cancels beside their jobs', () => {
  let database: FirestoreDatabase;
  beforeAll(() => {
    const { projectId, firestoreEmulatorHost: emulatorHost } = emulatorConfig();
    database = firestoreDatabase({ projectId, emulatorHost, databaseId: '(default)', deadlineMs: 20_000 });
  });
  afterAll(() => database?.close());

  const store = () => firestoreJobStore(database, { wakeShards: 16 });

  async function revisionOf(job: Job): Promise<string> {
    return (await store().get(job))?.revision ?? '';
  }

  async function changed(job: Job, changes: JobChanges): Promise<void> {
    expect(await store().update(job, await revisionOf(job), changes)).toHaveProperty('written');
  }

  async function beside(job: Job): Promise<object | undefined> {
    const [found] = await database.read([`${database.root}/cancels/${jobName(job)}`]);
    return found && fromFields(found.document.fields ?? {});
  }

  test('only a cancel that is for somebody leaves one, in the place of the one before', async () => {
    const job = sampleJob();
    await store().create(job, 1);
    await changed(job, { version: 2, holder: 'worker-1' });
    await changed(job, { version: 3, cancelRequestedAt: THEN });
    expect(await beside(job)).toBeUndefined();
    await changed(job, { cancelFor: 'worker-1', cancelRequestedAt: THEN });
    expect(await beside(job)).toEqual({ instance: 'worker-1', deleteAt: A_DAY_LATER });
    await changed(job, { cancelFor: 'worker-2', cancelRequestedAt: THEN + 5 });
    expect(await beside(job)).toEqual({ instance: 'worker-2', deleteAt: A_DAY_LATER + 5 });
    // The job is over: nobody has to be told any more, and nothing is written for it.
    await changed(job, { cancelFor: undefined, state: 'cancelled' });
    expect(await beside(job)).toEqual({ instance: 'worker-2', deleteAt: A_DAY_LATER + 5 });
    expect((await store().get(job))?.job).not.toHaveProperty('cancelFor');
  });

  test('each that is written is told, also over one for the same worker', async () => {
    const [job, instance] = [sampleJob(), crypto.randomUUID()];
    await store().create(job, 1);
    const heard: string[] = [];
    const stop = store().watchCancels(instance, ({ id }) => heard.push(id));
    for (const times of [1, 2]) {
      await changed(job, { cancelFor: instance, cancelRequestedAt: THEN + times });
      await expect.poll(() => heard, { timeout: 30_000 }).toEqual(Array(times).fill(job.id));
    }
    stop();
  });

  test('a cancel of a job that has changed, or is not there, leaves none', async () => {
    const job = sampleJob();
    await store().create(job, 1);
    const old = await revisionOf(job);
    await changed(job, { version: 2 });
    const cancel = { cancelFor: 'worker-1', cancelRequestedAt: THEN };
    expect(await store().update(job, old, cancel)).toEqual({ refused: 'changed' });
    const missing = sampleJob();
    expect(await store().update(missing, old, cancel)).toHaveProperty('refused');
    expect([await beside(job), await beside(missing)]).toEqual([undefined, undefined]);
  });
});
