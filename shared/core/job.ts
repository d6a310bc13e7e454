/**
 * The words of this project, and the types behind them.
 *
 * - **job**: one LLM request that was accepted, with its state and, in the end, its result. One document in the store.
 * - **tenant**: an organisation (`default` unless configured). **user**: the principal within it.
 * - **job type**: what a job does: how its input becomes an LLM request and how the answer is checked.
 * - **doorbell**: the message `{ tenant, job_id }` that tells a worker to look at a job. It carries no truth.
 * - **claim**: a worker takes a job and gets a **lease**: the right to write it until an instant, shown by a **token**.
 * - **attempt**: one try at a job. A job has attempts 1, 2, 3… without gaps; one lease covers one or several in a row.
 * - **call**: one request to an LLM provider. No call starts before a write that records it.
 * - **route**: a model that may answer a job: its own, then its **fallbacks**. **breaker**: what keeps calls from a route that fails.
 * - **arm**: the variant of an experiment that a job belongs to.
 * - **leader**: the job whose answer equal jobs, its **followers**, wait for instead of making a call of their own.
 * - **upstream**: the answer that a provider makes by itself in its background mode. **detach**: to leave a job to it.
 * - **fence**: a write that the store refuses unless the document is as its writer last saw it.
 * - **hand back**: a holder gives its lease up before the job is over, naming when the next attempt may start.
 * - **chunk**: a piece of an attempt's answer, kept beside a job that was submitted to be streamed.
 * - **part**: a piece of an input or an answer that is too large for its job's document, kept beside it.
 * - **cursor**: where a reader stands: in a stream of events, or in a list.
 * - **slot**: a job's place among the running ones of its tenant, where their number is limited; it expires by itself.
 * - **redrive**: to make one new job of a job that failed or was cancelled.
 * - **park**: to let a job wait, without an attempt, for a slot or its leader. **promote**: to give it a slot.
 * - **account**: what a user may use, where credits are on: a subscription, tokens, and perhaps a budget of money.
 * - **hold**: what a job reserves of its user's account with its first claim. **settle**: to release that, and charge what
 *   was used, in the commit that ends the job. **grant**: tokens that are added to an account, once.
 * - **notice**: what others are told when a job came to another state. **outbox**: the notices that did not go out yet.
 * - **ring**: to publish a job's doorbell (again). **sweep**: to look for jobs whose time has come.
 *
 * Instants end in `At` and are milliseconds since the epoch; on the wire they are RFC 3339.
 */

import type { Attempt, RouteTries } from './attempt-record.ts';
import type { CallEstimate, Hold, Settled, Spent } from './costs.ts';
import type { Told } from './notices.ts';
import type { InParts, PartSet } from './part-set.ts';

/** Any value that JSON can express. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/**
 * Where a job is. There is no way back, and the last three are absorbing.
 *
 * - `pending`: accepted, not claimed yet. Entered by submit; left by a claim, a cancel, or the end of its time.
 * - `processing`: claimed at least once; with or without a live lease, also while it waits for its next attempt. Entered
 *   by a claim; left by a finish, or by a wake or a cancel when nobody holds it.
 * - `completed`: the answer is stored. Entered by the holder's finish.
 * - `failed`: the job ended without an answer; `error` says why. Entered by the holder's finish, by a wake when time ran
 *   out or its workers died too often, or at once for a message that could not be taken in.
 * - `cancelled`: somebody asked for the end and got it. Entered by the cancel itself when nobody holds the job, else by
 *   the holder's finish, at last by a wake.
 */
export type JobState = 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled';

export const JOB_STATES: readonly JobState[] = ['pending', 'processing', 'completed', 'failed', 'cancelled'];

/** Is a job in this state over for good? */
export function isTerminal(state: JobState): state is 'completed' | 'failed' | 'cancelled' {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}

/** What names a job in the store. */
export type JobKey = { tenant: string; id: string };

/** The key as one word, by which stores and memory know the job; a tenant's name has no `~`. */
export function jobName({ tenant, id }: JobKey): string {
  return `${tenant}~${id}`;
}

/** The model a job runs on, as it was when the job was submitted. */
export type JobModel = {
  /** Stable UUID of the catalog entry. */
  id: string;
  /** As shown to people: `GPT-4`. */
  name: string;
  provider: string;
  /** What the provider is called with: `gpt-4`. Another one than was asked for, when that was retired. */
  model: string;
};

/** A model that may answer a job, and what one call of it is expected to use. */
export type Route = { model: JobModel; callEstimate?: CallEstimate | undefined };

/** An equal job whose answer was good enough, and when that was made. */
export type AnswerOf = { id: string; completedAt: number };

/** An answer that a provider makes by itself: its id there, and how often it was looked for. */
export type Upstream = { id: string; looks: number };

/** Why a job failed, in a sentence for people and a code for programs. */
export type JobError = { code: string; message: string };

/** The four clocks of a job. Each ends in an error code of its own. */
export type Limits = {
  /** From acceptance to the first claim; then `start_timeout`. */
  startWithinMs: number;
  /** From acceptance to the end, all attempts and waits included; then `job_timeout`. */
  timeoutMs: number;
  /** One attempt; then `attempt_timeout`, which is tried again while attempts are left. */
  attemptTimeoutMs: number;
  /** The longest silence of a model within an attempt; then `idle_timeout`, which is tried again, too. */
  idleTimeoutMs: number;
};

/**
 * Everything about a job but its input, which may be large, never changes, and is read by workers and for contracts that
 * show it. A field that is `undefined` is not in the document.
 * The fields under "who may write" stay in the document after the lease ends: they tell a writer whether a write of
 * unknown fate was its own.
 */
export type Job = Told & {
  tenant: string;
  id: string;
  user: string;
  jobType: string;
  model: JobModel;
  state: JobState;
  /** Rises with every change that a reader can see. */
  version: number;
  createdAt: number;
  startedAt?: number | undefined;
  completedAt?: number | undefined;
  questionId?: string | undefined;
  /** The caller's own words, shown again in every view; jobs can be listed by a tag. */
  tags?: string[] | undefined;
  metadata?: { [name: string]: string } | undefined;
  /** Of the batch that it was submitted in. */
  batchId?: string | undefined;
  /** The id of the job that it was made from, … */
  redriveOf?: string | undefined;
  /** … and of the one that was made from it. */
  redrivenAs?: string | undefined;
  /** The caller's own project, by which jobs can be listed. */
  projectId?: string | undefined;
  /** All calls together may cost this much. */
  nanoUsdMost?: number | undefined;
  /** What one call is expected to use; absent in documents of older versions. */
  callEstimate?: CallEstimate | undefined;
  /** What its calls used and cost; absent before the first attempt ended. */
  spent?: Spent | undefined;
  /** What it reserved of its user's account; absent where credits are off, and before its first claim. */
  hold?: Hold | undefined;
  /** What became of its hold when it ended: all of these together are the ledger of the account. */
  settled?: Settled | undefined;
  /** Its answer is kept in chunks as it comes, for readers who stream it. */
  stream?: boolean | undefined;
  /** Its payloads go when they were read, or an hour after its end; absent: they are kept as long as the job. */
  store?: false | undefined;
  /** How long jobs of this type and model usually took when it was submitted; absent: not known. */
  usualMs?: number | undefined;
  /** Of what was submitted: a repeat under the same id is recognised by it. */
  fingerprint: string;
  /** The `X-Request-ID` of the submit. */
  requestId?: string | undefined;
  /** The trace that it belongs to, and the span that it was submitted in (W3C). */
  traceparent?: string | undefined;
  /** What is being done while the job is processing: `calling_llm`, or `waiting` for the next attempt. */
  stage?: string | undefined;
  /** The earliest start of the newest attempt (while its holder waits) or of the next one (when nobody holds the job). */
  nextAttemptAt?: number | undefined;
  /** Somebody asked for the end while the job was held. */
  cancelRequestedAt?: number | undefined;
  /** Absent in documents of older versions: the defaults. */
  limits?: Limits | undefined;
  result?: Json | undefined;
  error?: JobError | undefined;
  /** The last answer of a job that failed because it could not be used; for its owner. */
  rejectedText?: string | undefined;
  /** Which of its fields lie in parts. */
  parts?: { [F in InParts]?: PartSet | undefined } | undefined;
  /** How long readers see the job after its end; absent in documents of older versions: the default. */
  retentionMs?: number | undefined;
  /** From then on readers do not find the job; known when it is over. */
  expiresAt?: number | undefined;
  /** From then on the document itself may go. */
  deleteAt?: number | undefined;
  /** Somebody deleted the job: readers do not find it, and its payloads are gone. What was used is kept. */
  deletedAt?: number | undefined;
  /** With `store: false`: from then on no reader gets the payloads of the job; known when it is over. */
  payloadsExpireAt?: number | undefined;
  /** When they were removed. */
  payloadsRemovedAt?: number | undefined;
  attempts: Attempt[];
  /** Until then it has a slot, unless it is given back before. */
  slotUntil?: number | undefined;
  /** Since then it has been waiting: … */
  parkedAt?: number | undefined;
  /** … for a slot of the tenant's (`*`) or of this model's, as the provider names it, or for an answer (`answer:<key>`). */
  parkedFor?: string | undefined;
  /** Other models that may answer it, in order. */
  fallbacks?: Route[] | undefined;
  /** Which of its routes the newest attempt took, or the next one takes; absent: the first, its own model. */
  route?: number | undefined;
  /** `experiment/variant`: the arm that it belongs to. */
  arm?: string | undefined;
  /** The answer to an equal job will do, if it is not older; absent: it gets one of its own. */
  cacheMs?: number | undefined;
  /** The key under which it answers equal jobs. */
  leads?: string | undefined;
  /** Its answer is that of an equal job. */
  answerOf?: AnswerOf | undefined;
  /** Its calls are made in their provider's background mode. */
  background?: true | undefined;
  /** What the provider works on for its newest attempt, whether anybody holds the job or not. */
  upstream?: Upstream | undefined;
  /** How many attempts failed and count against the retry policy; absent: none. */
  failures?: number | undefined;
  /** How many attempts a provider refused for now; they count against a limit of their own. Absent: none. */
  refusals?: number | undefined;
  /** How many attempts had an answer mended by the model; they count against a limit of their own. Absent: none. */
  repairs?: number | undefined;
  /** Of a job with fallbacks: the same for each of its routes. */
  tries?: RouteTries[] | undefined;
  /** How many attempts were lost with their worker; absent: none. */
  losses?: number | undefined;
  /** Number of the newest attempt, 0 before the first. */
  attempt: number;
  /** The worker instance of the newest lease. */
  holder?: string | undefined;
  /** The worker instance that has to hear of a cancel; set with `cancelRequestedAt`, gone when the job is over. */
  cancelFor?: string | undefined;
  /** Of the newest lease; before the first claim, of the submit that created the document. */
  token: string;
  /** Number of the newest write made under `token`. */
  sequence: number;
  leaseExpiresAt: number | null;
  /** The next instant at which someone who holds nothing must look; null when nothing is left to do. */
  wakeAt: number | null;
  /** Which slice of the sweeper's query holds this job; spreads the index over many servers. */
  wakeShard: number;
  /** How often the sweeper rang since the job was last claimed. */
  rings: number;

  /** Version of this document's shape: see `schema-version.ts`. */
  schemaVersion: number;
};

/** Top-level fields that change; a field set to `undefined` goes away. */
export type JobChanges = Partial<Job>;

/** The document with some fields changed, as the store will hold it. */
export function applyChanges(job: Job, changes: JobChanges): Job {
  const next: Record<string, unknown> = { ...job };
  // Not with a second spread, nor by setting and deleting: an object made so is ten times as slow to copy ever after.
  for (const [field, value] of Object.entries(changes)) {
    if (value !== undefined) next[field] = value;
    else if (field in next) delete next[field];
  }
  return next as Job;
}
