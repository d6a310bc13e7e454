/**
 * The holder of a lease: the one writer of its job in this process. Heartbeats, retries and the end go through one
 * queue, so that two writes are never in flight together, and every write is fenced by the revision that the last one
 * returned. It also gathers every reason to stop working on the job into one signal.
 */
import { describeError, isServiceError, ServiceError } from './errors.ts';
import type { Begun, FailedAttempt, JobEvent, Refusal } from './events.ts';
import type { Held, Holder, HolderAnswer } from './held.ts';
import { applyChanges } from './job.ts';
import { transition } from './lifecycle.ts';
import { limitsOf } from './limits.ts';
import { type Clock, type JobStore, type Log, sleep } from './ports.ts';
import { type StopCode, stopReason } from './stop-reasons.ts';

export type HolderOptions = { store: JobStore; clock: Clock; log: Log; leaseMs: number };

/** A write that meets a newer document is decided again on it, this often at most. */
const REBASES_MOST = 5;
/** A write that ends an attempt is tried again for this long while the store gives no answer: the call is paid for. */
export const PATIENCE_MS = 60_000;
export const RETRY_PAUSE_MS = 200;
/** The end of a job waits so long for the stages before it; those that are not written by then nobody misses. */
const STAGES_PATIENCE_MS = 1_000;

/** Starts the heartbeat of a job that was just claimed. */
export function holder({ store, clock, log, leaseMs }: HolderOptions, claimed: Held): Holder {
  const { tenant, id, token } = claimed.job;
  const { storedAtMs } = claimed;
  const stopped = new AbortController();
  let held = claimed;
  /** Number of the newest write that was begun. Each write has its own, and keeps it while it is tried again. */
  let begun = claimed.job.sequence;
  let queue: Promise<unknown> = Promise.resolve();
  let stopHeartbeat = () => {};
  let stopFence = () => {};
  let closed = false;
  let closedMs = Infinity;

  const facts = () => ({ job_id: id, attempt: held.job.attempt });
  /** The store's time now as it is stored and shown: not later than it really is. */
  const storeNowMs = () => held.readAtMs + Math.floor(clock.monotonicMs() - held.answeredMs);
  /** … and not earlier than it really is. */
  const latestNowMs = () => held.readAtMs + Math.ceil(clock.monotonicMs() - held.askedMs);
  const leftMs = () => storedAtMs + limitsOf(held.job).timeoutMs - storeNowMs();
  const instantIn = (ms: number) => latestNowMs() + ms;
  const surelyLeftMs = () => (held.job.leaseExpiresAt ?? 0) - latestNowMs() - leaseMs / 10;

  function stopFor(code: StopCode): void {
    if (stopped.signal.aborted) return;
    if (code === 'lease_lost') close();
    stopped.abort(stopReason(code));
  }

  function lose(why: string): void {
    if (stopped.signal.aborted) return;
    log('warning', 'lease-lost', { ...facts(), why });
    stopFor('lease_lost');
  }

  function enqueue<T>(write: () => Promise<T>): Promise<T> {
    const turn = queue.then(write);
    queue = turn.catch(() => undefined);
    return turn;
  }

  /** Writes what the event changes. A refusal comes from the table, on the newest document that was seen. */
  async function write(
    sequence: number,
    toEvent: (nowMs: number) => JobEvent,
    { isBestEffort = false } = {},
  ): Promise<'written' | Refusal> {
    for (let rebases = 0; rebases <= REBASES_MOST; rebases++) {
      const decision = transition(held.job, toEvent(storeNowMs()));
      if (decision.refused) return decision.refused;
      const changes = { ...decision.changes, sequence };
      const askedMs = clock.monotonicMs();
      const answer = await store.update({ tenant, id }, held.revision, changes).catch((error: unknown) => {
        if (isBestEffort || !isServiceError(error, 'store_unavailable')) throw error;
        return undefined;
      });
      if (answer && 'written' in answer) {
        const { revision, atMs: readAtMs } = answer.written;
        const job = applyChanges(held.job, changes);
        held = { job, revision, readAtMs, storedAtMs, askedMs, answeredMs: clock.monotonicMs() };
        return 'written';
      }
      // Refused, or of unknown fate: the document tells. Commits of ours that were answered "unavailable" do land.
      const lookedMs = clock.monotonicMs();
      const found = await store.get({ tenant, id });
      const isLost = !found || found.job.token !== token;
      // A silence may have been a write that landed before the job was taken over; a refusal is the fence.
      if (isLost && answer) log('warning', 'zombie-write-refused', facts());
      if (isLost) return 'lease-lost';
      held = { ...found, askedMs: lookedMs, answeredMs: clock.monotonicMs() };
      if (found.job.cancelRequestedAt !== undefined) stopFor('cancelled');
      if (found.job.sequence === sequence) return 'written';
    }
    throw new ServiceError('store_unavailable', 'The store refused a write too often.');
  }

  /** A write that ends an attempt: its number stays its own while the store is asked again and again. */
  async function settle(toEvent: (nowMs: number) => JobEvent, isMoot = () => false): Promise<HolderAnswer> {
    let sequence: number | undefined;
    const giveUpAtMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      if (isMoot()) return 'lost';
      try {
        const answer = await enqueue(() => {
          sequence ??= ++begun;
          return write(sequence, toEvent);
        });
        if (answer === 'written' || answer === 'cancelling') return answer;
        log('warning', 'write-refused', { ...facts(), why: answer });
        return 'lost';
      } catch (error) {
        if (!isServiceError(error, 'store_unavailable') || clock.monotonicMs() >= giveUpAtMs) throw error;
        await sleep(clock, RETRY_PAUSE_MS);
      }
    }
  }

  function scheduleHeartbeat(): void {
    stopHeartbeat();
    stopFence();
    if (closed) return;
    stopHeartbeat = clock.setTimer(() => void enqueue(beat), leaseMs / 3);
    // A holder that cannot renew stops its own work before anybody may take over.
    stopFence = clock.setTimer(() => lose('not renewed in time'), Math.max(0, surelyLeftMs()));
  }

  function check(): void {
    if (surelyLeftMs() <= 0) lose('not renewed in time');
  }

  async function beat(): Promise<void> {
    if (closed) return;
    try {
      const answer = await write(++begun, (nowMs) => ({ type: 'renew', nowMs, storedAtMs, leaseMs, token }));
      if (answer !== 'written') return lose(answer);
      scheduleHeartbeat();
    } catch (error) {
      // The fence timer stays armed: either a later beat gets through or the work stops before the lease ends.
      log('warning', 'heartbeat-failed', { ...facts(), error: describeError(error) });
      stopHeartbeat = clock.setTimer(() => void enqueue(beat), Math.min(leaseMs / 10, 1_000));
    }
  }

  async function show(stage: string): Promise<void> {
    // Who has stopped, or waits for the end, has no use for it; and it would renew a lease that was given up.
    const isLate = stopped.signal.aborted || clock.monotonicMs() - closedMs > STAGES_PATIENCE_MS;
    if (isLate || held.job.stage === stage) return;
    try {
      const event = { type: 'stage', storedAtMs, leaseMs, token, stage } as const;
      // One that has no answer is let go: whatever became of it, the next write finds out.
      const answer = await write(++begun, (nowMs) => ({ ...event, nowMs }), { isBestEffort: true });
      if (answer !== 'written') {
        if (!closed) lose(answer);
        return;
      }
      scheduleHeartbeat();
    } catch (error) {
      log('warning', 'stage-not-shown', { ...facts(), stage, error: describeError(error) });
    }
  }

  function close(): void {
    if (!closed) closedMs = clock.monotonicMs();
    closed = true;
    stopHeartbeat();
    stopFence();
    stopDeadline();
  }

  const stopDeadline = clock.setTimer(() => stopFor('job_timeout'), Math.max(0, leftMs()));
  // Where nobody asked for patience, its doorbell must not come before its time.
  const instantAfter = (pauseMs: number) => (pauseMs === 0 ? storeNowMs() : instantIn(pauseMs));
  function handBack(ended: FailedAttempt, pauseMs: number, route?: number): Promise<HolderAnswer> {
    close();
    const nextAttemptAt = instantAfter(pauseMs);
    return settle((nowMs) => ({ type: 'hand-back', nowMs, storedAtMs, token, ended, nextAttemptAt, route }));
  }
  function detach(begun: Begun, pauseMs: number): Promise<HolderAnswer> {
    close();
    const nextLookAt = instantAfter(pauseMs);
    return settle((nowMs) => ({ type: 'detach', nowMs, storedAtMs, token, ...begun, nextLookAt }));
  }

  scheduleHeartbeat();
  // A claim whose answer was lost may have been cancelled before it was found again.
  if (claimed.job.cancelRequestedAt !== undefined) stopFor('cancelled');
  return {
    job: () => held.job,
    stop: stopped.signal,
    stopFor,
    check,
    ...{ leftMs, instantIn },
    waitMs: () => (held.job.nextAttemptAt ?? 0) - storeNowMs(),
    stage: (stage) => void enqueue(() => show(stage)),
    async retry(ended, pauseMs, route) {
      const nextAttemptAt = instantIn(pauseMs);
      const event = { type: 'retry', storedAtMs, leaseMs, token, ended, nextAttemptAt, route } as const;
      const answer = await settle(
        (nowMs) => ({ ...event, nowMs }),
        () => closed,
      );
      if (answer !== 'written') return answer;
      scheduleHeartbeat();
      if (!closed) return answer;
      // The fence fell while this was written: nobody here works on the job any more, and the lease is new.
      await handBack({ outcome: 'released', errorCode: 'lease_lost', notMade: true }, pauseMs);
      return 'lost';
    },
    handBack,
    async attach(begun, pauseMs) {
      if (pauseMs !== undefined) return detach(begun, pauseMs);
      const event = { type: 'attach', storedAtMs, leaseMs, token, ...begun } as const;
      const answer = await settle((nowMs) => ({ ...event, nowMs }));
      if (answer !== 'written') return answer;
      scheduleHeartbeat();
      // As after a retry: the lease is new, and nobody here has use for it.
      return closed ? detach(begun, 0) : answer;
    },
    finish(outcome) {
      close();
      return settle((nowMs) => ({ type: 'finish', nowMs, token, outcome }));
    },
    close,
  };
}
