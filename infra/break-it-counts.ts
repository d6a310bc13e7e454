/** What happened while somebody broke the service: counted, and told to whoever looks on. */

export type Counters = {
  /** Calls that the provider received. */
  calls: number;
  /** Writes of workers that had lost their jobs, which the store refused. */
  refused_writes: number;
  /** Deliveries that found their job held or over. */
  refused_claims: number;
  kills: number;
  deliveries: number;
};

/** A job's calls are remembered until so many others were called for. */
const JOBS_MOST = 200;
/** Changes that come together are told together. */
const GATHERED_MS = 200;
/** Why a claim is refused whose job somebody holds, or that is over. */
const HELD_OR_OVER: readonly unknown[] = ['leased', 'done'];

/** What an event of the log counts as, if it counts. */
export function countedAs(event: string, why: unknown): keyof Counters | undefined {
  if (event === 'zombie-write-refused') return 'refused_writes';
  return event === 'claim-refused' && HELD_OR_OVER.includes(why) ? 'refused_claims' : undefined;
}

export type Counts = {
  add(counter: keyof Counters, times?: number): void;
  /** Counts a call for a job, or for none that is known; the answer is which call for that job it is. */
  called(jobId: string | undefined): number;
  setFrozen(frozen: boolean): void;
  read(): { counters: Counters; frozen: boolean; calls: Record<string, number> };
  /** Resolves a moment after the next change, or when `signal` is aborted. */
  changed(signal: AbortSignal): Promise<void>;
};

export function breakItCounts(): Counts {
  const counters: Counters = { calls: 0, refused_writes: 0, refused_claims: 0, kills: 0, deliveries: 0 };
  const calls = new Map<string, number>();
  const waiting = new Set<() => void>();
  let frozen = false;
  const tell = () => {
    for (const wake of waiting) wake();
  };
  const add: Counts['add'] = (counter, times = 1) => {
    counters[counter] += times;
    tell();
  };
  return {
    add,
    called(jobId) {
      add('calls');
      if (jobId === undefined) return 1;
      const nth = (calls.get(jobId) ?? 0) + 1;
      calls.set(jobId, nth);
      for (const oldest of calls.keys()) if (calls.size > JOBS_MOST) calls.delete(oldest);
      return nth;
    },
    setFrozen(now) {
      frozen = now;
      tell();
    },
    read: () => ({ counters: { ...counters }, frozen, calls: Object.fromEntries(calls) }),
    changed: (signal) =>
      new Promise((resolve) => {
        const end = () => {
          waiting.delete(wake);
          signal.removeEventListener('abort', end);
          resolve();
        };
        const wake = () => {
          waiting.delete(wake);
          setTimeout(end, GATHERED_MS);
        };
        if (signal.aborted) return resolve();
        waiting.add(wake);
        signal.addEventListener('abort', end);
      }),
  };
}
