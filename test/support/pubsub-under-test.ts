/** The queue and the events topic on Pub/Sub, for their suites: on topics of their own, which are removed after. */

import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { PubSub, type Subscription } from '@google-cloud/pubsub';
import { deadLettersOf, type PushDriver, startPushDriver } from '../../infra/push-driver.ts';
import { pubsubClient } from '../../shared/adapters/pubsub-client.ts';
import { pubsubEventsTopic } from '../../shared/adapters/pubsub-events-topic.ts';
import { pubsubJobQueue } from '../../shared/adapters/pubsub-job-queue.ts';
import type { JobKey } from '../../shared/core/job.ts';
import { decodeDoorbell } from '../../shared/http/push.ts';
import type { Received, TopicUnderTest } from '../contracts/events-topic.ts';
import { DELIVERIES_MOST, type QueueUnderTest, type Take } from '../contracts/job-queue.ts';

/** `emulatorHost` is absent on Google Cloud, where Pub/Sub's own agent, `deadLetterAgent`, has to be let in. */
export type PubsubUnderTest = {
  projectId: string;
  emulatorHost: string | undefined;
  deadLetterAgent?: string | undefined;
};

const newName = () => `llm-jobs-test-${crypto.randomUUID().slice(0, 8)}`;

/** The queue through the push driver, which pulls, as nobody can push to this machine. */
export async function openPubsubQueue(options: PubsubUnderTest): Promise<QueueUnderTest> {
  const { projectId, emulatorHost, deadLetterAgent } = options;
  const topic = newName();
  const publisher = pubsubClient({ projectId, emulatorHost, deadlineMs: 5_000 });
  const client = openClient(options);
  await client.createTopic(topic);
  const [deadLetters] = await client.createTopic(deadLettersOf(topic));
  const [dead] = await deadLetters.createSubscription(`${topic}-dead`);
  const buried: JobKey[] = [];
  dead.on('message', (message) => {
    const doorbell = decodeDoorbell({ message: { data: message.data.toString('base64') } });
    if (doorbell) buried.push(doorbell);
    message.ack();
  });

  let take: Take = async () => false;
  const worker = createHttpServer((request, response) => {
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
    queue: pubsubJobQueue(publisher, topic),
    async consume(taker) {
      take = taker;
      const deliveriesMost = DELIVERIES_MOST;
      const concurrency = 10;
      const to = { projectId, emulatorHost, topic, pushUrl };
      driver = await startPushDriver({ ...to, concurrency, deliveriesMost, onProblem: () => {} });
      if (deadLetterAgent === undefined) return;
      await letIn(deadLetters.iam, 'roles/pubsub.publisher', deadLetterAgent);
      await letIn(client.subscription(`${topic}-worker`).iam, 'roles/pubsub.subscriber', deadLetterAgent);
    },
    restart: end,
    deadLetters: async () => buried,
    async close() {
      await end();
      await dead.close();
      const made = [dead, client.subscription(`${topic}-worker`), deadLetters, client.topic(topic)];
      for (const one of made) await one.delete().catch(unlessGone);
      await Promise.all([publisher.close(), client.close()]);
      worker.close();
    },
  };
}

const DEADLINE_MS = 2_000;

/** The topic of events, one that nobody made, and one behind something that takes connections and is silent. */
export async function openEventsTopic(options: PubsubUnderTest): Promise<TopicUnderTest> {
  const { projectId, emulatorHost } = options;
  const name = newName();
  const client = openClient(options);
  const [topic] = await client.createTopic(name);
  const publisher = pubsubClient({ projectId, emulatorHost, deadlineMs: DEADLINE_MS });
  // The suite's deadline is for a publish, not for opening the first connection.
  await publisher.warm();
  const { host, close } = await somethingSilent();
  const nobody = pubsubClient({ projectId, emulatorHost: host, deadlineMs: DEADLINE_MS });
  const subscriptions: Subscription[] = [];
  return {
    topic: pubsubEventsTopic(publisher, name),
    missing: pubsubEventsTopic(publisher, newName()),
    unreachable: pubsubEventsTopic(nobody, name),
    deadlineMs: DEADLINE_MS,
    async subscribe() {
      const [subscription] = await topic.createSubscription(newName());
      subscriptions.push(subscription);
      const received: Received[] = [];
      subscription.on('message', (message) => {
        received.push({ data: message.data.toString(), attributes: message.attributes });
        message.ack();
      });
      return () => received;
    },
    async close() {
      for (const subscription of subscriptions) await subscription.close();
      for (const one of [...subscriptions, topic]) await one.delete().catch(unlessGone);
      await Promise.all([client.close(), publisher.close(), nobody.close(), close()]);
    },
  };
}

function openClient({ projectId, emulatorHost }: PubsubUnderTest): PubSub {
  return emulatorHost === undefined
    ? new PubSub({ projectId })
    : new PubSub({ projectId, apiEndpoint: emulatorHost, emulatorMode: true });
}

async function letIn(iam: Subscription['iam'], role: string, serviceAccount: string): Promise<void> {
  const [{ etag, bindings }] = await iam.getPolicy();
  const more = { role, members: [`serviceAccount:${serviceAccount}`] };
  await iam.setPolicy({ etag, bindings: [...(bindings ?? []), more] } as Parameters<typeof iam.setPolicy>[0]);
}

function unlessGone(error: { code?: number }): void {
  const NOT_FOUND = 5;
  if (error.code !== NOT_FOUND) throw error;
}

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
