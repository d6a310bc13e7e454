/** What jobs cost in documents and messages, as `test/emulator/wire.test.ts` counts it on the wire. */

/** `queries`: each is a read at least. */
export type Operations = { writes: number; reads: number; queries: number; messages: number };

/** Submitted, run and over before the first heartbeat. */
export const PLAIN_JOB: Operations = { writes: 3, reads: 1, queries: 0, messages: 1 };
/** More, where a limit of `MAX_RUNNING` applies that it does not meet. */
export const LIMITED: Operations = { writes: 2, reads: 2, queries: 0, messages: 0 };
/** More, for each event that its webhook, the topic or both are told. */
export const EVENT: Operations = { writes: 2, reads: 1, queries: 0, messages: 1 };
/** More, where its answer is kept for equal jobs (`cache_ttl_seconds`). */
export const LEADING: Operations = { writes: 1, reads: 1, queries: 1, messages: 0 };
/** More, for each further attempt under the same lease. */
export const FURTHER_ATTEMPT: Operations = { writes: 1, reads: 0, queries: 0, messages: 0 };
/** More, for an attempt after its worker was lost: the sweeper finds it, and rings again. */
export const LOST_WORKER: Operations = { writes: 2, reads: 1, queries: 1, messages: 1 };
/** More, where its user's account is charged (`CREDITS`). */
export const CHARGED: Operations = { writes: 2, reads: 2, queries: 0, messages: 0 };
/** Cancelled before anybody claimed it; the doorbell comes for nothing. */
export const CANCELLED_PENDING: Operations = { writes: 2, reads: 2, queries: 0, messages: 1 };
/** Cancelled during its call: a document tells its worker; the finish is refused, for the job's is newer, and made again. */
export const CANCELLED_PROCESSING: Operations = { writes: 6, reads: 3, queries: 0, messages: 1 };
/** More, to make a job anew (`/retry/`), beside what both jobs cost: the old one is read, with its input, and marked. */
export const RETRIED: Operations = { writes: 1, reads: 2, queries: 0, messages: 0 };
/** Another equal job has its answer already. */
export const FOLLOWER: Operations = { writes: 2, reads: 3, queries: 0, messages: 1 };
/** More, for each third of a lease that its call takes. */
export const HEARTBEAT: Operations = { writes: 1, reads: 0, queries: 0, messages: 0 };
/** More, for each chunk of a streamed job: one each `FLUSH_MS` of text. */
export const CHUNK: Operations = { writes: 1, reads: 0, queries: 0, messages: 0 };
/** A poll of a job that is not over. */
export const POLL: Operations = { writes: 0, reads: 1, queries: 0, messages: 0 };
/** A sweep that finds nothing to do. */
export const IDLE_SWEEP: Operations = { writes: 0, reads: 0, queries: 1, messages: 0 };

const NOTHING: Operations = { writes: 0, reads: 0, queries: 0, messages: 0 };

/** All of these together, each so many times. */
export function sumOf(parts: readonly (readonly [operations: Operations, times: number])[]): Operations {
  return parts.reduce((sum, [operations, times]) => plus(sum, operations, times), NOTHING);
}

function plus(left: Operations, right: Operations, times: number): Operations {
  return {
    writes: left.writes + right.writes * times,
    reads: left.reads + right.reads * times,
    queries: left.queries + right.queries * times,
    messages: left.messages + right.messages * times,
  };
}
