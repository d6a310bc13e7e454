/** Holding a reader's answer until there is news of its job. */
import { type Principal, type Seen, seenBy } from './access.ts';
import { isPutOff } from './deferring.ts';
import { isServiceError } from './errors.ts';
import { isTerminal } from './job.ts';
import type { Watching } from './job-watch.ts';
import type { Clock } from './ports.ts';

export type WaitOptions = {
  /** What the reader has seen: it is never shown an older version. */
  leastVersion?: number | undefined;
  /** Holds the answer for so long at most, … */
  waitMs?: number | undefined;
  /** … until the job has changed since `leastVersion` (or since now), or is over, or was put off as well. */
  until?: 'changed' | 'over' | 'put-off';
  /** Aborted when nobody waits for the answer any more. */
  signal?: AbortSignal;
};

/** After a read that failed, a wait is in no hurry. */
const UNREAD_PAUSE_MS = 1_000;

/** Who has time waits through a store that gives no answer, too; its listener may say a word meanwhile. */
async function firstOf(
  clock: Clock,
  watching: Watching,
  options: WaitOptions,
  endMs: number,
): Promise<Seen | undefined> {
  const { leastVersion = 0, signal } = options;
  for (;;) {
    const mark = watching.news.count();
    try {
      return await watching.first(leastVersion);
    } catch (error) {
      const hasTime = clock.monotonicMs() + UNREAD_PAUSE_MS < endMs && !signal?.aborted && !watching.isClosed();
      if (!hasTime || !isServiceError(error, 'store_unavailable')) throw error;
      await watching.news.changed(mark, UNREAD_PAUSE_MS, signal);
    }
  }
}

/** The job when it is as the reader waits for, or as it is when its time is over. Throws `job_not_found`, or `store_unavailable`. */
export async function waitFor(
  clock: Clock,
  principal: Principal,
  watching: Watching,
  options: WaitOptions,
): Promise<Seen> {
  const { leastVersion, waitMs = 0, until = 'changed', signal } = options;
  const endMs = clock.monotonicMs() + waitMs;
  const first = seenBy(principal, await firstOf(clock, watching, options, endMs));
  const since = Math.min(leastVersion ?? first.job.version, first.job.version);
  const isIt = ({ job, nowMs }: Seen) =>
    isTerminal(job.state) ||
    (until === 'changed' && job.version > since) ||
    (until === 'put-off' && isPutOff(job, nowMs));
  for (;;) {
    // As it is known now, not as it was first seen: what happened since is no news any more.
    const seen = seenBy(principal, watching.seen());
    const leftMs = endMs - clock.monotonicMs();
    if (isIt(seen) || leftMs <= 0 || signal?.aborted || watching.isClosed()) return seen;
    await watching.news.changed(watching.news.count(), leftMs, signal);
  }
}
