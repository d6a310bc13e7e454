/** Those who watch a job in a SQLite file, which the process alone writes: it tells them itself. */
import { type JobKey, jobName } from '../core/job.ts';
import type { Clock, JobStore, StoredJob } from '../core/ports.ts';
import { quietly } from './sqlite-database.ts';

export type SqliteJobReaders = Pick<JobStore, 'watch'> & {
  /** Tells a job's readers what was just written, or, where nothing was, what is there. */
  tell(key: JobKey, written?: StoredJob): void;
  /** Some jobs are gone: what was written to them is told no more. */
  removed(): void;
};

type Options = { look(key: JobKey): StoredJob | undefined; clock: Clock };

export function sqliteJobReaders({ look, clock }: Options): SqliteJobReaders {
  const readers = new Map<string, Set<(found: StoredJob | undefined) => void>>();
  /** Whose readers are told in a moment; `undefined`: what is there then. */
  const due = new Map<string, StoredJob | undefined>();

  function tell(key: JobKey, written?: StoredJob): void {
    const name = jobName(key);
    if (!readers.has(name)) return;
    const isDue = due.has(name);
    if (written || !isDue) due.set(name, written);
    if (isDue) return;
    const tellNow = () => {
      const newest = due.get(name);
      due.delete(name);
      const all = readers.get(name);
      if (!all) return;
      const found = newest ?? look(key);
      for (const onJob of all) onJob(found);
    };
    // Not within the writer's own turn. What a broken file does not tell, the readers' own looks do.
    clock.setTimer(() => quietly(tellNow), 0);
  }

  return {
    tell,
    removed() {
      for (const name of due.keys()) due.set(name, undefined);
    },
    watch(key, onJob) {
      const name = jobName(key);
      const all = readers.get(name) ?? new Set();
      readers.set(name, all.add(onJob));
      tell(key);
      return () => {
        all.delete(onJob);
        if (all.size === 0 && readers.get(name) === all) readers.delete(name);
      };
    },
  };
}
