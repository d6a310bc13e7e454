/** What follows the end of a job, whoever ended it. */
import { describeError } from './errors.ts';
import { isTerminal, type Job } from './job.ts';
import { awaitedAs, isShared } from './leading.ts';
import type { ChunkStore, Clock, JobQueue, JobStore, Log } from './ports.ts';
import { ringDoorbell } from './ring.ts';

export type AftermathOptions = { store: JobStore; chunks: ChunkStore; queue: JobQueue; clock: Clock; log: Log };

/** The others are rung by the sweeper. */
const RUNG_MOST = 500;

/**
 * To be called with a job that was written a moment ago; does nothing where it is not over, and nothing was removed of it.
 * Never throws: what cannot be done now time does.
 */
export async function afterEnd(options: AftermathOptions, job: Job): Promise<void> {
  await Promise.all([forgetChunks(options, job), ringFollowers(options, job)]);
}

/** What came of a deleted job's text after its delete goes: its holder wrote on until it heard of it. */
async function forgetChunks({ chunks, log }: AftermathOptions, job: Job): Promise<void> {
  if (!job.stream || (job.deletedAt === undefined && job.payloadsRemovedAt === undefined)) return;
  await chunks.remove(job).catch((error: unknown) => {
    log('warning', 'chunks-unremoved', { job_id: job.id, error: describeError(error) });
  });
}

/** Whoever waits for the answer of a job that is over has it now, or makes one. One read where nobody can. */
export async function ringFollowers(options: Omit<AftermathOptions, 'chunks'>, job: Job): Promise<void> {
  if (!isTerminal(job.state) || !isShared(job) || job.answerOf) return;
  try {
    const followers = await options.store.parked(job.tenant, [awaitedAs(job.id)], RUNG_MOST);
    await Promise.all(followers.map((found) => ringDoorbell(options, found.job)));
  } catch (error) {
    options.log('warning', 'followers-unrung', { job_id: job.id, error: describeError(error) });
  }
}
