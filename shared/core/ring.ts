/** Ringing a doorbell: a publish that is waited for a while, and may fail. */
import type { JobKey } from './job.ts';
import { type Clock, type JobQueue, type Log, sleep } from './ports.ts';

/** Nobody waits longer for a publish; what it did not do by then, the sweeper does. */
const PUBLISH_WAIT_MS = 2_000;

/** A doorbell that can't be published is not an error: the document is the truth, and the sweeper rings again. */
export async function ringDoorbell(
  { queue, clock, log }: { queue: JobQueue; clock: Clock; log: Log },
  { tenant, id }: JobKey,
): Promise<void> {
  const waited = new AbortController();
  const published = queue.publish({ tenant, id }).catch((error: unknown) => {
    log('warning', 'doorbell-unpublished', { job_id: id, error: String(error) });
  });
  await Promise.race([published, sleep(clock, PUBLISH_WAIT_MS, waited.signal)]);
  waited.abort();
}
