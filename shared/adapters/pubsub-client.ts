/**
 * One connection to Pub/Sub, for publishing only. One message per publish, no waiting for a batch, one try: whoever
 * publishes has its own way to try again.
 */
import type { PubSub, Topic } from '@google-cloud/pubsub';

export type PubsubClientOptions = {
  projectId: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
  /** A publish without an answer after this long counts as of unknown fate. */
  deadlineMs: number;
};

export type PubsubMessage = { data: string; attributes?: { [name: string]: string } };

export type PubsubClient = {
  /** Resolves when the topic holds the message; throws what the client throws. */
  publish(topic: string, message: PubsubMessage): Promise<void>;
  close(): Promise<void>;
};

/** As `firestore-channel.ts` says: back soon after an outage, and never on a dead connection for long. */
export const PUBSUB_CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/** Connects on first use. */
export function pubsubClient({ projectId, emulatorHost, deadlineMs }: PubsubClientOptions): PubsubClient {
  const topics = new Map<string, Topic>();
  let opened: Promise<PubSub> | undefined;

  async function open(): Promise<PubSub> {
    const { PubSub } = await import('@google-cloud/pubsub');
    const host = emulatorHost ? { apiEndpoint: emulatorHost, emulatorMode: true } : {};
    return new PubSub({ projectId, ...host, ...PUBSUB_CHANNEL });
  }

  function connect(): Promise<PubSub> {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  }

  function topicOf(client: PubSub, name: string): Topic {
    const topic =
      topics.get(name) ??
      client.topic(name, {
        batching: { maxMessages: 1 },
        gaxOpts: { timeout: deadlineMs, retry: { retryCodes: [] } as never },
      });
    topics.set(name, topic);
    return topic;
  }

  return {
    async publish(topic, { data, attributes }) {
      const client = await connect();
      await topicOf(client, topic).publishMessage({ data: Buffer.from(data), ...(attributes ? { attributes } : {}) });
    },

    async close() {
      await (await opened)?.close();
    },
  };
}
