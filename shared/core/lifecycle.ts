/**
 * The life of a job as one pure table: every state × every event. What the table does not allow is a typed refusal.
 * Nothing here knows a store, a clock or a queue: the instant is part of the event, the answer is the fields to change.
 */
import { ATTEMPTS_KEPT, type Attempt, type Job, type JobError, type JobState, type Json, type Usage } from './job.ts';

/** What a call left behind, whichever way it ended. */
export type CallFacts = {
  usage?: Usage | undefined;
  providerRequestId?: string | undefined;
  finishReason?: string | undefined;
};

/** How the holder of a lease ends its job. */
export type FinishOutcome =
  | ({ state: 'completed'; result: Json } & CallFacts)
  | ({ state: 'failed'; error: JobError } & CallFacts);

/** What can happen to a job. `nowMs` is the store's time, never a worker's own clock. */
export type JobEvent =
  /** A worker wants the job. `stage` is what it will do first. */
  | { type: 'claim'; nowMs: number; leaseMs: number; token: string; stage: string }
  /** The holder is alive. */
  | { type: 'renew'; nowMs: number; leaseMs: number; token: string }
  /** The holder is done. */
  | { type: 'finish'; nowMs: number; token: string; outcome: FinishOutcome }
  /** The sweeper found the job due and wants to publish its doorbell. */
  | { type: 'ring'; nowMs: number };

/**
 * Why an event is not allowed now.
 *
 * - `done`: the job is over. - `leased`: somebody's lease is alive. - `not-leased`: the job was never claimed.
 * - `lease-lost`: another holder has taken over. - `lease-ended`: too late to renew, though nobody took over.
 * - `not-due`: its time has not come.
 */
export type Refusal = 'done' | 'leased' | 'not-leased' | 'lease-lost' | 'lease-ended' | 'not-due';

/** Top-level fields that change; a field set to `undefined` goes away. */
export type JobChanges = Partial<Job>;

export type Decision = { changes: JobChanges; refused?: never } | { refused: Refusal; changes?: never };

/** After a lease's end, how long the sweeper leaves its holder the chance to finish. */
export const LEASE_GRACE_MS = 1_000;
/** After a submit, how long the doorbell that it published has before the sweeper rings again. */
export const RING_GRACE_MS = 30_000;
const RING_STEP_MS = 60_000;
const RING_STEPS_MOST = 15;

type Rule<T extends JobEvent['type']> = (job: Job, event: Extract<JobEvent, { type: T }>) => Decision;
type Row = { [T in JobEvent['type']]: Rule<T> };

const refuse = (refused: Refusal) => (): Decision => ({ refused });
const over: Row = { claim: refuse('done'), renew: refuse('done'), finish: refuse('done'), ring: refuse('done') };

const table: { [S in JobState]: Row } = {
  pending: { claim: startAttempt, renew: refuse('not-leased'), finish: refuse('not-leased'), ring },
  processing: {
    claim: (job, event) => (isLeaseAlive(job, event.nowMs) ? { refused: 'leased' } : startAttempt(job, event)),
    renew: (job, event) => {
      if (job.token !== event.token) return { refused: 'lease-lost' };
      return isLeaseAlive(job, event.nowMs) ? { changes: leaseUntil(event) } : { refused: 'lease-ended' };
    },
    // An unrenewed lease that nobody took may still finish: the answer is paid for.
    finish: (job, event) => (job.token === event.token ? finish(job, event) : { refused: 'lease-lost' }),
    ring: (job, event) => (isLeaseAlive(job, event.nowMs) ? { refused: 'not-due' } : ring(job, event)),
  },
  completed: over,
  failed: over,
  cancelled: over,
};

/** Decides what an event does to a job: the fields to change, or why it may not happen. */
export function transition(job: Job, event: JobEvent): Decision {
  const row = table[job.state];
  switch (event.type) {
    case 'claim':
      return row.claim(job, event);
    case 'renew':
      return row.renew(job, event);
    case 'finish':
      return row.finish(job, event);
    case 'ring':
      return row.ring(job, event);
  }
}

/** The document with some fields changed, as the store will hold it. */
export function applyChanges(job: Job, changes: JobChanges): Job {
  const next: Record<string, unknown> = { ...job, ...changes };
  for (const [field, value] of Object.entries(changes)) if (value === undefined) delete next[field];
  return next as Job;
}

/** Does the job's lease hold at this instant? */
export function isLeaseAlive(job: Job, nowMs: number): boolean {
  return job.leaseExpiresAt !== null && job.leaseExpiresAt > nowMs;
}

function leaseUntil({ nowMs, leaseMs }: { nowMs: number; leaseMs: number }): JobChanges {
  return { leaseExpiresAt: nowMs + leaseMs, wakeAt: nowMs + leaseMs + LEASE_GRACE_MS };
}

function startAttempt(job: Job, event: Extract<JobEvent, { type: 'claim' }>): Decision {
  const n = job.attempt + 1;
  const attempt: Attempt = {
    n,
    startedAt: event.nowMs,
    provider: job.model.provider,
    model: job.model.model,
    calls: 1,
  };
  return {
    changes: {
      ...leaseUntil(event),
      state: 'processing',
      version: job.version + 1,
      startedAt: job.startedAt ?? event.nowMs,
      stage: event.stage,
      attempt: n,
      token: event.token,
      sequence: 0,
      rings: 0,
      attempts: [...endLast(job, { endedAt: event.nowMs, outcome: 'lost', errorCode: 'lease_lost' }), attempt].slice(
        -ATTEMPTS_KEPT,
      ),
    },
  };
}

function finish(job: Job, { nowMs, outcome }: Extract<JobEvent, { type: 'finish' }>): Decision {
  const { state, usage, providerRequestId, finishReason } = outcome;
  const errorCode = state === 'failed' ? outcome.error.code : undefined;
  return {
    changes: {
      state,
      version: job.version + 1,
      completedAt: nowMs,
      stage: undefined,
      leaseExpiresAt: null,
      wakeAt: null,
      attempts: endLast(job, { endedAt: nowMs, outcome: state, errorCode, usage, providerRequestId, finishReason }),
      ...(state === 'completed' ? { result: outcome.result } : { error: outcome.error }),
    },
  };
}

/** Ring k of an unclaimed job comes min(2^k, 15) minutes after the one before, so that a backlog is not re-published every minute. */
function ring(job: Job, { nowMs }: Extract<JobEvent, { type: 'ring' }>): Decision {
  if (job.wakeAt === null || job.wakeAt > nowMs) return { refused: 'not-due' };
  const pauseMs = Math.min(2 ** job.rings, RING_STEPS_MOST) * RING_STEP_MS;
  return { changes: { rings: job.rings + 1, wakeAt: nowMs + pauseMs } };
}

function endLast(job: Job, end: Partial<Attempt>): Attempt[] {
  return job.attempts.map((attempt) =>
    attempt.n === job.attempt && attempt.endedAt === undefined ? { ...attempt, ...end } : attempt,
  );
}
