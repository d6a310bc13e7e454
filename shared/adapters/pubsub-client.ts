/**
 * One connection to Pub/Sub, for publishing only, through the package's low-level publisher: a third of the code of the
 * whole client, which a function has to load before its first job is taken in. One message per publish, no waiting for a
 * batch, one try: whoever publishes has its own way to try again.
 */
import type { v1 } from '@google-cloud/pubsub';

export type PubsubClientOptions = {
  projectId: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
  /** A publish without an answer after this long counts as of unknown fate. */
  deadlineMs: number;
};

export type PubsubMessage = { data: string; attributes?: { [name: string]: string } | undefined };

/**
 * The attribute in which Google's own client carries the trace, too. Any other tracing of that client's is off, and no trace
 * goes through Pub/Sub but in this.
 */
export function traced(traceparent: string | undefined): { [name: string]: string } | undefined {
  return traceparent === undefined ? undefined : { googclient_traceparent: traceparent };
}

export type PubsubClient = {
  /** Resolves when the topic holds the message; throws what the client throws. */
  publish(topic: string, message: PubsubMessage): Promise<void>;
  /** Loads and makes the client, and calls nobody. */
  warm(): Promise<void>;
  close(): Promise<void>;
};

type Client = InstanceType<typeof v1.PublisherClient>;

/** As `firestore-client.ts` says: back soon after an outage, and never on a dead connection for long. */
export const PUBSUB_CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/** Connects on first use. */
export function pubsubClient({ projectId, emulatorHost, deadlineMs }: PubsubClientOptions): PubsubClient {
  let opened: Promise<Client> | undefined;
  const callOptions = { timeout: deadlineMs, retry: { retryCodes: [] } };

  async function open(): Promise<Client> {
    const { PublisherClient } = await import('@google-cloud/pubsub/build/src/v1/publisher_client.js');
    if (!emulatorHost) return new PublisherClient({ projectId, ...PUBSUB_CHANNEL });
    const { grpc } = await import('google-gax');
    const [servicePath = '127.0.0.1', port] = emulatorHost.split(':');
    return new PublisherClient({
      projectId,
      servicePath,
      port: Number(port),
      sslCreds: grpc.credentials.createInsecure(),
      ...PUBSUB_CHANNEL,
    });
  }

  function connect(): Promise<Client> {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  }

  return {
    async publish(topic, { data, attributes }) {
      const client = await connect();
      const message = { data: Buffer.from(data), ...(attributes ? { attributes } : {}) };
      const path = `projects/${projectId}/topics/${topic}`;
      await client.publish({ topic: path, messages: [message] }, callOptions as never);
    },

    async warm() {
      await connect();
    },

    async close() {
      await (await opened)?.close();
    },
  };
}
