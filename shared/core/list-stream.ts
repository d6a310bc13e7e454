/**
 * A list as a stream of events: its newest jobs, then those that come or change, and those that no longer belong to it.
 * Nothing is kept beyond the stream: whoever comes back gets a new snapshot.
 */
import { maySee, ownerOf, type Principal, type Seen } from './access.ts';
import { auditJobs } from './audit.ts';
import type { Job } from './job.ts';
import { LIST_WATCHDOG_MS, type ListWatch, type WatchedList } from './list-watch.ts';
import { asShown } from './payloads.ts';
import { type Clock, type JobPosition, type Log, type NewestQuery, sleep } from './ports.ts';

/** What a reader gets. Jobs come without what lies in their results. */
export type ListEvent =
  /** The newest jobs, the newest first, and where the list goes on, if it does. */
  | { type: 'snapshot'; jobs: Seen[]; next: JobPosition | undefined }
  /**
   * Jobs that are new or have changed, the newest first, and those that are not found here any more: deleted, expired, or
   * of other filters by now. Of jobs that newer ones pushed out of the newest nothing more is said.
   */
  | { type: 'jobs'; jobs: Seen[]; gone: string[] };

/** `limit`: so many of the newest are followed. */
export type ListStreamFilter = Omit<NewestQuery, 'tenant' | 'user'>;

export type ListStreaming = {
  /**
   * The events of this principal's list, until `signal` is aborted, which the caller does in any case. Throws
   * `store_unavailable`, or `rate_limited` (too many different lists at once), before any event.
   */
  streamList(
    principal: Principal,
    filter: ListStreamFilter,
    signal: AbortSignal,
  ): Promise<{ events: AsyncIterable<ListEvent> }>;
};

export type ListStreamingOptions = { lists: ListWatch; clock: Clock; log: Log };

/** Changes of so long are told of together. */
const GATHER_MS = 250;

export function listStreaming({ lists, clock, log }: ListStreamingOptions): ListStreaming {
  return {
    async streamList(principal, filter, signal) {
      // One more, which says whether the list goes on.
      const list = lists.join({ ...filter, ...ownerOf(principal), limit: filter.limit + 1 });
      try {
        await list.first();
      } catch (error) {
        list.leave();
        throw error;
      }
      // Also when nobody ever asks for the first event.
      signal.addEventListener('abort', list.leave);
      if (signal.aborted) list.leave();
      const events = listEvents({ list, principal, limit: filter.limit, clock, signal });
      return { events: audited(log, principal, events) };
    },
  };
}

/** Notes whose jobs an administrator is shown, each once. */
async function* audited(log: Log, principal: Principal, events: AsyncIterable<ListEvent>): AsyncGenerator<ListEvent> {
  const noted = new Set<string>();
  for await (const event of events) {
    const unnoted = event.jobs.map(({ job }) => job).filter(({ id }) => !noted.has(id));
    auditJobs(log, principal, 'list', unnoted);
    for (const { id } of unnoted) noted.add(id);
    yield event;
  }
}

type Following = { list: WatchedList; principal: Principal; limit: number; clock: Clock; signal: AbortSignal };

async function* listEvents({ list, principal, limit, clock, signal }: Following): AsyncGenerator<ListEvent> {
  /** What the reader was shown. */
  let shown: Map<string, Job> | undefined;
  while (!signal.aborted && !list.isClosed()) {
    const mark = list.news.count();
    const { jobs, nowMs } = list.known();
    const seen = jobs
      .slice(0, limit)
      .map((job) => asShown({ job, nowMs }))
      .filter((one) => maySee(principal, one));
    const before = shown;
    shown = new Map(seen.map(({ job }) => [job.id, job]));
    if (!before) {
      yield { type: 'snapshot', jobs: seen, next: jobs.length > limit ? placeOf(jobs[limit - 1]) : undefined };
    } else {
      const changed = seen.filter(({ job }) => job.version > (before.get(job.id)?.version ?? 0));
      const gone = missing(before, shown, jobs, limit);
      if (changed.length > 0 || gone.length > 0) yield { type: 'jobs', jobs: changed, gone };
    }
    await list.news.changed(mark, nextChangeMs(seen), signal);
    if (list.news.count() !== mark && !list.isClosed()) await sleep(clock, GATHER_MS, signal);
  }
}

/** The ids of those that were shown and are not any more, but for those that newer jobs pushed out. */
function missing(
  before: ReadonlyMap<string, Job>,
  shown: ReadonlyMap<string, Job>,
  jobs: readonly Job[],
  limit: number,
): string[] {
  const firstBehind = jobs[limit];
  const isPushedOut = (job: Job) => firstBehind !== undefined && !isBefore(job, firstBehind);
  return [...before.values()].filter((job) => !shown.has(job.id) && !isPushedOut(job)).map(({ id }) => id);
}

/** Does it come earlier in a list, which begins with the newest? */
function isBefore(left: JobPosition, right: JobPosition): boolean {
  return left.createdAt === right.createdAt ? left.id > right.id : left.createdAt > right.createdAt;
}

function placeOf(job: Job | undefined): JobPosition | undefined {
  return job && { createdAt: job.createdAt, id: job.id };
}

/** When one of these changes without anybody's doing: it expires, or its payloads go. */
function nextChangeMs(seen: readonly Seen[]): number {
  const leftMs = seen.flatMap(({ job: { expiresAt = 0, payloadsExpireAt = 0 }, nowMs }) =>
    [expiresAt, payloadsExpireAt].map((at) => at - nowMs).filter((ms) => ms > 0),
  );
  return Math.min(LIST_WATCHDOG_MS, ...leftMs);
}
