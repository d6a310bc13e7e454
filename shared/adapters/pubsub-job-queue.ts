/**
 * `JobQueue` on Pub/Sub: publishing only. A push subscription, which the deployment owns, brings each message to the
 * worker function. One message per publish, no waiting for a batch, one try: the sweeper is the retry.
 */
import type { PubSub, Topic } from '@google-cloud/pubsub';
import { ServiceError } from '../core/errors.ts';
import type { JobQueue } from '../core/ports.ts';

export type PubsubJobQueueOptions = {
  projectId: string;
  topic: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
  /** A publish without an answer after this long counts as of unknown fate. */
  deadlineMs: number;
};

/** As `firestore-channel.ts` says: back soon after an outage, and never on a dead connection for long. */
export const PUBSUB_CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

export function pubsubJobQueue(options: PubsubJobQueueOptions): JobQueue & { close(): Promise<void> } {
  let opened: Promise<{ client: PubSub; topic: Topic }> | undefined;
  const connect = () => {
    opened ??= openTopic(options).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };

  return {
    async publish({ tenant, id }) {
      try {
        const { topic } = await connect();
        await topic.publishMessage({ json: { tenant, job_id: id } });
      } catch (cause) {
        throw new ServiceError('store_unavailable', 'The doorbell may not have been published.', { cause });
      }
    },

    async close() {
      await (await opened)?.client.close();
    },
  };
}

async function openTopic({ projectId, topic, emulatorHost, deadlineMs }: PubsubJobQueueOptions) {
  const { PubSub } = await import('@google-cloud/pubsub');
  const host = emulatorHost ? { apiEndpoint: emulatorHost, emulatorMode: true } : {};
  const client = new PubSub({ projectId, ...host, ...PUBSUB_CHANNEL });
  return {
    client,
    topic: client.topic(topic, {
      batching: { maxMessages: 1 },
      gaxOpts: { timeout: deadlineMs, retry: { retryCodes: [] } as never },
    }),
  };
}
