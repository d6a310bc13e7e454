/** A world on Firestore's and Pub/Sub's emulators through the real clients, in real time, in a project of its own. */
import { PubSub } from '@google-cloud/pubsub';
import { pubsubClient } from '../../shared/adapters/pubsub-client.ts';
import { pubsubJobQueue } from '../../shared/adapters/pubsub-job-queue.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { emulatorConfig } from '../support/emulators.ts';
import { firestoreStores } from '../support/stores.ts';
import type { Open } from './world.ts';
import { worldOn } from './world-on.ts';

const LEASE_MS = 2_000;
const DEADLINE_MS = 5_000;
const WAKE_SHARDS = 16;

export const openEmulatorWorld: Open = async (options = {}) => {
  const {
    projectId,
    firestoreEmulatorHost,
    jobsTopic: topic,
    pubsubEmulatorHost: emulatorHost = '',
  } = emulatorConfig();
  const stores = firestoreStores({ projectId, emulatorHost: firestoreEmulatorHost, wakeShards: WAKE_SHARDS });
  const { store } = stores;
  const publisher = pubsubClient({ projectId, emulatorHost, deadlineMs: DEADLINE_MS });
  const queue = pubsubJobQueue(publisher, topic);
  const client = new PubSub({ projectId, apiEndpoint: emulatorHost, emulatorMode: true });
  // The first call opens the connection: not within a lease of a scenario.
  await Promise.all([client.createTopic(topic), store.get({ tenant: 'default', id: crypto.randomUUID() })]);
  await client.close();
  return worldOn(
    {
      ...{ isVirtual: false, clock: systemClock(), ...stores, queue, leaseMs: options.leaseMs ?? LEASE_MS },
      // Nobody waits for real pauses; those that a provider asks for are as they are.
      retry: { pausesMs: [20, 20, 20, 20], jitter: 'none' },
      wakeShards: WAKE_SHARDS,
      pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      until: (promise) => promise,
      async close() {
        await Promise.all([stores.close(), publisher.close()]);
      },
    },
    options,
  );
};
