/** Listeners on lists in SQLite: whoever listens to one whose jobs were written is told what a new query finds. */
import type { Job } from '../core/job.ts';
import type { Clock, JobQuery, JobStore, NewestQuery, StoredJob } from '../core/ports.ts';
import { quietly } from './sqlite-database.ts';

export type SqliteListWatchers = {
  watch: JobStore['watchList'];
  /** A job was written; without one: nobody knows which. */
  changed(job?: Pick<Job, 'tenant' | 'user'>): void;
};

export type SqliteListWatchersOptions = { list(query: JobQuery): StoredJob[]; clock: Clock };

type Watcher = { query: NewestQuery; onJobs: (found: StoredJob[]) => void; isDue: boolean };

/** Writes of so long are told of together, … */
const GATHER_MS = 50;
/** … and of longer where the queries take long: they hold up everybody in this process. */
const REST_SHARE = 10;

export function sqliteListWatchers({ list, clock }: SqliteListWatchersOptions): SqliteListWatchers {
  const watchers = new Set<Watcher>();
  let isTelling = false;
  let restUntilMs = 0;

  function tellSoon(watcher: Watcher): void {
    watcher.isDue = true;
    if (isTelling) return;
    isTelling = true;
    clock.setTimer(tellDue, Math.max(0, restUntilMs - clock.monotonicMs()));
  }

  function tellDue(): void {
    isTelling = false;
    const startedMs = clock.monotonicMs();
    for (const watcher of [...watchers].filter(({ isDue }) => isDue)) {
      watcher.isDue = false;
      // What a broken file does not tell, the readers' own looks do.
      quietly(() => watcher.onJobs(list({ ...watcher.query, offset: 0 })));
    }
    const nowMs = clock.monotonicMs();
    restUntilMs = nowMs + Math.max(GATHER_MS, REST_SHARE * (nowMs - startedMs));
  }

  return {
    watch(query, onJobs) {
      const watcher: Watcher = { query, onJobs, isDue: false };
      watchers.add(watcher);
      tellSoon(watcher);
      return () => watchers.delete(watcher);
    },

    changed(job) {
      for (const watcher of watchers) {
        const { tenant, user = job?.user } = watcher.query;
        if (!job || (tenant === job.tenant && user === job.user)) tellSoon(watcher);
      }
    },
  };
}
