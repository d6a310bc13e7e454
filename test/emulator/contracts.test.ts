/** The port suites on Firestore's emulator. */
import { firestoreJobStore } from '../../shared/adapters/firestore-job-store.ts';
import { jobStoreContract } from '../contracts/job-store.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';

describeOnEmulators('contracts', () => {
  jobStoreContract('Firestore', async () => {
    const { projectId, firestoreEmulatorHost } = emulatorConfig();
    const store = firestoreJobStore({
      projectId,
      databaseId: '(default)',
      emulatorHost: firestoreEmulatorHost,
      deadlineMs: 5_000,
      wakeShards: 16,
    });
    return { store, close: () => store.close() };
  });
});
