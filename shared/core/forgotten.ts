/** What comes of a deleted job's text after its delete: its holder wrote on until it heard of it. */
import { describeError } from './errors.ts';
import type { Job } from './job.ts';
import type { ChunkStore, Log } from './ports.ts';

/** Removes the chunks of a job whose payloads were removed; what cannot be removed now goes by itself later. Never throws. */
export async function forgetChunks({ chunks, log }: { chunks: ChunkStore; log: Log }, job: Job): Promise<void> {
  if (!job.stream || (job.deletedAt === undefined && job.payloadsRemovedAt === undefined)) return;
  await chunks.remove(job).catch((error: unknown) => {
    log('warning', 'chunks-unremoved', { job_id: job.id, error: describeError(error) });
  });
}
