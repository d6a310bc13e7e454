/** The port suites on the project, and the database in it, that `npm run test:gcp` names. */
import { writeFileSync } from 'node:fs';
import { afterAll } from 'vitest';
import { eventsTopicContract } from '../contracts/events-topic.ts';
import { jobQueueContract } from '../contracts/job-queue.ts';
import { storeContracts } from '../contracts/stores.ts';
import { openEventsTopic, openPubsubQueue } from '../support/pubsub-under-test.ts';
import { firestoreStores } from '../support/stores.ts';
import { type Counts, counted } from './counted.ts';

const {
  GCP_PROJECT: projectId = '',
  GCP_DATABASE: databaseId = '',
  GCP_PUBSUB_AGENT: deadLetterAgent,
  GCP_COUNTS: countsFile,
  FIRESTORE_EMULATOR_HOST: firestoreHost,
  PUBSUB_EMULATOR_HOST: pubsubHost,
} = process.env;
const pubsub = { projectId, emulatorHost: pubsubHost, deadLetterAgent };

const counts: Counts = { writes: 0, deletes: 0, reads: 0 };
afterAll(() => {
  if (countsFile) writeFileSync(countsFile, JSON.stringify(counts));
});

storeContracts('Firestore', async () =>
  firestoreStores({
    ...{ projectId, databaseId, emulatorHost: firestoreHost, deadlineMs: 20_000 },
    between: (database) => counted(database, counts),
  }),
);
jobQueueContract('Pub/Sub, through the push driver', () => openPubsubQueue(pubsub));
eventsTopicContract('Pub/Sub', () => openEventsTopic(pubsub));
