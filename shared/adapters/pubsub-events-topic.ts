/** `EventsTopic` on Pub/Sub. */
import type { EventsTopic } from '../core/notices.ts';
import type { PubsubJobQueueOptions } from './pubsub-job-queue.ts';

export function pubsubEventsTopic(options: PubsubJobQueueOptions): EventsTopic & { close(): Promise<void> } {
  throw new Error(`not built yet: ${options.topic}`);
}
