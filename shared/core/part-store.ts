/** The port of what lies beside a job in parts; its suite is `test/contracts/part-store.ts`. */
import type { JobKey } from './job.ts';

/** One set of parts of a job. */
export type PartSetKey = JobKey & { set: string };

/**
 * Where parts live, beside their job. A part never changes. Methods answer within a few seconds or throw
 * `store_unavailable`.
 */
export type PartStore = {
  /**
   * Stores a part of well-formed Unicode, of a megabyte at most, which may go from `deleteAt` on. The first of a set has
   * `checkAt`: from then on somebody looks whether its job names the set. Once more with the same text changes nothing.
   */
  put(
    key: PartSetKey,
    part: { n: number; text: string; deleteAt: number; checkAt?: number | undefined },
  ): Promise<void>;
  /** The text of part n; `undefined` when it is not there. One read. */
  get(key: PartSetKey, n: number): Promise<string | undefined>;
  /** Says when somebody looks at a set (again); with `null` nobody does. Of a set that is not there nothing comes. */
  check(key: PartSetKey, checkAt: number | null): Promise<void>;
  /** Up to `limit` sets whose `checkAt` is at or before `nowMs`, the longest due first. One read when there is none. */
  unchecked(nowMs: number, limit: number): Promise<PartSetKey[]>;
  /** Removes a set of parts; without `set` all sets of the job. */
  remove(key: JobKey & { set?: string | undefined }): Promise<void>;
};
