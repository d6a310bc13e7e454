/** `EventsTopic` on Pub/Sub; subscriptions to it are their owners'. The outbox of the job is the retry. */
import { ServiceError } from '../core/errors.ts';
import type { EventsTopic } from '../core/notices.ts';
import { type PubsubClient, traced } from './pubsub-client.ts';

export function pubsubEventsTopic(client: PubsubClient, topic: string): EventsTopic {
  return {
    async publish(data, attributes, traceparent) {
      try {
        await client.publish(topic, { data, attributes: { ...attributes, ...traced(traceparent) } });
      } catch (cause) {
        throw new ServiceError('store_unavailable', 'The event may not have been published.', { cause });
      }
    },
  };
}
