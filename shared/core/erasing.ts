/** Erasing a person: every job that they ever submitted is deleted, also those that have expired. */
import { type Principal, seesAll } from './access.ts';
import { auditUser } from './audit.ts';
import type { JobRemoval } from './cancelling.ts';
import { isServiceError, ServiceError } from './errors.ts';
import { isUser } from './ids.ts';
import type { Job } from './job.ts';
import type { Clock, JobPosition, JobStore, Log } from './ports.ts';

/** What one request did: how many jobs it deleted, and where the next one goes on; nowhere, when all is done. */
export type Erased = { deleted: number; next: JobPosition | undefined };

export type Erasing = {
  /**
   * Deletes the jobs of a user of the principal's tenant, from the newest on or after a place, as `remove` does it; a
   * bounded number of them. Jobs submitted meanwhile are newer than where it goes on: who wants them gone, too, begins
   * again. Throws `forbidden` to anybody but an admin and the user themself, `invalid_request` for what no user can be
   * called, and `store_unavailable`, after which it is to be repeated.
   */
  eraseUser(principal: Principal, user: string, after?: JobPosition): Promise<Erased>;
};

export type ErasingOptions = { store: JobStore; clock: Clock; log: Log; removal: JobRemoval };

const PAGE = 50;
const PAGES_MOST = 10;
const TIME_MOST_MS = 20_000;
/** So many are deleted side by side. */
const AT_ONCE = 10;

export function erasing({ store, clock, log, removal }: ErasingOptions): Erasing {
  /** Answers whether it was there; one that had been deleted may have left something. */
  async function erase(job: Job): Promise<boolean> {
    if (job.deletedAt !== undefined) {
      await removal.removeBeside(job);
      return false;
    }
    try {
      await removal.remove(job);
      return true;
    } catch (error) {
      // Somebody else deleted it, or it went by itself.
      if (isServiceError(error, 'job_not_found')) return false;
      throw error;
    }
  }

  async function eraseAll(jobs: readonly Job[]): Promise<number> {
    const waiting = jobs.values();
    let deleted = 0;
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      for (const job of waiting) if (await erase(job)) deleted += 1;
    });
    const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected');
    if (failed) throw failed.reason;
    return deleted;
  }

  return {
    async eraseUser(principal, user, after) {
      if (!isUser(user)) {
        const message = 'must be 1 to 300 visible characters';
        throw new ServiceError('invalid_request', `user_id: ${message}`, { details: [{ path: 'user_id', message }] });
      }
      if (user !== principal.user && !seesAll(principal)) {
        const sentence = 'Only an administrator, or this user, may erase the jobs of a user.';
        throw new ServiceError('forbidden', sentence, { fields: { scope: 'admin' } });
      }
      auditUser(log, principal, 'erase-user', user);
      const untilMs = clock.monotonicMs() + TIME_MOST_MS;
      let deleted = 0;
      let next = after;
      for (let pages = 0; pages < PAGES_MOST && clock.monotonicMs() < untilMs; pages++) {
        const found = await store.list({ tenant: principal.tenant, user, after: next, limit: PAGE, offset: 0 });
        deleted += await eraseAll(found.map(({ job }) => job));
        const last = found.at(-1)?.job;
        next = found.length < PAGE || !last ? undefined : { createdAt: last.createdAt, id: last.id };
        if (!next) break;
      }
      log('info', 'user-erased', { jobs: deleted, complete: next === undefined });
      return { deleted, next };
    },
  };
}
