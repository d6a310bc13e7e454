/**
 * `JobQueue` on Pub/Sub: publishing only. A push subscription, which the deployment owns, brings each message to the
 * worker function. The sweeper is the retry.
 */
import { ServiceError } from '../core/errors.ts';
import type { JobQueue } from '../core/ports.ts';
import { type PubsubClient, traced } from './pubsub-client.ts';

export function pubsubJobQueue(client: PubsubClient, topic: string): JobQueue {
  return {
    async publish({ tenant, id, traceparent }) {
      try {
        await client.publish(topic, { data: JSON.stringify({ tenant, job_id: id }), attributes: traced(traceparent) });
      } catch (cause) {
        throw new ServiceError('store_unavailable', 'The doorbell may not have been published.', { cause });
      }
    },
  };
}
