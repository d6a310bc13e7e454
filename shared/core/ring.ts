/** Ringing a doorbell: a publish that is waited for a while, and may fail. */
import { describeError } from './errors.ts';
import type { Clock, Doorbell, JobQueue, Log } from './ports.ts';
import { within } from './within.ts';

/** Nobody waits longer for a publish; what it did not do by then, the sweeper does. */
const PUBLISH_WAIT_MS = 2_000;

/** A doorbell that can't be published is not an error: the document is the truth, and the sweeper rings again. */
export async function ringDoorbell(
  { queue, clock, log }: { queue: JobQueue; clock: Clock; log: Log },
  { tenant, id, traceparent }: Doorbell,
): Promise<void> {
  const published = queue.publish({ tenant, id, traceparent }).catch((error: unknown) => {
    log('warning', 'doorbell-unpublished', { job_id: id, error: describeError(error) });
  });
  await within(clock, PUBLISH_WAIT_MS, published);
}
