/**
 * The suite of `EventsTopic` on Pub/Sub's emulator. No filters: it (0.8.20) keeps the filter of a subscription, also one
 * that is nonsense, and sends everything.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { PubSub } from '@google-cloud/pubsub';
import { pubsubClient } from '../../shared/adapters/pubsub-client.ts';
import { pubsubEventsTopic } from '../../shared/adapters/pubsub-events-topic.ts';
import { eventsTopicContract, type Received } from '../contracts/events-topic.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';

const DEADLINE_MS = 2_000;
const TOPIC = 'llm-jobs-events';

describeOnEmulators('contracts', () => {
  eventsTopicContract("Pub/Sub's emulator", async () => {
    const { projectId, pubsubEmulatorHost: emulatorHost = '' } = emulatorConfig();
    const client = new PubSub({ projectId, apiEndpoint: emulatorHost, emulatorMode: true });
    const [topic] = await client.createTopic(TOPIC);
    const publisher = pubsubClient({ projectId, emulatorHost, deadlineMs: DEADLINE_MS });
    const { host, close } = await somethingSilent();
    const nobody = pubsubClient({ projectId, emulatorHost: host, deadlineMs: DEADLINE_MS });
    return {
      topic: pubsubEventsTopic(publisher, TOPIC),
      missing: pubsubEventsTopic(publisher, 'nobody-made-it'),
      unreachable: pubsubEventsTopic(nobody, TOPIC),
      deadlineMs: DEADLINE_MS,
      async subscribe() {
        const [subscription] = await topic.createSubscription(`s-${crypto.randomUUID()}`);
        const received: Received[] = [];
        subscription.on('message', (message) => {
          received.push({ data: message.data.toString(), attributes: message.attributes });
          message.ack();
        });
        return () => received;
      },
      async close() {
        await Promise.all([client.close(), publisher.close(), nobody.close(), close()]);
      },
    };
  });
});

/** Takes connections, and never says a word. */
async function somethingSilent(): Promise<{ host: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
