/**
 * The holder of a lease: the one writer of its job in this process. Heartbeats and the finish go through one queue, so
 * that two writes are never in flight together, and every write is fenced by the revision that the last one returned.
 */
import { isServiceError, ServiceError } from './errors.ts';
import type { Job } from './job.ts';
import { applyChanges, type FinishOutcome, type JobEvent, type Refusal, transition } from './lifecycle.ts';
import { type Clock, type JobStore, type Log, type Revision, sleep } from './ports.ts';

/**
 * A claimed job, and when that was so by the store's clock: at some instant between our asking and its answering, both
 * by our monotonic clock.
 */
export type Held = { job: Job; revision: Revision; atMs: number; askedMs: number; answeredMs: number };

export type Holder = {
  /** Aborted, with `lease_lost`, as soon as this holder may no longer work on the job. */
  lost: AbortSignal;
  /** Ends the job. `lost`: somebody else holds it, or it is over; nothing was written. Throws `store_unavailable`. */
  finish(outcome: FinishOutcome): Promise<'written' | 'lost'>;
  /** Stops the heartbeat. The lease stays in the document until it ends. */
  release(): void;
};

export type HolderOptions = { store: JobStore; clock: Clock; log: Log; leaseMs: number };

/** A write that meets a newer document is decided again on it, this often at most. */
const REBASES_MOST = 5;
/** A finish is tried again for this long while the store gives no answer: the answer is paid for. */
const FINISH_PATIENCE_MS = 60_000;
const RETRY_PAUSE_MS = 200;

export function holder({ store, clock, log, leaseMs }: HolderOptions, claimed: Held): Holder {
  const { tenant, id, token } = claimed.job;
  const lost = new AbortController();
  let held = claimed;
  /** Number of the newest write that was begun. Each write has its own, and keeps it while it is tried again. */
  let begun = claimed.job.sequence;
  let queue: Promise<unknown> = Promise.resolve();
  let stopHeartbeat = () => {};
  let stopFence = () => {};
  let released = false;

  /** The store's time now as it is stored and shown: not later than it really is. */
  const storeNowMs = () => held.atMs + Math.floor(clock.monotonicMs() - held.answeredMs);
  /** How long the lease surely holds: counted from the latest that the store's time can be. */
  const surelyLeftMs = () => (held.job.leaseExpiresAt ?? 0) - held.atMs - (clock.monotonicMs() - held.askedMs);

  function enqueue<T>(write: () => Promise<T>): Promise<T> {
    const turn = queue.then(write);
    queue = turn.catch(() => undefined);
    return turn;
  }

  /** Writes what the event changes. A refusal comes from the table, on the newest document that was seen. */
  async function write(sequence: number, toEvent: (nowMs: number) => JobEvent): Promise<'written' | Refusal> {
    for (let rebases = 0; rebases <= REBASES_MOST; rebases++) {
      const decision = transition(held.job, toEvent(storeNowMs()));
      if (decision.refused) return decision.refused;
      const changes = { ...decision.changes, sequence };
      const askedMs = clock.monotonicMs();
      const answer = await store.update({ tenant, id }, held.revision, changes).catch((error: unknown) => {
        if (isServiceError(error, 'store_unavailable')) return undefined;
        throw error;
      });
      if (answer && 'written' in answer) {
        const { revision, atMs } = answer.written;
        held = { job: applyChanges(held.job, changes), revision, atMs, askedMs, answeredMs: clock.monotonicMs() };
        return 'written';
      }
      // Refused, or of unknown fate: the document tells. Commits of ours that were answered "unavailable" do land.
      const lookedMs = clock.monotonicMs();
      const found = await store.get({ tenant, id });
      if (!found || found.job.token !== token) return 'lease-lost';
      held = {
        ...{ job: found.job, revision: found.revision, atMs: found.readAtMs },
        ...{ askedMs: lookedMs, answeredMs: clock.monotonicMs() },
      };
      if (found.job.sequence === sequence) return 'written';
    }
    throw new ServiceError('store_unavailable', 'The store refused a write too often.');
  }

  function lose(why: string): void {
    if (lost.signal.aborted) return;
    log('warning', 'lease-lost', { job_id: id, attempt: held.job.attempt, why });
    lost.abort(new ServiceError('lease_lost', 'The lease of this attempt was lost.'));
    release();
  }

  function scheduleHeartbeat(): void {
    stopHeartbeat();
    stopFence();
    if (released) return;
    stopHeartbeat = clock.setTimer(() => void enqueue(beat), leaseMs / 3);
    // A holder that cannot renew stops its own work before anybody may take over.
    const leftMs = Math.max(0, surelyLeftMs() - leaseMs / 10);
    stopFence = clock.setTimer(() => lose('not renewed in time'), leftMs);
  }

  async function beat(): Promise<void> {
    if (released) return;
    try {
      const answer = await write(++begun, (nowMs) => ({ type: 'renew', nowMs, leaseMs, token }));
      if (answer !== 'written') return lose(answer);
      scheduleHeartbeat();
    } catch (error) {
      // The fence timer stays armed: either a later beat gets through or the work stops before the lease ends.
      log('warning', 'heartbeat-failed', { job_id: id, attempt: held.job.attempt, error: String(error) });
      stopHeartbeat = clock.setTimer(() => void enqueue(beat), Math.min(leaseMs / 10, 1_000));
    }
  }

  function release(): void {
    released = true;
    stopHeartbeat();
    stopFence();
  }

  async function finish(outcome: FinishOutcome): Promise<'written' | 'lost'> {
    release();
    let sequence: number | undefined;
    const giveUpAtMs = clock.monotonicMs() + FINISH_PATIENCE_MS;
    for (;;) {
      try {
        const answer = await enqueue(() => {
          sequence ??= ++begun;
          return write(sequence, (nowMs) => ({ type: 'finish', nowMs, token, outcome }));
        });
        if (answer === 'written') return 'written';
        log('warning', 'finish-refused', { job_id: id, attempt: held.job.attempt, why: answer });
        return 'lost';
      } catch (error) {
        if (!isServiceError(error, 'store_unavailable') || clock.monotonicMs() >= giveUpAtMs) throw error;
        await sleep(clock, RETRY_PAUSE_MS);
      }
    }
  }

  scheduleHeartbeat();
  return { lost: lost.signal, finish, release };
}
