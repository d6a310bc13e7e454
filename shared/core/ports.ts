/**
 * What the core asks of the world. The comments are the contract: `test/contracts/` holds one suite per port, and every
 * adapter passes it. No method takes or returns a type of Firestore, Pub/Sub, SQLite or an LLM vendor.
 */

import type { AccountChange } from './accounts.ts';
import type { Spent } from './costs.ts';
import type { Job, JobChanges, JobKey, JobState, Json } from './job.ts';
import type { SlotChange, SlotSet } from './slots.ts';

/** What names one state of a stored document: a write that presents an older one is refused. Opaque. */
export type Revision = string;

/** A document as the store held it at `readAtMs`, and when it was created: both the store's own time. */
export type StoredJob = { job: Job; revision: Revision; readAtMs: number; storedAtMs: number };

/** A job as it was read or written, and our monotonic clock when we asked for that and when the store's answer was here. */
export type FoundJob = StoredJob & { askedMs: number; answeredMs: number };

/** A write that the store acknowledged: the document's new revision and the store's time of the write. */
export type Written = { revision: Revision; atMs: number };

/** A change of a document that is still at `revision`. */
export type JobUpdate = { key: JobKey; revision: Revision; changes: JobChanges };

/** A place in a list of jobs. */
export type JobPosition = Pick<Job, 'createdAt' | 'id'>;

/** Which jobs a list shows: newest first, then by id, the highest first. */
export type JobQuery = {
  tenant: string;
  /** Only this user's jobs; absent for the whole tenant. */
  user?: string | undefined;
  state?: JobState | undefined;
  jobType?: string | undefined;
  modelId?: string | undefined;
  /** Among its tags. */
  tag?: string | undefined;
  questionId?: string | undefined;
  projectId?: string | undefined;
  batchId?: string | undefined;
  arm?: string | undefined;
  /** Created later, or earlier, than these instants. */
  createdAfter?: number | undefined;
  createdBefore?: number | undefined;
  /** Only jobs that come after this place. */
  after?: JobPosition | undefined;
  limit: number;
  offset: number;
};

/** The newest jobs of a list, so many of them. */
export type NewestQuery = Omit<JobQuery, 'createdAfter' | 'createdBefore' | 'after' | 'offset'>;

/** The jobs of one batch; of the whole tenant without `user`. */
export type BatchQuery = { tenant: string; user?: string | undefined; batchId: string };

/** Of which jobs usage is summed up: a user's, or without `user` the whole tenant's. */
export type UsageQuery = {
  tenant: string;
  user?: string | undefined;
  /** Created at this instant or later, … */
  createdFrom: number;
  /** … and before this one. */
  createdTo: number;
  jobType?: string | undefined;
  modelId?: string | undefined;
  arm?: string | undefined;
};

/** How many jobs there are, and what they spent together. `isTruncated`: only so many were counted; there are more. */
export type UsageSums = Spent & { jobs: number; isTruncated?: true | undefined };

/** A store that pays by what it looks at counts so many jobs in one sum. */
export const USAGE_JOBS_MOST = 100_000;

/**
 * Where jobs live. One document per job, changed by compare-and-set alone.
 *
 * Every method answers within a few seconds or throws `store_unavailable`, after which the write **may or may not have
 * happened, now or a little later**: the caller looks and compares. Methods never retry; that is the caller's policy.
 */
export type JobStore = {
  /**
   * Stores a new job and its input, or refuses when a document of that key exists, changing nothing. Atomic. `with` changes
   * another job in the same commit: both happen or neither; `changed`, when that one is not (any more) at its revision.
   */
  create(
    job: Job,
    input: Json,
    options?: { with?: JobUpdate | undefined },
  ): Promise<{ created: Written } | { refused: 'exists' | 'changed' }>;

  /** Reads one job, as new as the last acknowledged write; `undefined` when there is none. */
  get(key: JobKey): Promise<StoredJob | undefined>;

  /** As `get`, with the input. */
  getWithInput(key: JobKey): Promise<(StoredJob & { input: Json }) | undefined>;

  /** As `get`, for many jobs at once, in their order. One read each. */
  getMany(keys: readonly JobKey[]): Promise<(StoredJob | undefined)[]>;

  /**
   * The inputs alone of many jobs at once, in their order; `undefined` where there is no such job, or its input is gone.
   * One read each.
   */
  inputs(keys: readonly JobKey[]): Promise<(Json | undefined)[]>;

  /**
   * Changes top-level fields of a document that is still at `revision`; otherwise changes nothing. Atomic, durable when
   * it answers. A field set to `undefined` is removed, and the input with `dropInput`. Throws `result_unstorable` for a
   * value that can never be stored. A change that removes `slotUntil` gives the job's slot back in the same commit, whatever
   * has become of the slot set; `slot` says what else happens to that set in it, or else (`changed`) nothing does. A change
   * that has `settled` releases and charges that in the same commit, whatever has become of the account; `account` reserves
   * in it, on condition (`changed`) that the account is as it was seen.
   */
  update(
    key: JobKey,
    revision: Revision,
    changes: JobChanges,
    options?: { dropInput?: boolean; slot?: SlotChange | undefined; account?: AccountChange | undefined },
  ): Promise<{ written: Written } | { refused: 'changed' | 'missing' }>;

  /**
   * A page of jobs, newest first. Sees every job whose creation was acknowledged before the call. Costs a read for each
   * job that it answers, however far down the list it begins.
   */
  list(query: JobQuery): Promise<StoredJob[]>;

  /**
   * How many jobs of a batch there are in each state, without those that expired by `nowMs`. At most a read per state. One
   * that moves on meanwhile may be counted twice, and is never missed.
   */
  countByState(query: BatchQuery, nowMs: number): Promise<Record<JobState, number>>;

  /**
   * Sums up the jobs of a query, whatever became of them: also those that are not over, that expired, or that were deleted.
   * One whose document has no `spent` counts as a job that spent nothing. Reads no document; looks at
   * `USAGE_JOBS_MOST` of them at most where looking costs money.
   */
  usage(query: UsageQuery): Promise<UsageSums>;

  /** The arms that jobs of the tenant, or of this user of it, belong to, in order; up to `limit`. At most a read for each. */
  arms(query: { tenant: string; user?: string | undefined }, limit: number): Promise<string[]>;

  /** Up to `limit` jobs whose `wakeAt` is at or before `nowMs`, the longest due first. One read when there is none. */
  due(nowMs: number, limit: number): Promise<StoredJob[]>;

  /** The slots of a tenant, as new as the last acknowledged write. One read. */
  slots(tenant: string): Promise<SlotSet>;

  /** Up to `limit` jobs of a tenant that are parked for one of these (30 at most), the oldest first. One read when none is. */
  parked(tenant: string, parkedFor: readonly string[], limit: number): Promise<StoredJob[]>;

  /**
   * Calls back, within a moment, with each job whose `cancelFor` becomes this worker instance. Best effort: it may miss
   * one, or call twice; never throws. The answer ends it.
   */
  watchCancels(instance: string, onCancel: (key: JobKey) => void): () => void;

  /**
   * Calls back soon with the job as it is, `undefined` when there is none, and within a moment with each newer state;
   * of several at once only the newest. What is told is others', too: it is not to be changed. Best effort: it may fall
   * silent; never throws. The answer ends it.
   */
  watch(key: JobKey, onJob: (found: StoredJob | undefined) => void): () => void;

  /** As `watch`, with all jobs of a query, in the order of `list`. A read for each when it begins, and for each change. */
  watchList(query: NewestQuery, onJobs: (found: StoredJob[]) => void): () => void;
};

/** A piece of the answer of one attempt: the chunks 1, 2, 3… in a row are its text. Well-formed Unicode. */
export type Chunk = { attempt: number; n: number; text: string };

/**
 * Where chunks live, beside their job. Whoever holds the attempt is their only writer. Methods answer within a few
 * seconds or throw `store_unavailable`.
 */
export type ChunkStore = {
  /** Stores a chunk, which may go from `deleteAt` on. Once more with the same text changes nothing. */
  put(key: JobKey, chunk: Chunk, deleteAt: number): Promise<void>;
  /** The chunks of an attempt after the nth, in order. At least one read. */
  list(key: JobKey, attempt: number, afterN: number): Promise<Chunk[]>;
  /**
   * Calls back soon with the chunks of an attempt after the nth, or with none where there is none, then within a moment with
   * each that comes; in order, perhaps twice. Best effort: it may fall silent; never throws. The answer ends it.
   */
  watch(key: JobKey, attempt: number, afterN: number, onChunks: (chunks: Chunk[]) => void): () => void;
  /** Removes all chunks of a job. */
  remove(key: JobKey): Promise<void>;
};

/** Of jobs of one type on one model. */
export type EstimateKey = { tenant: string; jobType: string; modelId: string };
/** How long they usually take, from how many jobs that was learned. */
export type Estimate = { usualMs: number; jobs: number };

/** What was learned of how long jobs take, for all processes. The last one who writes is right. */
export type EstimateStore = {
  get(key: EstimateKey): Promise<Estimate | undefined>;
  put(key: EstimateKey, estimate: Estimate): Promise<void>;
};

/** A job's key as a message that brings a worker, and the trace that its work belongs to, where that is known. */
export type Doorbell = JobKey & { traceparent?: string | undefined };

/**
 * How workers learn of jobs. At least once, in no order, possibly much later, possibly many times at once.
 *
 * A doorbell that was published is delivered until a worker acknowledges it, later and later after each refusal, and is
 * set aside as a dead letter after a configured number of refusals.
 */
export type JobQueue = {
  /** Resolves when the queue holds the doorbell durably; throws `store_unavailable` when that is not known. */
  publish(doorbell: Doorbell): Promise<void>;
};

/** Time as a parameter, so that tests can turn the hands. */
export type Clock = {
  /** Wall-clock milliseconds since the epoch; never used to decide about a lease. */
  nowMs(): number;
  /** Milliseconds that only rise. */
  monotonicMs(): number;
  /** Calls back once after a delay; the answer cancels it. */
  setTimer(callback: () => void, delayMs: number): () => void;
};

/** One event, as one line. Fields hold ids, numbers and codes: never a prompt, an answer or a key. */
export type Log = (
  severity: 'debug' | 'info' | 'warning' | 'error',
  event: string,
  fields?: Record<string, string | number | boolean | undefined>,
) => void;

/** Resolves after a delay by that clock, sooner when `signal` is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = () => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.setTimer(wake, delayMs);
    signal?.addEventListener('abort', wake);
  });
}
