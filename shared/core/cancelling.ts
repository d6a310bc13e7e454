/** Ending jobs from outside: cancel, and delete. */
import { keyFor, notFound, owns, type Principal, type Seen, seenBy } from './access.ts';
import { haveTold, ringFollowers } from './aftermath.ts';
import { auditJobs } from './audit.ts';
import { isServiceError, ServiceError } from './errors.ts';
import { applyChanges, isTerminal, type Job, type JobKey } from './job.ts';
import { logEnd } from './job-ended.ts';
import type { JobWatch } from './job-watch.ts';
import type { LeaderStore } from './leader-store.ts';
import { isLeaseAlive } from './leases.ts';
import { transition } from './lifecycle.ts';
import type { PartStore } from './part-store.ts';
import { CHECK_AFTER_MS } from './parts.ts';
import type { PayloadReads } from './payload-reads.ts';
import { asShown, isWhole } from './payloads.ts';
import type { ChunkStore, Clock, JobQueue, JobStore, StoredJob } from './ports.ts';
import { type ResultCaching, uncacheResult } from './result-cache.ts';
import { ringDoorbell } from './ring.ts';
import { newerVersion } from './schema-version.ts';
import { isForWorker } from './waking.ts';

export type Cancelling = {
  /**
   * Asks for the end of a job, as often as wanted. One that nobody holds, and no provider works on by itself, is over with
   * the answer; the holder of another one breaks its call off soon after. A job that is over stays as it is. Throws `job_not_found`, or
   * `store_unavailable` when it is not known whether the job was told.
   */
  cancel(principal: Principal, id: string): Promise<Seen>;
  /**
   * Cancels a job and makes it unfindable: input, result, chunks and the caller's own words are removed, and what is left
   * tells what was used. Throws as `cancel` does; repeated after `store_unavailable` it finds nothing, or does the rest.
   */
  remove(principal: Principal, id: string): Promise<Seen>;
};

/** Deletes whatever its owner and its age are. */
export type JobRemoval = {
  /** Throws `job_not_found` where there is nothing to delete, or `store_unavailable`. */
  remove(key: JobKey): Promise<Seen>;
  /** Removes what lies beside a deleted job: its chunks, its parts, and its result in the cache. Throws `store_unavailable`. */
  removeBeside(job: Job): Promise<void>;
};

export type CancellingOptions = ResultCaching & {
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  queue: JobQueue;
  /** Where equal jobs share answers. */
  leaders?: LeaderStore | undefined;
  watch: JobWatch;
  reads: PayloadReads;
  clock: Clock;
};

/** A change that meets a newer document is decided again on it, this often at most. */
const TRIES = 5;

export function cancelling(options: CancellingOptions): Cancelling & { removal: JobRemoval } {
  const { store, chunks, parts, leaders, watch, reads, log } = options;

  /** `find` throws for a job that is not to be changed; `owns` says whether what lies beside it may go all the same. */
  async function change(
    key: JobKey,
    type: 'cancel' | 'delete',
    find: (seen: Seen | undefined) => Seen,
    owns: (job: Job) => boolean,
  ): Promise<Seen> {
    let cause: unknown;
    /** The instants that our own deletes wrote, if they landed. */
    const deletedAts = new Set<number | undefined>();
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await store.get(key);
      if (found?.job.deletedAt !== undefined && type === 'delete' && owns(found.job)) {
        if (deletedAts.has(found.job.deletedAt)) return watch.offer(found);
        // The delete that made it so may not have come as far as that.
        await removeBeside(found.job);
      }
      const { job, nowMs } = find(found && seenIn(found));
      if (!found) continue;
      const decision = transition(job, { type, nowMs });
      if (decision.refused === 'newer-version') throw newerVersion();
      if (decision.refused) return watch.offer(found);
      // Refused, or of unknown fate: the next look tells.
      const dropInput = type === 'delete';
      if (type === 'delete') {
        deletedAts.add(decision.changes.deletedAt);
        await haveChecked(job, nowMs + CHECK_AFTER_MS);
        // Its key tells what was asked, to whoever guesses; and its answer is nobody's any more.
        if (job.leads !== undefined) await leaders?.remove({ tenant: job.tenant, key: job.leads }, job.id);
      }
      const answer = await store
        .update(key, found.revision, decision.changes, { dropInput })
        .catch((error: unknown) => {
          if (!isServiceError(error, 'store_unavailable')) throw error;
          cause = error;
          return undefined;
        });
      if (!answer || 'refused' in answer) continue;
      const next = applyChanges(job, decision.changes);
      const isEnd = isTerminal(next.state) && !isTerminal(job.state);
      if (isEnd) logEnd(log, next);
      else log('info', `${type}-accepted`, { job_id: key.id, attempt: job.attempt, state: next.state });
      // The holder of a deleted job, should it have one, does not know any more whom it led.
      if (!isTerminal(job.state)) await ringFollowers(options, { ...next, leads: job.leads });
      if (isEnd) await haveTold(options, next);
      const { revision, atMs: readAtMs } = answer.written;
      // A worker has to stop what the provider works on by itself.
      if (isForWorker(next, readAtMs) && !isLeaseAlive(next, readAtMs)) await ringDoorbell(options, next);
      return watch.offer({ ...found, job: next, revision, readAtMs });
    }
    const sentence = `It is not known whether the job was told. ${type === 'cancel' ? 'Cancel' : 'Delete'} it again.`;
    throw new ServiceError('store_unavailable', sentence, { cause, retryAfterMs: 1_000 });
  }

  /** Should we die before they are removed, the document does not name these any more, and nobody would look at them again. */
  async function haveChecked({ tenant, id, parts: named = {} }: Job, checkAt: number): Promise<void> {
    await Promise.all(Object.values(named).map((set) => set && parts.check({ tenant, id, set: set.name }, checkAt)));
  }

  async function removeBeside(job: Job): Promise<void> {
    const { tenant, id, stream } = job;
    // Whether it had parts the document does not say any more.
    await Promise.all([stream && chunks.remove(job), parts.remove({ tenant, id }), uncacheResult(options, job)]);
  }

  async function removeWhole(
    key: JobKey,
    find: (seen: Seen | undefined) => Seen,
    owns: (job: Job) => boolean,
  ): Promise<Seen> {
    const seen = await change(key, 'delete', find, owns);
    await removeBeside(seen.job);
    return seen;
  }

  /** Finds what the principal may change; the first time that it does so, that is noted where it must be. */
  function finder(principal: Principal, act: 'cancel' | 'delete'): (seen: Seen | undefined) => Seen {
    let isNoted = false;
    return (given) => {
      const seen = seenBy(principal, given);
      if (!isNoted) auditJobs(log, principal, act, [seen.job]);
      isNoted = true;
      return seen;
    };
  }

  return {
    async cancel(principal, id) {
      const key = keyFor(principal, id);
      const shown = asShown(await change(key, 'cancel', finder(principal, 'cancel'), () => false));
      // One that was completed is answered with its result, unless that lies in parts.
      if (isWhole(shown.job)) await reads.note(principal, [shown]);
      return shown;
    },
    async remove(principal, id) {
      const key = keyFor(principal, id);
      return removeWhole(key, finder(principal, 'delete'), (job) => owns(principal, job));
    },
    removal: {
      remove: (key) => removeWhole(key, undeleted, () => true),
      removeBeside,
    },
  };
}

function undeleted(seen: Seen | undefined): Seen {
  if (!seen || seen.job.deletedAt !== undefined) throw notFound();
  return seen;
}

function seenIn({ job, readAtMs }: StoredJob): Seen {
  return { job, nowMs: readAtMs };
}
