/** What can happen to a job, and the answers: the words of the transition table in `lifecycle.ts`. */

import type { AttemptOutcome, Usage } from './attempt-record.ts';
import type { Cost, Hold } from './costs.ts';
import type { AnswerOf, JobChanges, JobError, Json, Upstream } from './job.ts';
import type { Audience, Delivery } from './notices.ts';
import type { PartSet } from './part-set.ts';

/** What a call left behind, whichever way it ended. */
export type CallFacts = {
  usage?: Usage | undefined;
  cost?: Cost | undefined;
  providerRequestId?: string | undefined;
  finishReason?: string | undefined;
  /** The call was recorded, and then not made after all. */
  notMade?: true | undefined;
  /** How many chunks its answer has, when all of them are there. */
  chunks?: number | undefined;
  /** How long it took until the answer began; it is logged, and not stored. */
  firstTokenMs?: number | undefined;
};

/** How an attempt ended. */
export type AttemptEnd = CallFacts & { outcome: AttemptOutcome; errorCode?: string | undefined };

/** How the holder of a lease ends its job; `apart`: where the result, or the rejected text, lies that is not given here. */
export type FinishOutcome =
  /** `insteadOf`: the code of the failure of the call, in whose place the job type had a result of its own. */
  | ({ state: 'completed'; result?: Json | undefined; insteadOf?: string | undefined } & Apart & CallFacts)
  | ({ state: 'failed'; error: JobError; rejectedText?: string | undefined } & Apart & CallFacts)
  | ({ state: 'cancelled' } & CallFacts);
type Apart = { apart?: PartSet | undefined };

/** The end of an attempt that another one follows, and what it counts as. */
export type FailedAttempt = CallFacts & {
  outcome: 'failed' | 'released';
  errorCode: string;
  counts?: 'failures' | 'refusals' | 'repairs' | undefined;
  /** Its route is out for this job, or is left alone until then. */
  isOut?: true | undefined;
  retryAt?: number | undefined;
};

/** The store's time, never a worker's own clock. */
export type Now = { nowMs: number };
/** `storedAtMs` is when the document was created, by the same clock: deadlines count from it. */
export type NowAndBirth = Now & { storedAtMs: number };
export type Lease = { leaseMs: number };
type ByHolder = Now & { token: string };
type Taken = {
  slotUntil?: number | undefined;
  hold?: Hold | undefined;
  route?: number | undefined;
  leads?: string | undefined;
};
/** What the provider works on by itself; `providerRequestId`: of the request that began it, where that is not recorded yet. */
export type Begun = { upstream: Upstream; providerRequestId?: string | undefined };
/** `route`: of the attempt that comes next; absent: the same. */
type Next = { ended: FailedAttempt; nextAttemptAt: number; route?: number | undefined };

/** What can happen to a job. */
export type JobEvent =
  /**
   * A worker wants the job. `stage` is what it will do first, `holder` the worker's instance. Where slots are limited, it
   * takes one; where credits are on, the first one has a hold. `leads`: it answers equal jobs under this key.
   */
  | ({ type: 'claim'; token: string; stage: string; holder: string } & Taken & NowAndBirth & Lease)
  /** A worker wants the job, and its user's account has too little for it. `leads` as with a claim: its end rings who is next. */
  | ({ type: 'deny'; error: JobError; leads?: string | undefined } & NowAndBirth)
  /** A worker wants the job, and none of its routes may be called before that. `leads` as with a claim. */
  | ({ type: 'defer'; nextAttemptAt: number; leads?: string | undefined } & NowAndBirth)
  /** A worker wants the job, and an equal one has an answer that will do. `apart`: where that lies, if not here. */
  | ({ type: 'reuse'; answer: AnswerOf; result?: Json | undefined } & Apart & NowAndBirth)
  /**
   * A worker wants the job, and there is no slot for it, or an equal one will have the answer. `route`: it waits for the
   * model of that one. `leads` as with a claim: those who wait for its answer go on doing so should it end without.
   */
  | ({ type: 'park'; parkedFor: string; route?: number | undefined; leads?: string | undefined } & NowAndBirth)
  /** There is a slot for a parked job: it is kept for it until a worker comes. */
  | ({ type: 'promote'; slotUntil: number } & NowAndBirth)
  /** The holder is alive. */
  | ({ type: 'renew' } & ByHolder & NowAndBirth & Lease)
  /** The holder does something else now, and is alive. */
  | ({ type: 'stage'; stage: string } & ByHolder & NowAndBirth & Lease)
  /** An attempt failed, and its holder makes another one, after a pause in which it keeps the lease. */
  | ({ type: 'retry' } & Next & ByHolder & NowAndBirth & Lease)
  /** An attempt failed or was broken off, and its holder gives the job back. */
  | ({ type: 'hand-back' } & Next & ByHolder & NowAndBirth)
  /** The provider works on the attempt by itself; its holder stays for the answer. */
  | ({ type: 'attach' } & Begun & ByHolder & NowAndBirth & Lease)
  /** The provider works on the attempt by itself; its holder gives the job back until somebody looks for the answer. */
  | ({ type: 'detach'; nextLookAt: number } & Begun & ByHolder & NowAndBirth)
  /** The holder is done. */
  | ({ type: 'finish'; outcome: FinishOutcome } & ByHolder)
  /** Somebody asks for the end. */
  | ({ type: 'cancel' } & Now)
  /** Somebody asks for the end, and for nothing to be left to read. */
  | ({ type: 'delete' } & Now)
  /** A job that ended without an answer is made anew, under that id. */
  | ({ type: 'redrive'; redrivenAs: string } & Now)
  /** The owner of a job that is over was given its result. */
  | ({ type: 'read' } & Now)
  /** Somebody who holds nothing looks: the job is ended, or has to be rung. `random` is between 0 and 1. */
  | ({ type: 'wake'; random: number } & NowAndBirth)
  | NoticeEvent;

/** What can happen to what others were not told of the job yet, whatever state it is in. No reader sees it. */
export type NoticeEvent =
  /** Somebody is going to tell them. */
  | ({ type: 'take-notices' } & ByHolder & Lease)
  /**
   * They were told, or not: `delivered` are the versions of the notices that were, `tried` is for the log. `retryAfterMs`:
   * the receiver asks for patience; `isGone`: it wants to hear no more of this job. `random` is between 0 and 1.
   */
  | ({ type: 'told'; delivered: { [A in Audience]: number[] }; tried: Delivery[]; random: number } & Patience &
      ByHolder)
  /** The owner wants the newest notice sent again. */
  | ({ type: 'tell-again' } & Now);
type Patience = { retryAfterMs?: number | undefined; isGone?: boolean };

export type EventOf<T extends JobEvent['type']> = Extract<JobEvent, { type: T }>;

/**
 * Why an event is not allowed now.
 *
 * - `done`: the job is over, or nobody is to be told anything. - `leased`: somebody's lease is alive. - `not-leased`: the job was never claimed.
 * - `lease-lost`: another holder has taken over. - `lease-ended`: too late to renew, though nobody took over.
 * - `not-due`: its time has not come. - `overdue`: no attempt may start; a `wake` says what happens instead.
 * - `not-parked`: it does not wait for a slot. - `cancelling`: its end was asked for before. - `newer-version`: one wrote it; it is not
 *   ours to change.
 */
export type Refusal =
  | ('done' | 'leased' | 'not-leased' | 'lease-lost' | 'lease-ended')
  | ('not-due' | 'overdue' | 'not-parked' | 'cancelling' | 'newer-version');

export type Decision = { changes: JobChanges; refused?: never } | { refused: Refusal; changes?: never };
