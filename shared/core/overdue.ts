/** Jobs whose time is over, and that nobody ended: who meets one need not wait for the sweeper. */
import { notFound, type Seen } from './access.ts';
import { isServiceError } from './errors.ts';
import { isTerminal } from './job.ts';
import type { JobWatch } from './job-watch.ts';
import { heldUntil } from './leases.ts';
import { isGone } from './retention.ts';
import { type SweepOptions, wakeDue } from './sweep.ts';

export type EndingOverdue = {
  /**
   * The job, ended as the sweeper would end it when its time is over and its holder let that instant pass. Costs nothing
   * before. Where the store gives no answer, the job as it was seen. Throws `job_not_found` for one that was deleted since.
   */
  endOverdue(seen: Seen): Promise<Seen>;
};

export function endingOverdue(options: Omit<SweepOptions, 'random'> & { watch: JobWatch }): EndingOverdue {
  const { store, watch } = options;
  return {
    async endOverdue(seen) {
      const { job, nowMs } = seen;
      if (isTerminal(job.state) || heldUntil(job, job.createdAt) > nowMs) return seen;
      try {
        const found = await store.get(job);
        // An end needs no random pause.
        if (found) await wakeDue({ ...options, random: () => 0 }, found);
        const ended = (await watch.look(job)) ?? seen;
        if (isGone(ended.job, ended.nowMs)) throw notFound();
        return ended;
      } catch (error) {
        if (isServiceError(error, 'store_unavailable')) return seen;
        throw error;
      }
    },
  };
}
