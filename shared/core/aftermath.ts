/** What follows the end of a job, whoever ended it. */
import { describeError } from './errors.ts';
import { isTerminal, type Job } from './job.ts';
import { awaitedAs, hasOwnAnswer, isShared } from './leading.ts';
import type { ChunkStore, Clock, JobQueue, JobStore, Log } from './ports.ts';
import { ringDoorbell } from './ring.ts';

export type AftermathOptions = { store: JobStore; chunks: ChunkStore; queue: JobQueue; clock: Clock; log: Log };

/** The others are rung by the sweeper. */
const RUNG_MOST = 500;
/** One of these leads next, should not all of them be gone meanwhile; its end rings the others. */
const NEXT_MOST = 3;

/**
 * To be called with a job that was written a moment ago; does nothing where it is not over, and nothing was removed of it.
 * Never throws: what cannot be done now time does.
 */
export async function afterEnd(options: AftermathOptions, job: Job): Promise<void> {
  await Promise.all([cleanUpAfter(options, job), haveTold(options, job)]);
}

/** The same, by a worker that tells others itself. */
export async function cleanUpAfter(options: AftermathOptions, job: Job): Promise<void> {
  await Promise.all([forgetChunks(options, job), ringFollowers(options, job)]);
}

/** Its doorbell brings a worker that tells others of the end. Never throws. */
export async function haveTold(options: Omit<AftermathOptions, 'store' | 'chunks'>, job: Job): Promise<void> {
  if (job.outbox && isTerminal(job.state)) await ringDoorbell(options, job);
}

/** What came of a deleted job's text after its delete goes: its holder wrote on until it heard of it. */
async function forgetChunks({ chunks, log }: AftermathOptions, job: Job): Promise<void> {
  if (!job.stream || (job.deletedAt === undefined && job.payloadsRemovedAt === undefined)) return;
  await chunks.remove(job).catch((error: unknown) => {
    log('warning', 'chunks-unremoved', { job_id: job.id, error: describeError(error) });
  });
}

/**
 * Whoever waits for the answer of a job that is over, or deleted, has it now; where there is none, some of them are enough to
 * make one. One read where nobody waits, two after a failure.
 */
export async function ringFollowers(options: Omit<AftermathOptions, 'chunks'>, job: Job): Promise<void> {
  const { tenant, id, leads, deletedAt } = job;
  const isEnd = isTerminal(job.state) || deletedAt !== undefined;
  if (!isEnd || !isShared(job) || job.answerOf) return;
  const waiting = (names: string[], most: number) => options.store.parked(tenant, names, most);
  const [own, all] = [awaitedAs({ id }), awaitedAs(job)];
  try {
    const found = hasOwnAnswer(job)
      ? [waiting([own, all], RUNG_MOST)]
      : [waiting([own], RUNG_MOST), leads === undefined ? [] : waiting([all], NEXT_MOST)];
    const followers = (await Promise.all(found)).flat();
    await Promise.all(followers.map((follower) => ringDoorbell(options, follower.job)));
  } catch (error) {
    options.log('warning', 'followers-unrung', { job_id: id, error: describeError(error) });
  }
}
