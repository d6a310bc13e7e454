/** The port suites on Firestore's and Pub/Sub's emulators. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PubSub } from '@google-cloud/pubsub';
import { type PushDriver, startPushDriver } from '../../infra/push-driver.ts';
import { pubsubClient } from '../../shared/adapters/pubsub-client.ts';
import { pubsubJobQueue } from '../../shared/adapters/pubsub-job-queue.ts';
import type { JobKey } from '../../shared/core/job.ts';
import { decodeDoorbell } from '../../shared/http/push.ts';
import { accountStoreContract } from '../contracts/account-store.ts';
import { apiKeyStoreContract } from '../contracts/api-key-store.ts';
import { chunkStoreContract } from '../contracts/chunk-store.ts';
import { estimateStoreContract } from '../contracts/estimate-store.ts';
import { DELIVERIES_MOST, jobQueueContract, type Take } from '../contracts/job-queue.ts';
import { jobStoreContract } from '../contracts/job-store.ts';
import { jobStoreAccountsContract } from '../contracts/job-store-accounts.ts';
import { jobListContract } from '../contracts/job-store-lists.ts';
import { jobStoreNoticesContract } from '../contracts/job-store-notices.ts';
import { jobPairContract } from '../contracts/job-store-pairs.ts';
import { jobStoreSlotsContract } from '../contracts/job-store-slots.ts';
import { jobUsageContract } from '../contracts/job-store-usage.ts';
import { jobStoreWatchingContract } from '../contracts/job-store-watching.ts';
import { leaderStoreContract } from '../contracts/leader-store.ts';
import { partStoreContract } from '../contracts/part-store.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { firestoreStores } from '../support/stores.ts';

describeOnEmulators('contracts', () => {
  const openStores = async () => {
    const { projectId, firestoreEmulatorHost } = emulatorConfig();
    // The first call opens the connection, and the emulator may be as young.
    return firestoreStores({ projectId, emulatorHost: firestoreEmulatorHost, deadlineMs: 20_000 });
  };
  jobStoreContract('Firestore', openStores);
  jobListContract('Firestore', openStores);
  jobStoreSlotsContract('Firestore', openStores);
  jobStoreNoticesContract('Firestore', openStores);
  jobStoreAccountsContract('Firestore', openStores);
  jobStoreWatchingContract('Firestore', openStores);
  jobUsageContract('Firestore', openStores);
  jobPairContract('Firestore', openStores);
  chunkStoreContract('Firestore', openStores);
  partStoreContract('Firestore', openStores);
  leaderStoreContract('Firestore', openStores);
  estimateStoreContract('Firestore', openStores);
  apiKeyStoreContract('Firestore', openStores);
  accountStoreContract('Firestore', openStores);

  jobQueueContract('Pub/Sub, through the push driver', async () => {
    const { projectId, jobsTopic: topic, pubsubEmulatorHost: emulatorHost = '' } = emulatorConfig();
    const publisher = pubsubClient({ projectId, emulatorHost, deadlineMs: 5_000 });
    const queue = pubsubJobQueue(publisher, topic);
    const client = new PubSub({ projectId, apiEndpoint: emulatorHost, emulatorMode: true });
    await client.createTopic(topic);
    await client.createTopic(`${topic}-dead-letters`);
    const [dead] = await client.createSubscription(`${topic}-dead-letters`, 'dead');
    const buried: JobKey[] = [];
    dead.on('message', (message) => {
      const doorbell = decodeDoorbell({ message: { data: message.data.toString('base64') } });
      if (doorbell) buried.push(doorbell);
      message.ack();
    });

    let take: Take = async () => false;
    const worker = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', async () => {
        const doorbell = decodeDoorbell(JSON.parse(Buffer.concat(chunks).toString()));
        const acknowledged = doorbell !== undefined && (await take(doorbell).catch(() => false));
        response.writeHead(acknowledged ? 204 : 503).end();
      });
    });
    await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve));
    const pushUrl = `http://127.0.0.1:${(worker.address() as AddressInfo).port}`;

    let driver: PushDriver | undefined;
    const end = async () => {
      worker.closeAllConnections();
      await driver?.stop();
      driver = undefined;
    };
    return {
      queue,
      async consume(taker) {
        take = taker;
        driver = await startPushDriver({
          projectId,
          emulatorHost,
          topic,
          pushUrl,
          concurrency: 10,
          deliveriesMost: DELIVERIES_MOST,
          onProblem: () => {},
        });
      },
      restart: end,
      deadLetters: async () => buried,
      async close() {
        await end();
        await dead.close();
        await Promise.all([publisher.close(), client.close()]);
        worker.close();
      },
    };
  });
});
