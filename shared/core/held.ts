/** What a holder of a lease can do with its job. */
import type { Begun, FailedAttempt, FinishOutcome } from './events.ts';
import type { Job } from './job.ts';
import type { FoundJob } from './ports.ts';

/** A claimed job. */
export type Held = FoundJob;

/** `lost`: somebody else holds the job, or it is over; nothing was written. `cancelling`: only a finish is left. */
export type HolderAnswer = 'written' | 'lost' | 'cancelling';

export type Holder = {
  /** The job as this holder last knew it. */
  job(): Job;
  /**
   * Aborted as soon as the work on the job must stop. Its reason is a `ServiceError`: `lease_lost`, `cancelled`,
   * `job_timeout` or `drained`.
   */
  stop: AbortSignal;
  /** Makes the work stop for one of these reasons; the first one counts. */
  stopFor(code: 'cancelled' | 'drained'): void;
  /** Looks at the clock: a process that stalled finds here that its lease is over, before it makes another call. */
  check(): void;
  /** How much of the job's time is left, in milliseconds. */
  leftMs(): number;
  /** How long the next attempt must wait still, in milliseconds; never shorter than it really is. */
  waitMs(): number;
  /** The store's instant in so many milliseconds; never earlier than it really is. */
  instantIn(ms: number): number;
  /** Shows what is done now, in turn with all other writes and without making anybody wait. Best effort. */
  stage(stage: string): void;
  /** Records the next attempt, on the same route or on this one; its call may be made after the pause. Throws `store_unavailable`. */
  retry(ended: FailedAttempt, pauseMs: number, route?: number): Promise<HolderAnswer>;
  /** Gives the job up until the pause is over. Throws `store_unavailable`. */
  handBack(ended: FailedAttempt, pauseMs: number, route?: number): Promise<HolderAnswer>;
  /**
   * Saves what the provider works on by itself, and stays for the answer; with a pause, gives the job up until then. Throws
   * `store_unavailable`.
   */
  attach(begun: Begun, pauseMs?: number): Promise<HolderAnswer>;
  /** Ends the job. Throws `store_unavailable`, or `result_unstorable` when its result can never be stored. */
  finish(outcome: FinishOutcome): Promise<HolderAnswer>;
  /** Stops the timers. The lease stays in the document until it ends. */
  close(): void;
};
