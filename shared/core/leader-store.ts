/** The port of who answers equal jobs; its suite is `test/contracts/leader-store.ts`. */

/** What equal jobs of a tenant have in common. */
export type LeaderKey = { tenant: string; key: string };

/**
 * Which job answers its equals: its leader. One small document for each key, changed by compare-and-set alone. Methods
 * answer within a few seconds or throw `store_unavailable`, after which it is not known whether the job leads: ask again.
 */
export type LeaderStore = {
  /** The id of the job that leads, as new as the last acknowledged change; `undefined` where none does. One read. */
  get(key: LeaderKey): Promise<string | undefined>;
  /**
   * Makes the job the leader where there is none, or, with `before`, where that one is; answers who leads now, `undefined`
   * when it changed too often to tell. Of several who ask at once one gets it. From `deleteAt` on it may be forgotten.
   */
  lead(
    key: LeaderKey,
    jobId: string,
    options: { before?: string | undefined; deleteAt: number },
  ): Promise<string | undefined>;
  /** Forgets the leader, if it is this job. */
  remove(key: LeaderKey, jobId: string): Promise<void>;
};
