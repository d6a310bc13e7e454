/** How a worker gets a job: read it, and write the claim, or what happens in its place, under the revision that was read. */
import { cleanUpAfter } from './aftermath.ts';
import {
  afterOf,
  type DecidedInstead,
  type DecisionOptions,
  decideClaim,
  decideClaimable,
  decideInstead,
  forgetOutrun,
  type Learned,
  type Look,
  passOf,
} from './claim-decision.ts';
import { isServiceError } from './errors.ts';
import type { Refusal } from './events.ts';
import type { Held } from './held.ts';
import { applyChanges, isTerminal, type Job, type JobChanges, type JobKey, type Json } from './job.ts';
import { logEnd } from './job-ended.ts';
import { isLeaseAlive, onRoute } from './leases.ts';
import type { Admission, Limiter, Prepare } from './limiter.ts';
import {
  type ChunkStore,
  type Clock,
  type FoundJob,
  type JobQueue,
  type JobStore,
  type Log,
  type StoredJob,
  sleep,
} from './ports.ts';
import type { Reserving } from './reserving.ts';
import type { Pass } from './routing.ts';
import { isForWorker } from './waking.ts';

export type ClaimOptions = DecisionOptions & {
  store: JobStore;
  chunks: ChunkStore;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  newId: () => string;
  /** Where the number of running jobs is limited. */
  limiter?: Limiter | undefined;
  /** Where jobs take from their users' accounts. */
  credits?: Reserving | undefined;
};

/**
 * `denied`: its user's account has too little for it, or its input is damaged, and the job was ended. `parked`, `deferred`:
 * it waits. `answered`: an equal job had its answer. `draining`: this instance takes no more jobs, another one must be asked.
 */
export type ClaimRefusal = Refusal | OtherRefusal;
type OtherRefusal = 'unknown-job' | 'contended' | 'denied' | 'parked' | 'deferred' | 'answered' | 'draining';
/** `pass`: the right to its call; whoever has the claim has to end it. */
export type Claim = { held: Held; input: Json; pass?: Pass | undefined } | Refused;
/** `toTell`: the job as it was last seen, where others were not told something of it yet. */
type Refused = { refused: ClaimRefusal; toTell?: FoundJob };

/** A claim that loses a race looks again this often. Each look either finds a live lease or a job still free. */
const CLAIM_TRIES = 5;
/** One that needs a slot, or a hold, races with every other job that takes of the same, or gives back. */
const LIMITED_TRIES = 20;
/** Before another look, a random part of this, which doubles: those that collided must not collide again. */
const CLAIM_PAUSE_MS = 20;
const CLAIM_PAUSE_MOST_MS = 640;

/** Kept from one try to the next. */
type Tried = Learned & {
  /** Of the claim, whichever of its tries is written. */
  token: string;
  /** The job as it was last seen. */
  seen?: FoundJob | undefined;
  /** What the store threw in place of an answer to a write: a claim of ours may still land. */
  silence?: unknown;
};

/**
 * Claims a job; the write records the first call. A job whose time is over is ended instead. Throws `store_unavailable`
 * while a claim of ours may still land: that doorbell must come again.
 */
export async function claimJob(options: ClaimOptions, key: JobKey): Promise<Claim> {
  const tried: Tried = { token: options.newId() };
  let claim: Claim | undefined;
  try {
    claim = await tryToClaim(options, key, tried);
    const { seen } = tried;
    if (seen) await afterOf(tried)?.(seen.job);
    return 'refused' in claim && seen?.job.outbox ? { ...claim, toTell: seen } : claim;
  } finally {
    if (!claim || 'refused' in claim) passOf(tried).pass?.end('unused');
  }
}

async function tryToClaim(options: ClaimOptions, key: JobKey, tried: Tried): Promise<Claim> {
  const { clock, random } = options;
  for (let tries = 0; ; tries++) {
    if (tries > 0) await sleep(clock, random() * Math.min(CLAIM_PAUSE_MS * 2 ** tries, CLAIM_PAUSE_MOST_MS));
    const look = await lookAt(options, key, tried);
    if ('held' in look || 'refused' in look) return look;
    const { stored } = look;
    // The claim that is written is decided when its turn has come.
    const first = decideClaim(options, stored, stored.readAtMs, { token: tried.token, isLimited: false });
    if ('refused' in first) return first;
    if (tries >= triesMost(options, stored.job, tried)) break;
    forgetOutrun(tried, stored.job);
    const next = 'claim' in first ? await decideClaimable(options, look, tried) : first;
    // A look after a pause of its own is a first one.
    if (next === 'again') tries = -1;
    if (typeof next === 'string') continue;
    if ('refused' in next) return next;
    const claim =
      'input' in next
        ? await writeClaim(options, look, next.input, tried)
        : await writeInstead(options, look, next, tried);
    if (claim) return claim;
  }
  // Not acknowledged while a claim of ours may still land.
  if (tried.silence) throw tried.silence;
  return { refused: 'contended' };
}

/** The job as it is now, unless it is ours already. */
async function lookAt({ store, clock }: ClaimOptions, key: JobKey, tried: Tried): Promise<Look | Claim> {
  const askedMs = clock.monotonicMs();
  const found = await store.getWithInput(key);
  if (!found) return { refused: 'unknown-job' };
  const answeredMs = clock.monotonicMs();
  const { input, ...stored } = found;
  tried.seen = { ...stored, askedMs, answeredMs };
  // Our claim of a moment ago, whose answer we did not get, unless too much has happened since.
  if (stored.job.token === tried.token) {
    if (!isLeaseAlive(stored.job, stored.readAtMs)) return { refused: 'lease-ended' };
    if (tried.input && 'input' in tried.input)
      return { held: tried.seen, input: tried.input.input, pass: passOf(tried).pass };
  }
  return { stored, input, nowMs: () => stored.readAtMs + Math.floor(clock.monotonicMs() - answeredMs) };
}

/** A store that gives no answer is not a race with others. */
function triesMost(options: ClaimOptions, job: Job, { silence }: Tried): number {
  const isLimited = limiterFor(options, job) !== undefined || creditsFor(options, job) !== undefined;
  return isLimited && !silence ? LIMITED_TRIES : CLAIM_TRIES;
}

function limiterFor({ limiter }: ClaimOptions, job: Job): Limiter | undefined {
  return limiter?.limits(job) ? limiter : undefined;
}

/** What an earlier claim reserved is the job's until it is over. */
function creditsFor({ credits }: ClaimOptions, job: Job): Reserving | undefined {
  return job.hold || job.upstream ? undefined : credits;
}

/** Claims the job, or parks or denies it where there is too little for it; `undefined`: look at it again. */
async function writeClaim(options: ClaimOptions, look: Look, input: Json, tried: Tried): Promise<Claim | undefined> {
  const { clock } = options;
  const { stored, nowMs } = look;
  const { pass, leads } = passOf(tried);
  // It needs a slot of the model that it will call.
  const going = { ...onRoute(stored.job, pass?.route), leads: leads ?? stored.job.leads };
  const claimed = { ...stored, job: applyChanges(stored.job, going) };
  const limiter = limiterFor(options, claimed.job);
  const credits = creditsFor(options, stored.job);
  const taken = { token: tried.token, isLimited: limiter !== undefined, route: pass?.route, leads };
  let changes: JobChanges = {};
  let askedMs = clock.monotonicMs();
  const prepare: Prepare = async () => {
    const reserved = await credits?.reserve(stored.job);
    if (reserved && 'denied' in reserved) return reserved;
    const claimNow = () => {
      // Others had their turn first: the lease begins when it is written.
      askedMs = clock.monotonicMs();
      const decided = decideClaim(options, stored, nowMs(), { ...taken, hold: reserved?.hold });
      if (!('claim' in decided)) return undefined;
      changes = decided.claim;
      return changes;
    };
    return { claimNow, account: reserved?.account };
  };
  const answer = await orSilence(admit({ store: options.store, limiter, credits }, claimed, prepare), tried);
  if (answer && 'denied' in answer) {
    const denial = decideInstead(look, { type: 'deny', error: answer.denied, leads });
    return denial === 'changed' ? undefined : writeInstead(options, look, denial, tried);
  }
  if (answer && 'refused' in answer && answer.refused === 'parked') {
    if (tried.silence) throw tried.silence;
    return { refused: 'parked' };
  }
  if (!answer || 'refused' in answer) return undefined;
  const { revision, atMs: readAtMs } = answer.written;
  const job = applyChanges(stored.job, changes);
  tried.seen = { ...stored, job, revision, readAtMs, askedMs, answeredMs: clock.monotonicMs() };
  return { held: tried.seen, input, pass };
}

/** Writes what happens in place of a claim; `undefined`: look at the job again. */
async function writeInstead(
  options: ClaimOptions,
  { stored }: Look,
  { instead, told }: DecidedInstead,
  tried: Tried,
): Promise<{ refused: ClaimRefusal } | undefined> {
  const { clock } = options;
  const askedMs = clock.monotonicMs();
  const answer = await orSilence(options.store.update(stored.job, stored.revision, instead), tried);
  if (!answer || 'refused' in answer) return undefined;
  const { revision, atMs: readAtMs } = answer.written;
  const job = applyChanges(stored.job, instead);
  tried.seen = { ...stored, job, revision, readAtMs, askedMs, answeredMs: clock.monotonicMs() };
  if (isTerminal(job.state)) logEnd(options.log, job);
  else options.log('info', 'job-put-off', { job_id: job.id, attempt: job.attempt, state: job.state });
  await cleanUpAfter(options, job);
  // One that only had to be rung has its worker here.
  return told === 'overdue' && isForWorker(job, readAtMs) ? undefined : { refused: told };
}

/** A write of unknown fate is not an error yet: the next look tells whether it landed. */
async function orSilence<T>(write: Promise<T>, tried: Tried): Promise<T | undefined> {
  try {
    return await write;
  } catch (error) {
    if (!isServiceError(error, 'store_unavailable')) throw error;
    tried.silence = error;
    return undefined;
  }
}

/** Takes a slot, where they are limited, and a hold, where credits are on, both or neither with the claim. */
function admit(
  { store, limiter, credits }: Pick<ClaimOptions, 'store' | 'limiter' | 'credits'>,
  stored: StoredJob,
  prepare: Prepare,
): Promise<Admission> {
  if (limiter) return limiter.admit(stored, prepare);
  const { job, revision } = stored;
  const write = async (): Promise<Admission> => {
    const ready = await prepare();
    if ('denied' in ready) return ready;
    const changes = ready.claimNow();
    return changes ? store.update(job, revision, changes, { account: ready.account }) : { refused: 'changed' };
  };
  return credits ? credits.inTurn(job, write) : write();
}
