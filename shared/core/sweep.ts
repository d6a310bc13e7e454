/**
 * What time does: one query finds the jobs whose `wakeAt` has come, the pure table decides each, a fenced write commits
 * the decision, and only then is a doorbell rung. Two sweepers at once do everything once, for one of the writes is refused.
 */
import { afterEnd } from './aftermath.ts';
import { describeError, isServiceError } from './errors.ts';
import { applyChanges, isTerminal, jobName } from './job.ts';
import { logEnd } from './job-ended.ts';
import { transition } from './lifecycle.ts';
import { removeOrphans } from './orphans.ts';
import { ringAgain } from './outbox.ts';
import type { PartStore } from './part-store.ts';
import type { ChunkStore, Clock, JobQueue, JobStore, Log, StoredJob } from './ports.ts';
import { isOfNewerVersion } from './schema-version.ts';
import { factsOf, type Traced, untraced } from './tracing.ts';
import { isForWorker } from './waking.ts';

export type SweepOptions = Traced & {
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  random: () => number;
};

/** How many jobs were rung, were ended because their time was over, were put off, and lost their payloads (`store: false`). */
export type Swept = { rung: number; ended: number; postponed: number; removed: number };

/** Jobs per query, and queries per sweep: what remains is due at the next sweep, the longest waiting first. */
const PAGE = 100;
const PAGES_MOST = 20;
/** So many of newer versions, which have sweepers of their own, are passed by to get at the others. */
const NEWER_MOST = 500;

/**
 * Does what is due: ends jobs whose time is over, rings those that a worker must look at, once an hour removes what dead
 * writers left. Costs one read when idle, then two.
 */
export async function sweep(options: SweepOptions): Promise<Swept> {
  const swept: Swept = { rung: 0, ended: 0, postponed: 0, removed: 0 };
  const newer = new Set<string>();
  for (let page = 0; page < PAGES_MOST && newer.size <= NEWER_MOST; page++) {
    const limit = PAGE + newer.size;
    const passed = newer.size;
    const due = await options.store.due(options.clock.nowMs(), limit);
    for (const { job } of due) if (isOfNewerVersion(job)) newer.add(jobName(job));
    const ours = due.filter(({ job }) => !isOfNewerVersion(job));
    const done = await Promise.all(ours.map((found) => wakeInItsTrace(options, found)));
    for (const what of done) if (what) swept[what] += 1;
    // A page on which nothing could be done would come again as it is.
    if (due.length < limit || (!done.some(Boolean) && newer.size === passed)) break;
  }
  if (newer.size > 0) options.log('warning', 'newer-versions-passed', { jobs: newer.size });
  if (isTimeForOrphans(options.clock)) await removeOrphans(options);
  if (Object.values(swept).some((jobs) => jobs > 0)) options.log('info', 'swept', swept);
  return swept;
}

/** Nobody asked for it: it belongs to the trace of whoever submitted the job. */
function wakeInItsTrace(options: SweepOptions, found: StoredJob): Promise<keyof Swept | undefined> {
  const { tracing = untraced } = options;
  const { job } = found;
  const told = { parent: job.traceparent, facts: factsOf(job) };
  return tracing.span('wake', told, () => wakeDue(options, found));
}

/** Sweeps come each minute, or more often: they need no memory of the last time. */
function isTimeForOrphans(clock: Clock): boolean {
  return clock.nowMs() % 3_600_000 < 60_000;
}

/**
 * Does what time does to one job, and says what that was. Never throws: one job's fault must not stop the others, and its
 * next look is in the document already, or it is still due.
 */
export async function wakeDue(options: SweepOptions, found: StoredJob): Promise<keyof Swept | undefined> {
  const { store, chunks, parts, queue, log, random } = options;
  const { job, revision, readAtMs: nowMs, storedAtMs } = found;
  const decision = transition(job, { type: 'wake', nowMs, storedAtMs, random: random() });
  if (decision.refused) return undefined;
  const { changes } = decision;
  const next = applyChanges(job, changes);
  const isForLife = next.rings > job.rings && isForWorker(next, nowMs);
  // Of one that ends here others are told by what follows its end.
  const isEnd = isTerminal(next.state) && !isTerminal(job.state);
  const mustRing = !isEnd && (isForLife || (next.outbox?.rings ?? 0) > (job.outbox?.rings ?? 0));
  const isRemoval = next.payloadsRemovedAt !== job.payloadsRemovedAt;
  try {
    // Before the write after which nobody looks again.
    if (isRemoval && job.stream) await chunks.remove(job);
    if (isRemoval && job.parts) await parts.remove({ tenant: job.tenant, id: job.id });
    const answer = await store.update(job, revision, changes, { dropInput: isRemoval }).catch((error: unknown) => {
      // It may have landed, and then nobody would ring: one doorbell too many costs a read, one too few a minute.
      if (isServiceError(error, 'store_unavailable') && mustRing) return undefined;
      throw error;
    });
    if (answer && 'refused' in answer) return undefined;
    if (isRemoval && answer) log('info', 'payloads-removed', { job_id: job.id });
    if (mustRing) {
      await queue
        .publish({ tenant: job.tenant, id: job.id, traceparent: job.traceparent })
        .catch(async (error: unknown) => {
          if (answer)
            await store.update(next, answer.written.revision, ringAgain(job, next, answer.written.atMs, isForLife));
          throw error;
        });
      if (!answer) return undefined;
      return isRemoval ? 'removed' : 'rung';
    }
    if (isRemoval) return 'removed';
    if (!isTerminal(next.state)) return 'postponed';
    logEnd(log, next);
    await afterEnd(options, next);
    return 'ended';
  } catch (error) {
    log('warning', 'wake-failed', { job_id: job.id, error: describeError(error) });
    return undefined;
  }
}
