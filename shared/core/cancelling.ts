/** Ending jobs from outside: cancel, and delete. */
import { keyFor, owns, type Principal, type Seen, seenBy } from './access.ts';
import { isServiceError, ServiceError } from './errors.ts';
import { applyChanges, isTerminal, type Job } from './job.ts';
import type { JobWatch } from './job-watch.ts';
import { transition } from './lifecycle.ts';
import type { ChunkStore, JobStore, Log } from './ports.ts';

export type Cancelling = {
  /**
   * Asks for the end of a job, as often as wanted. One that nobody holds is over with the answer; the holder of another
   * one breaks its call off soon after. A job that is over stays as it is. Throws `job_not_found`, or
   * `store_unavailable` when it is not known whether the job was told.
   */
  cancel(principal: Principal, id: string): Promise<Seen>;
  /**
   * Cancels a job and makes it unfindable: input, result, chunks and the caller's own words are removed, and what is left
   * tells what was used. Throws as `cancel` does; repeated after `store_unavailable` it finds nothing, or does the rest.
   */
  remove(principal: Principal, id: string): Promise<Seen>;
};

export type CancellingOptions = { store: JobStore; chunks: ChunkStore; watch: JobWatch; log: Log };

/** A change that meets a newer document is decided again on it, this often at most. */
const TRIES = 5;

export function cancelling({ store, chunks, watch, log }: CancellingOptions): Cancelling {
  async function change(principal: Principal, id: string, type: 'cancel' | 'delete'): Promise<Seen> {
    const key = keyFor(principal, id);
    let cause: unknown;
    /** The instants that our own deletes wrote, if they landed. */
    const deletedAts = new Set<number | undefined>();
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await store.get(key);
      if (found?.job.deletedAt !== undefined && type === 'delete' && owns(principal, found.job)) {
        if (deletedAts.has(found.job.deletedAt)) return watch.offer(found);
        // The delete that made it so may not have come as far as that.
        await removeChunks(found.job);
      }
      const { job, nowMs } = seenBy(principal, found && { job: found.job, nowMs: found.readAtMs });
      if (!found) continue;
      const decision = transition(job, { type, nowMs });
      if (decision.refused === 'unknown-state') {
        const sentence = 'The job was written by a newer version of this service. Try again.';
        throw new ServiceError('store_unavailable', sentence);
      }
      if (decision.refused) return watch.offer(found);
      // Refused, or of unknown fate: the next look tells.
      const options = { dropInput: type === 'delete' };
      if (type === 'delete') deletedAts.add(decision.changes.deletedAt);
      const answer = await store.update(key, found.revision, decision.changes, options).catch((error: unknown) => {
        if (!isServiceError(error, 'store_unavailable')) throw error;
        cause = error;
        return undefined;
      });
      if (!answer || 'refused' in answer) continue;
      const next = applyChanges(job, decision.changes);
      const isEnd = isTerminal(next.state) && !isTerminal(job.state);
      log('info', isEnd ? 'job-finished' : `${type}-accepted`, { job_id: id, attempt: job.attempt, state: next.state });
      const { revision, atMs: readAtMs } = answer.written;
      return watch.offer({ ...found, job: next, revision, readAtMs });
    }
    const sentence = `It is not known whether the job was told. ${type === 'cancel' ? 'Cancel' : 'Delete'} it again.`;
    throw new ServiceError('store_unavailable', sentence, { cause, retryAfterMs: 1_000 });
  }

  async function removeChunks(job: Job): Promise<void> {
    if (job.stream) await chunks.remove(job);
  }

  return {
    cancel: (principal, id) => change(principal, id, 'cancel'),

    async remove(principal, id) {
      const seen = await change(principal, id, 'delete');
      await removeChunks(seen.job);
      return seen;
    },
  };
}
