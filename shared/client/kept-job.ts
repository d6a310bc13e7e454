/** The one job of a user interface, kept so that a reload, or a component that comes back, finds it again. */
import { isJobId } from './job-id.ts';
import type { Submission } from './submissions.ts';

/** A `sessionStorage` (one per tab), a `localStorage` (one for all tabs), or what is like them. */
export type JobStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** With the submission as long as nobody knows whether it has arrived: it is submitted again, under the same id. */
export type KeptJob = { jobId: string; submission?: Submission };

export type JobKeeper = {
  read(): KeptJob | undefined;
  keep(job: KeptJob): void;
  /** Keeps no job, or not this one any more. */
  forget(jobId?: string): void;
};

const memory = new Map<string, string>();
/** Outlives components, though not the page. */
const inMemory: JobStorage = {
  getItem: (key) => memory.get(key) ?? null,
  setItem: (key, value) => void memory.set(key, value),
  removeItem: (key) => void memory.delete(key),
};

/** Keeps a job under a key; in memory where the storage can't be used: a browser that forbids it, or one that is full. */
export function jobKeeper(key: string, storage: JobStorage | undefined): JobKeeper {
  const places = (): JobStorage[] => {
    const place = storage ?? attempt(() => globalThis.sessionStorage);
    return place ? [place, inMemory] : [inMemory];
  };

  const keeper: JobKeeper = {
    read() {
      for (const place of places()) {
        const kept = attempt(() => JSON.parse(place.getItem(key) ?? 'null') as KeptJob | null);
        if (isJobId(kept?.jobId)) return kept;
      }
      return undefined;
    },
    keep(job) {
      keeper.forget();
      places().some((place) =>
        attempt(() => {
          place.setItem(key, JSON.stringify(job));
          return true;
        }),
      );
    },
    forget(jobId) {
      if (jobId !== undefined && keeper.read()?.jobId !== jobId) return;
      for (const place of places()) attempt(() => place.removeItem(key));
    },
  };
  return keeper;
}

/** What it answers, or nothing where it throws. */
function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}
