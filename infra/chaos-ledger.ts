/** What the clients of a chaos run were told, for the verdict to compare with what is stored. */

/** What every status view has. */
export type View = { status: string; is_complete: boolean; version: number; cancel_requested_at?: string };

/** One job in the eyes of its client. */
export type Told = {
  id: string;
  mark: string;
  /** How it was submitted. */
  via: 'POST' | 'PUT' | 'message';
  /** What its readers saw, one after the other, without repetitions. */
  sightings: Pick<View, 'status' | 'version'>[];
  /** A cancel was answered so. */
  cancel?: 'cancelled' | 'requested' | undefined;
  /** The whole view when it was first seen to be over, and when it was read last. */
  firstEnd?: string | undefined;
  lastEnd?: string | undefined;
};

export type Ledger = {
  /** All jobs that were accepted, by id. */
  jobs: ReadonlyMap<string, Told>;
  /** What must not have been answered, in sentences. */
  wrong: readonly string[];
  /** A submit was answered; a repeat must get the same id. */
  accepted(mark: string, via: Told['via'], id: string): Told;
  saw(job: Told, view: View, text: string): void;
  cancelled(job: Told, view: View): void;
  complain(what: string): void;
  /** How many were seen to be over. */
  over(): number;
};

export function openLedger(): Ledger {
  const jobs = new Map<string, Told>();
  const byMark = new Map<string, string>();
  const wrong: string[] = [];
  let over = 0;
  return {
    jobs,
    wrong,
    accepted(mark, via, id) {
      const before = byMark.get(mark) ?? id;
      if (before !== id) wrong.push(`${id}: the same submission was answered with ${before} before`);
      byMark.set(mark, id);
      const told = jobs.get(id) ?? { id, mark, via, sightings: [] };
      jobs.set(id, told);
      return told;
    },
    saw(job, { status, version, is_complete }, text) {
      const last = job.sightings.at(-1);
      if (last?.status !== status || last.version !== version) job.sightings.push({ status, version });
      if (!is_complete) return;
      if (job.firstEnd === undefined) over += 1;
      job.firstEnd ??= text;
      job.lastEnd = text;
    },
    cancelled(job, { status, cancel_requested_at }) {
      if (status === 'cancelled') job.cancel = 'cancelled';
      else if (cancel_requested_at !== undefined) job.cancel ??= 'requested';
    },
    complain: (what) => void wrong.push(what),
    over: () => over,
  };
}
