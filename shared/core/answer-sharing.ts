/**
 * One call for equal jobs. The first of them leads; the others, its followers, wait for its end for a while in their
 * workers, then parked, and get its answer. A leader that ends without one leaves its place to exactly one of those who ask.
 */
import type { Seen } from './access.ts';
import { type AddressOf, answerKey } from './answer-key.ts';
import { describeError, isServiceError } from './errors.ts';
import type { Gate, Gated } from './gate.ts';
import type { Sha256 } from './ids.ts';
import { isTerminal, type Job, type Json } from './job.ts';
import type { JobType } from './job-type.ts';
import { jobWatch } from './job-watch.ts';
import type { LeaderKey, LeaderStore } from './leader-store.ts';
import { awaitedAs, isShared, leadsUntil, standingOf } from './leading.ts';
import { deadlineOf } from './limits.ts';
import type { PartSet } from './part-set.ts';
import type { PartStore } from './part-store.ts';
import { CHECK_AFTER_MS, copyParts, names, partsDeleteAt } from './parts.ts';
import type { ChunkStore, Clock, JobQueue, JobStore, Log, StoredJob } from './ports.ts';
import { cacheResult, type ResultCaching } from './result-cache.ts';
import { ringDoorbell } from './ring.ts';

export type SharingOptions = ResultCaching & {
  store: JobStore;
  leaders: LeaderStore;
  chunks: ChunkStore;
  parts: PartStore;
  queue: JobQueue;
  jobTypes: ReadonlyMap<string, JobType>;
  clock: Clock;
  log: Log;
  newId: () => string;
  addressOf: AddressOf;
  /** Web Crypto's when absent. */
  sha256?: Sha256 | undefined;
  /** So many deliveries of this process wait at once; more are parked, or nobody would be left for other jobs. */
  followersMost: number;
};

export type AnswerSharing = {
  gate: Gate;
  /** Lets everybody go who waits, for good. */
  close(): void;
};

/** A delivery is held so long for an answer at most. */
export const FOLLOW_MS = 60_000;
/** One in so many of a process's deliveries may wait, … */
const LANES_TO_FOLLOWER = 3;
/** … and no more than these. */
const FOLLOWERS_MOST = 16;
/** That a lease has ended nobody says. */
const LOOK_MS = 1_000;
/** Nor that a job is over that nobody holds: who waits for long looks whether its own still is there. */
const OWN_LOOK_MS = 10_000;

/** How many of a process may wait that works on so many jobs at once. */
export function followersMost(jobsAtOnce: number): number {
  return Math.min(FOLLOWERS_MOST, Math.max(1, Math.floor(jobsAtOnce / LANES_TO_FOLLOWER)));
}

/** One for all of a process: its followers of one leader share a listener. */
export function answerSharing(options: SharingOptions): AnswerSharing {
  const { store, leaders, clock, log } = options;
  const watch = jobWatch(options);
  let waiting = 0;

  /** Waits until nobody works on the leader any more, as long as there is time, and somebody who waits. */
  async function whileHeld(
    found: StoredJob,
    { job, cacheMs, untilMs, stop }: { job: Job; cacheMs: number; untilMs: number; stop: AbortSignal | undefined },
  ): Promise<Seen | 'over' | undefined> {
    let lookAtMs = clock.monotonicMs() + OWN_LOOK_MS;
    const watching = watch.join(found.job);
    watch.offer(found);
    waiting += 1;
    try {
      for (;;) {
        const mark = watching.news.count();
        const seen = watching.seen();
        const leftMs = untilMs - clock.monotonicMs();
        const isHeld = standingOf(seen, cacheMs) === 'held';
        if (!isHeld || leftMs <= 0 || stop?.aborted || watching.isClosed()) return seen;
        if (clock.monotonicMs() >= lookAtMs) {
          lookAtMs += OWN_LOOK_MS;
          const own = await store.get(job);
          if (!own || isTerminal(own.job.state)) return 'over';
        }
        await watching.news.changed(mark, Math.min(leftMs, LOOK_MS), stop);
      }
    } finally {
      waiting -= 1;
      watching.leave();
    }
  }

  /** `undefined`: without its type, or a request, the job fails, and says so. */
  async function keyOf(job: Job, input: Json): Promise<LeaderKey | undefined> {
    const type = options.jobTypes.get(job.jobType);
    if (!type) return undefined;
    const { addressOf, sha256 } = options;
    return answerKey(job, input, type, addressOf, sha256).catch((error: unknown) => unkeyed(job, error));
  }

  function unkeyed({ id }: Job, error: unknown): undefined {
    log('warning', 'answer-unshared', { job_id: id, error: describeError(error) });
  }

  async function follow(
    { job, readAtMs, storedAtMs }: StoredJob,
    cacheMs: number,
    key: LeaderKey,
    stop?: AbortSignal,
  ): Promise<Gated> {
    const { tenant, id } = job;
    const deleteAt = leadsUntil(job, storedAtMs);
    const untilMs = clock.monotonicMs() + Math.min(FOLLOW_MS, deadlineOf(job, storedAtMs).atMs - readAtMs);
    let hasWaited = false;
    for (;;) {
      const leaderId = await leaders.get(key);
      const leaderKey = leaderId === undefined || leaderId === id ? undefined : { tenant, id: leaderId };
      const found = leaderKey && (await store.get(leaderKey));
      let seen: Seen | undefined = found && { job: found.job, nowMs: found.readAtMs };
      const mayWait = leaderKey && found && !isParkedFor(job, found.job, key) && waiting < options.followersMost;
      if (mayWait && standingOf(seen, cacheMs) === 'held') {
        if (!hasWaited) log('info', 'answer-awaited', { job_id: id, leader_id: leaderKey.id });
        hasWaited = true;
        const held = await whileHeld(found, { job, cacheMs, untilMs, stop });
        if (held === 'over') return { again: true };
        seen = held;
      }
      if (stop?.aborted) return { refused: 'draining' };
      const standing = standingOf(seen, cacheMs);
      if (seen && (standing === 'held' || standing === 'waiting')) return parkFor(job, seen.job, key);
      // It may have come to its answer elsewhere than where it was chosen.
      const isEqual = standing === 'good' && seen?.job.leads === key.key;
      const reused = seen && isEqual ? await reuse(options, job, seen.job) : undefined;
      if (reused) return reused;
      const leads = leaderId === id ? id : await leaders.lead(key, id, { before: leaderId, deleteAt });
      // Somebody else was faster.
      if (leads !== id) continue;
      return hasWaited ? { again: true } : { leads: key.key };
    }
  }

  /** The job is rung when its leader ends, unless that has ended before this is written. */
  function parkFor(job: Job, leader: Job, key: LeaderKey): Gated {
    if (isParkedFor(job, leader, key)) return { refused: 'parked' };
    const parkedFor = awaitedAs(leader);
    return {
      instead: { type: 'park', parkedFor },
      after: unhurt(log, async (now) => {
        if (now.parkedFor !== parkedFor) return;
        const found = await store.get(leader);
        if (!found || isTerminal(found.job.state)) await ringDoorbell(options, now);
      }),
    };
  }

  return {
    async gate(found, input, stop) {
      const { job } = found;
      const hasBegun = job.attempt > 0;
      if (job.cacheMs === undefined || !isShared(job) || (hasBegun && job.leads === undefined)) return {};
      const key = await keyOf(job, input);
      // One that has made a call of its own goes on, under another key where the next one goes elsewhere.
      if (!key || hasBegun) return { leads: key?.key };
      return follow(found, job.cacheMs, key, stop);
    },
    close: watch.close,
  };
}

/**
 * Does the job wait for this leader already? One that came into the lead a moment ago may not say so yet: whoever waits for
 * its key need not be parked for it anew.
 */
function isParkedFor({ parkedFor }: Job, leader: Job, { key }: LeaderKey): boolean {
  return parkedFor === awaitedAs({ id: leader.id, leads: leader.leads ?? key }) || parkedFor === awaitedAs(leader);
}

/** The end of a job with the leader's answer; `undefined` when that is not there any more. Throws `store_unavailable`. */
async function reuse(options: SharingOptions, job: Job, leader: Job): Promise<Gated | undefined> {
  const { parts, log } = options;
  const answer = { id: leader.id, completedAt: leader.completedAt ?? 0 };
  const set = leader.parts?.result;
  const apart = set && (await copied(options, job, leader, set));
  if (set && !apart) return undefined;
  return {
    instead: { type: 'reuse', answer, ...(apart ? { apart } : { result: leader.result }) },
    after: unhurt(log, async (now) => {
      if (now.answerOf?.id === leader.id) {
        log('info', 'answer-reused', { job_id: job.id, answer_of: leader.id });
        await cacheResult(options, now);
      }
      // It was cancelled meanwhile, or somebody else answered it.
      if (apart && !names(now, apart.name)) await parts.remove({ tenant: job.tenant, id: job.id, set: apart.name });
    }),
  };
}

/** A large answer beside this job, too: the leader's own goes with the leader. */
async function copied(
  { parts, clock, newId, log }: SharingOptions,
  job: Job,
  leader: Job,
  set: PartSet,
): Promise<PartSet | undefined> {
  const { tenant, id } = job;
  const nowMs = clock.nowMs();
  const times = { deleteAt: partsDeleteAt(job, nowMs), checkAt: nowMs + CHECK_AFTER_MS };
  try {
    return await copyParts(parts, { from: leader, set }, { tenant, id, set: `answer-${newId()}` }, times);
  } catch (error) {
    if (!isServiceError(error, 'internal_error')) throw error;
    // Deleted a moment ago, or damaged for ever: another answer has to be made.
    log('warning', 'answer-unread', { job_id: id, leader_id: leader.id, error: describeError(error) });
    return undefined;
  }
}

/** For what follows a write that is done: it must not fail for that. */
function unhurt(log: Log, work: (job: Job) => Promise<void>): (job: Job) => Promise<void> {
  return (job) =>
    work(job).catch((error: unknown) => {
      log('warning', 'answer-unfollowed', { job_id: job.id, error: describeError(error) });
    });
}
