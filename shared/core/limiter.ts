/**
 * Keeps the number of a tenant's running jobs within its limits. Who claims a job takes a slot in the same commit, or
 * parks the job; whoever gives a slot back hands it on to the job that has been parked longest, before anybody new may
 * take it: the slot set says that somebody waits, and who claims looks first whose turn it is.
 */
import type { AccountChange } from './accounts.ts';
import type { Denial } from './credits.ts';
import { describeError, isServiceError } from './errors.ts';
import { applyChanges, type Job, type JobChanges } from './job.ts';
import { transition } from './lifecycle.ts';
import {
  type Clock,
  type Doorbell,
  type JobQueue,
  type JobStore,
  type Log,
  type StoredJob,
  sleep,
  type Written,
} from './ports.ts';
import { ringDoorbell } from './ring.ts';
import { isOfNewerVersion } from './schema-version.ts';
import {
  fullFor,
  isLimited,
  lineOf,
  modelOf,
  needsOtherSlot,
  RESERVATION_MS,
  type RunningLimits,
  type SlotSet,
  turnsIn,
} from './slots.ts';
import { turns } from './turns.ts';

/**
 * A claim that can be written: `claimNow` makes it when its turn has come (`undefined`: it may not be any more), and
 * `account` reserves for it in the same commit.
 */
export type ReadyClaim = { claimNow: () => JobChanges | undefined; account?: AccountChange | undefined };
/** Looks whether the job's account has enough for it, just before its claim is written. */
export type Prepare = () => Promise<ReadyClaim | { denied: Denial }>;

/** `parked`: the job waits for a slot. `changed`: look at the job again. `denied`: nothing was written. */
export type Admission = { written: Written } | { refused: 'changed' | 'missing' | 'parked' } | { denied: Denial };

export type Limiter = {
  /** Does a limit apply to this job? Otherwise it is claimed as if there were none. */
  limits(job: Job): boolean;
  /** Must this job be claimed anew to go to that route? */
  needsOtherSlot(job: Job, route: number): boolean;
  /** Writes a claim that takes a slot until its `slotUntil`, or parks the job. Throws `store_unavailable`. */
  admit(stored: StoredJob, prepare: Prepare): Promise<Admission>;
  /**
   * Gives free slots to the jobs that are parked for them, the oldest first, and rings them. Answers their ids. Throws
   * `store_unavailable`.
   */
  handOn(tenant: string): Promise<string[]>;
};

export type LimiterOptions = {
  /** The store itself: what is done here must not be handed on once more. */
  store: JobStore;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  /** Between 0 and 1. */
  random: () => number;
  limits: RunningLimits;
};

/** Slots handed on, and races lost, in one go; whoever comes next goes on. */
const ROUNDS_MOST = 20;
const PAUSE_LEAST_MS = 10;
const PAUSE_MOST_MS = 300;
/** Two tell whether somebody else waits, too. */
const LOOK_AT = 2;
/** Firestore's `in` takes no more. */
const NAMES_MOST = 30;

type Taken =
  | { written: Written; over: readonly string[] }
  | { refused: 'changed' | 'missing' }
  | { denied: Denial }
  | { waitFor: string; set: SlotSet };
type Round = 'over' | 'again' | 'raced' | { promoted: Doorbell; over: readonly string[]; isMore: boolean };

/** One for all of a process: the jobs that it claims take turns at the slot set of their tenant. */
export function concurrencyLimiter(options: LimiterOptions): Limiter {
  const { store, clock, log, random, limits } = options;
  /** One at a time within this process, at the slot set of a tenant. */
  const inTurn = turns();

  const turnsOf = (tenant: string, set: SlotSet) => turnsIn({ limits, tenant, set }).slice(0, NAMES_MOST);
  const oldest = (tenant: string, names: readonly string[]) => store.parked(tenant, names, LOOK_AT);

  /** Takes a slot if it is the job's turn; otherwise, what it has to wait for. */
  async function take({ job, revision }: StoredJob, prepare: Prepare): Promise<Taken> {
    const { tenant, id } = job;
    const ready = await prepare();
    if ('denied' in ready) return ready;
    const set = await store.slots(tenant);
    // What a provider works on by itself runs in any case: also if nobody renewed its slot in time.
    const isRunning = job.upstream !== undefined || set.running[id] !== undefined;
    const full = job.upstream ? undefined : fullFor({ limits, tenant, set }, job);
    if (full) return { waitFor: full, set };
    const turns = isRunning ? [] : turnsOf(tenant, set);
    const waiting = turns.length > 0 ? await oldest(tenant, turns) : [];
    const others = waiting.filter((found) => found.job.id !== id);
    const first = others.find(isOurs);
    if (first && first.job.createdAt <= job.createdAt) return { waitFor: lineOf(limits, job), set };
    const over = others.length > 0 ? [] : turns;
    const claim = ready.claimNow();
    if (!claim) return { refused: 'changed' };
    const slot = { take: modelOf(job), seen: set, over };
    const answer = await store.update(job, revision, claim, { slot, account: ready.account });
    return { ...answer, over };
  }

  /** Parks the job, unless it is parked for that already, and looks once more whether a slot is free. */
  async function park(stored: StoredJob, waitFor: string, seen: SlotSet): Promise<Admission> {
    const { job, revision, readAtMs: nowMs, storedAtMs } = stored;
    const { tenant, route, leads } = job;
    let parked = stored;
    let set = seen;
    if (job.parkedFor !== waitFor) {
      const { changes } = transition(job, { type: 'park', nowMs, storedAtMs, parkedFor: waitFor, route, leads });
      if (!changes) return { refused: 'changed' };
      const slot = seen.waiting.includes(waitFor) ? undefined : { waitFor };
      const answer = await store.update(job, revision, changes, { slot });
      if ('refused' in answer) return answer;
      log('info', 'job-parked', { job_id: job.id, attempt: job.attempt, slots_of: waitFor });
      parked = { ...stored, job: applyChanges(job, changes), revision: answer.written.revision };
      set = await store.slots(tenant);
    }
    // A slot that was given back before this look was handed on without us. One that is given back later finds us, if
    // the set still says that somebody waits.
    if (!set.waiting.includes(waitFor)) {
      if (!(await announce(parked))) return { refused: 'changed' };
      set = await store.slots(tenant);
    }
    const isRoom = turnsOf(tenant, set).length > 0;
    const promoted = isRoom ? await handOn(tenant, job.id) : [];
    return { refused: promoted.includes(job.id) ? 'changed' : 'parked' };
  }

  /** Says of a parked job that it waits; `false`: it is not as it was any more. */
  async function announce({ job, revision }: StoredJob): Promise<boolean> {
    const { parkedFor = '' } = job;
    return 'written' in (await store.update(job, revision, { parkedFor }, { slot: { waitFor: parkedFor } }));
  }

  /**
   * Somebody may have parked just before it was written that nobody waits for `over` any more, and have read the word
   * from before: it is said again. Answers whether anybody did.
   */
  async function announceMissed(tenant: string, over: readonly string[]): Promise<boolean> {
    for (let rounds = 0; over.length > 0 && rounds < ROUNDS_MOST; rounds++) {
      const [found] = await oldest(tenant, over);
      if (!found || !isOurs(found)) return false;
      if (await announce(found)) return true;
    }
    return over.length > 0;
  }

  /** One slot to one job. */
  async function promoteOldest(tenant: string): Promise<Round> {
    const set = await store.slots(tenant);
    const turns = turnsOf(tenant, set);
    // That nobody waits any more is written down by the next one who takes a slot.
    const waiting = turns.length > 0 ? await oldest(tenant, turns) : [];
    const first = waiting.find(isOurs);
    if (!first) return 'over';
    const { job, revision, readAtMs: nowMs, storedAtMs } = first;
    const full = fullFor({ limits, tenant, set }, job);
    if (full) {
      // It waits for its model now, or it would stand in the way of others.
      const { changes } = transition(job, { type: 'park', nowMs, storedAtMs, parkedFor: full });
      if (changes) await store.update(job, revision, changes, { slot: { waitFor: full } });
      return 'again';
    }
    const { changes } = transition(job, { type: 'promote', nowMs, storedAtMs, slotUntil: nowMs + RESERVATION_MS });
    if (!changes) return 'raced';
    const isLast = waiting.length === 1;
    const over = isLast ? turns : [];
    const slot = { take: modelOf(job), seen: set, over };
    const answer = await store.update(job, revision, changes, { slot }).catch((error: unknown) => {
      // It may have landed, and then nobody would ring: one doorbell too many costs two reads.
      if (isServiceError(error, 'store_unavailable')) return undefined;
      throw error;
    });
    if (answer && 'refused' in answer) return 'raced';
    log('info', 'job-promoted', { job_id: job.id, attempt: job.attempt, parked_ms: nowMs - (job.parkedAt ?? nowMs) });
    const running = { ...set.running, [job.id]: { model: modelOf(job), expiresAt: nowMs + RESERVATION_MS } };
    const isMore = !isLast && turnsOf(tenant, { ...set, running }).length > 0;
    return { promoted: job, over, isMore };
  }

  /** Whoever hands on to itself needs no doorbell. */
  async function handOn(tenant: string, self?: string): Promise<string[]> {
    const promoted: string[] = [];
    let races = 0;
    for (let rounds = 0; rounds < ROUNDS_MOST; rounds++) {
      const round = await inTurn(tenant, () => promoteOldest(tenant));
      if (round === 'over') break;
      if (round === 'raced') await sleep(clock, random() * Math.min(PAUSE_LEAST_MS * 2 ** races++, PAUSE_MOST_MS));
      if (typeof round === 'string') continue;
      promoted.push(round.promoted.id);
      if (round.promoted.id !== self) await ringDoorbell(options, round.promoted);
      if (!(await announceMissed(tenant, round.over)) && !round.isMore) break;
    }
    return promoted;
  }

  return {
    limits: (job) => isLimited(limits, job),
    needsOtherSlot: (job, route) => needsOtherSlot(limits, job, route),
    async admit(stored, prepare) {
      const { tenant } = stored.job;
      const taken = await inTurn(tenant, () => take(stored, prepare));
      if ('waitFor' in taken) return park(stored, taken.waitFor, taken.set);
      if (!('written' in taken)) return taken;
      try {
        if (await announceMissed(tenant, taken.over)) await handOn(tenant);
      } catch (error) {
        // The slot is taken all the same; who missed it is rung by the sweeper.
        log('warning', 'slot-not-handed-on', { job_id: stored.job.id, error: describeError(error) });
      }
      return taken;
    },
    handOn: (tenant) => handOn(tenant),
  };
}

/** Those of a newer version have workers of their own, and must not keep ours from working. */
function isOurs({ job }: StoredJob): boolean {
  return !isOfNewerVersion(job);
}
