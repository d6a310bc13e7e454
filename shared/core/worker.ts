/**
 * One worker instance: takes jobs as their doorbells come, hears of cancels, and can be told to stop. Every outcome that
 * the store answered is a value; only a store that gave no answer throws (`store_unavailable`), so that the queue
 * delivers again.
 */
import { type Claim, type ClaimOptions, type ClaimRefusal, claimJob } from './claim.ts';
import type { RunOutcome } from './following.ts';
import type { Holder } from './held.ts';
import { type JobKey, jobName } from './job.ts';
import { hasDueNotices } from './outbox.ts';
import { sleep } from './ports.ts';
import { ringDoorbell } from './ring.ts';
import { type RunOptions, runClaimed } from './run.ts';
import { type TellingOptions, telling } from './telling.ts';
import { factsOf, parentFor, untraced } from './tracing.ts';

export type WorkerOptions = ClaimOptions & RunOptions & TellingOptions;

/** `refused`: there was nothing to do. */
export type WorkOutcome = RunOutcome | { refused: ClaimRefusal };

export type Worker = {
  /** Runs one job, if it can be claimed; else tells others of it, if there is anything to be told. */
  run(key: JobKey): Promise<WorkOutcome>;
  /**
   * Takes no more jobs, lets those under way end for `graceMs`, and hands the others back so that their next attempts
   * start at once elsewhere. Resolves when this instance holds nothing, or could not hand everything back in two seconds.
   */
  drain(graceMs: number): Promise<void>;
  /** Stops listening for cancels. */
  close(): void;
};

/** A store that does not answer must not hold a process that has to end; the leases end by themselves. */
const HAND_BACK_MS = 2_000;

/** A worker that holds nothing yet. */
export function jobWorker(options: WorkerOptions): Worker {
  const { store, clock, log, instance, tracing = untraced } = options;
  const { tell } = telling({ ...options, isStopping: () => isDraining });
  /** Claims under way: copies of a doorbell that come meanwhile need no look of their own. */
  const claiming = new Map<string, Promise<Claim>>();
  /** Of one job there may be two: one that lost its lease and does not know, and the one that took over. */
  const holders = new Set<Holder>();
  const underWay = new Set<Promise<unknown>>();
  /** Of the claims under way, each of which may wait for something: one signal for all would have too many listeners. */
  const stops = new Set<AbortController>();
  let isDraining = false;
  let stopWatching: (() => void) | undefined;

  async function claimNow(key: JobKey): Promise<Claim> {
    const stop = new AbortController();
    stops.add(stop);
    if (isDraining) stop.abort();
    try {
      return await claimJob({ ...options, stop: stop.signal }, key);
    } finally {
      stops.delete(stop);
    }
  }

  async function claimOnce(key: JobKey): Promise<Claim> {
    const name = jobName(key);
    const shared = claiming.get(name);
    if (shared) {
      const claim = await shared;
      // A refusal may be older than this doorbell, which deserves a look of its own.
      return 'refused' in claim ? claimNow(key) : { refused: 'leased' };
    }
    const claim = claimNow(key);
    claiming.set(name, claim);
    try {
      return await claim;
    } finally {
      claiming.delete(name);
    }
  }

  async function work(key: JobKey): Promise<WorkOutcome> {
    const claim = await claimOnce(key);
    if ('refused' in claim) {
      log('debug', 'claim-refused', { job_id: key.id, why: claim.refused });
      if (claim.toTell) await tell(key, claim.toTell);
      return { refused: claim.refused };
    }
    // That it was started is told by whoever is free.
    const { job, readAtMs } = claim.held;
    const rung = hasDueNotices(job, readAtMs) ? ringDoorbell(options, job) : undefined;
    let mine: Holder | undefined;
    const onHeld = (lease: Holder) => {
      mine = lease;
      holders.add(lease);
      if (isDraining) lease.stopFor('drained');
    };
    try {
      return await tracing.span('run', { parent: parentFor(tracing, job.traceparent), facts: factsOf(job) }, () =>
        runClaimed(options, claim, { onHeld, isStopping: () => isDraining }),
      );
    } finally {
      if (mine) holders.delete(mine);
      await rung;
    }
  }

  return {
    async run(key) {
      if (isDraining) return { refused: 'draining' };
      stopWatching ??= store.watchCancels(instance, (cancelled) => {
        for (const lease of holders) if (jobName(lease.job()) === jobName(cancelled)) lease.stopFor('cancelled');
      });
      const working = work(key);
      underWay.add(working);
      try {
        return await working;
      } finally {
        underWay.delete(working);
      }
    },

    async drain(graceMs) {
      isDraining = true;
      for (const stop of stops) stop.abort();
      if (underWay.size === 0) return;
      log('info', 'draining', { jobs: underWay.size, grace_ms: graceMs });
      const over = new AbortController();
      const ended = Promise.allSettled(underWay).then(() => over.abort());
      await sleep(clock, graceMs, over.signal);
      for (const lease of holders) lease.stopFor('drained');
      await Promise.race([ended, sleep(clock, HAND_BACK_MS, over.signal)]);
    },

    close() {
      stopWatching?.();
    },
  };
}
