/** Reading what a job was asked. */
import { keyFor, type Principal, seenBy } from './access.ts';
import { auditJobs } from './audit.ts';
import type { JobWatch } from './job-watch.ts';
import { asShown } from './payloads.ts';
import type { JobStore, Log } from './ports.ts';
import type { SeenWithInput } from './reading.ts';

export type InputReading = {
  /**
   * One job with its input, which is absent where it was removed, or lies in parts, for `payload`. It does not count as read:
   * its result is not for this reader. Throws `job_not_found`.
   */
  readInput(principal: Principal, id: string): Promise<SeenWithInput>;
};

export type InputReadingOptions = { store: JobStore; watch: JobWatch; log: Log };

export function inputReading({ store, watch, log }: InputReadingOptions): InputReading {
  return {
    async readInput(principal, id) {
      const key = keyFor(principal, id);
      const seen = asShown(seenBy(principal, watch.peek(key, 0) ?? (await watch.look(key))));
      const { job } = seen;
      auditJobs(log, principal, 'read', [job]);
      if (job.payloadsRemovedAt !== undefined || job.parts?.input) return { ...seen, input: undefined };
      const [input] = await store.inputs([key]);
      // It went between the two looks: with its job, or alone.
      return input === undefined ? { ...seenBy(principal, await watch.look(key)), input } : { ...seen, input };
    },
  };
}
