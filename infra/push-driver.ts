/**
 * What a push subscription does, with a concurrency of our own: the emulator pushes two messages at a time. Pulls from
 * the doorbells' subscription and posts each message to the worker as a raw push; a 2xx that Pub/Sub takes for an
 * acknowledgement acknowledges, anything else refuses. Makes topics and subscriptions again after the emulator lost them.
 */
import { type Message, PubSub, type Subscription } from '@google-cloud/pubsub';
import { PUBSUB_CHANNEL } from '../shared/adapters/pubsub-client.ts';

export type PushDriverOptions = {
  projectId: string;
  /** Absent on Google Cloud. */
  emulatorHost: string | undefined;
  topic: string;
  /** Topics that are made with it, and again. */
  topicsBeside?: readonly string[];
  pushUrl: string;
  concurrency: number;
  /** After this many refusals a message goes to the dead letters; Pub/Sub takes 5 to 100. `never`: it comes for ever. */
  deliveriesMost?: number | 'never';
  onProblem: (sentence: string) => void;
  /** Hears how each delivery was answered; 0 where it was not. */
  onAnswered?: (message: Message, status: number) => void;
};

export type PushDriver = {
  /** How many messages were delivered, how many of them acknowledged, and how many not for the first time. */
  counts(): { delivered: number; acknowledged: number; redelivered: number };
  stop(): Promise<void>;
};

const ACKNOWLEDGED = new Set([102, 200, 201, 202, 204]);
const ACK_DEADLINE_SECONDS = 600;
const RETRY_POLICY = { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 600 } };

/** Makes the topic, its dead-letter topic and the subscription, and starts delivering. */
export async function startPushDriver(options: PushDriverOptions): Promise<PushDriver> {
  const { projectId, emulatorHost } = options;
  const emulator = emulatorHost === undefined ? {} : { apiEndpoint: emulatorHost, emulatorMode: true };
  const client = new PubSub({ projectId, ...emulator, ...PUBSUB_CHANNEL });
  const counts = { delivered: 0, acknowledged: 0, redelivered: 0 };
  let stopped = false;
  await createAll(client, options);
  let subscription = open();

  function open(): Subscription {
    const opened = client.subscription(`${options.topic}-worker`, {
      flowControl: { maxMessages: options.concurrency, allowExcessMessages: false },
    });
    opened.on('message', (message: Message) => void deliver(message));
    opened.on('error', (error) => void reopen(error));
    return opened;
  }

  async function deliver(message: Message): Promise<void> {
    counts.delivered += 1;
    if (message.deliveryAttempt > 1) counts.redelivered += 1;
    const answered = await post(options.pushUrl, message).catch(() => 0);
    options.onAnswered?.(message, answered);
    if (ACKNOWLEDGED.has(answered)) {
      counts.acknowledged += 1;
      message.ack();
    } else message.nack();
  }

  async function reopen(error: Error): Promise<void> {
    if (stopped) return;
    options.onProblem(`Pub/Sub: ${error.message.split('\n')[0]}; opening the subscription again`);
    await subscription.close().catch(() => undefined);
    while (!stopped) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const made = await createAll(client, options).then(
        () => true,
        () => false,
      );
      if (made) {
        if (!stopped) subscription = open();
        return;
      }
    }
  }

  return {
    counts: () => ({ ...counts }),
    async stop() {
      stopped = true;
      await subscription.close().catch(() => undefined);
      await client.close().catch(() => undefined);
    },
  };
}

async function post(url: string, message: Message): Promise<number> {
  const body = {
    subscription: 'projects/demo/subscriptions/worker',
    message: {
      data: message.data.toString('base64'),
      messageId: message.id,
      publishTime: message.publishTime.toISOString(),
      attributes: message.attributes,
    },
    deliveryAttempt: message.deliveryAttempt,
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ACK_DEADLINE_SECONDS * 1_000),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Where the messages of a topic go that were refused too often. */
export function deadLettersOf(topic: string): string {
  return `${topic}-dead-letters`;
}

async function createAll(
  client: PubSub,
  { topic, topicsBeside = [], deliveriesMost = 20 }: PushDriverOptions,
): Promise<void> {
  for (const name of [topic, ...topicsBeside]) await client.createTopic(name).catch(unlessThere);
  const policy = { ackDeadlineSeconds: ACK_DEADLINE_SECONDS, retryPolicy: RETRY_POLICY };
  if (deliveriesMost === 'never') {
    await client.createSubscription(topic, `${topic}-worker`, policy).catch(unlessThere);
    return;
  }
  await client.createTopic(deadLettersOf(topic)).catch(unlessThere);
  const deadLetterPolicy = {
    deadLetterTopic: client.topic(deadLettersOf(topic)).name,
    maxDeliveryAttempts: deliveriesMost,
  };
  await client.createSubscription(topic, `${topic}-worker`, { ...policy, deadLetterPolicy }).catch(unlessThere);
}

function unlessThere(error: { code?: number }): void {
  const ALREADY_EXISTS = 6;
  if (error.code !== ALREADY_EXISTS) throw error;
}
