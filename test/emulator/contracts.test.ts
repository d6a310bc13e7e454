/** The port suites on Firestore's and Pub/Sub's emulators. */
import { jobQueueContract } from '../contracts/job-queue.ts';
import { storeContracts } from '../contracts/stores.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { openPubsubQueue } from '../support/pubsub-under-test.ts';
import { firestoreStores } from '../support/stores.ts';

/**
 * Once in some thousands of commits Firestore's emulator breaks inside, and says `2 UNKNOWN` without a word more; a port then
 * says that the store gave no answer, as it must.
 */
const whereTheEmulatorBreaks = { count: 2, condition: ({ cause }: { cause?: unknown }) => codeOf(cause) === UNKNOWN };
const UNKNOWN = 2;
const codeOf = (cause: unknown) => (cause as { code?: unknown } | undefined)?.code;

describeOnEmulators('contracts', { retry: whereTheEmulatorBreaks }, () => {
  storeContracts('Firestore', async () => {
    const { projectId, firestoreEmulatorHost } = emulatorConfig();
    // The first call opens the connection, and the emulator may be as young.
    return firestoreStores({ projectId, emulatorHost: firestoreEmulatorHost, deadlineMs: 20_000 });
  });

  jobQueueContract('Pub/Sub, through the push driver', () => {
    const { projectId, pubsubEmulatorHost: emulatorHost } = emulatorConfig();
    return openPubsubQueue({ projectId, emulatorHost });
  });
});
