/** How a worker gets a job: read it, and write the claim under the revision that was read. */
import { afterEnd } from './aftermath.ts';
import type { Hold } from './costs.ts';
import { isServiceError } from './errors.ts';
import type { Decision, EventOf, Refusal } from './events.ts';
import type { Gate, Gated } from './gate.ts';
import type { Held } from './held.ts';
import { applyChanges, isTerminal, type Job, type JobError, type JobKey, type Json } from './job.ts';
import type { JobType } from './job-type.ts';
import { isLeaseAlive, onRoute } from './leases.ts';
import { transition } from './lifecycle.ts';
import type { Admission, Limiter, Prepare } from './limiter.ts';
import type { PartStore } from './part-store.ts';
import { wholeInput } from './parts.ts';
import { type ChunkStore, type Clock, type JobQueue, type JobStore, type Log, type StoredJob, sleep } from './ports.ts';
import type { Reserving } from './reserving.ts';
import type { Pass } from './routing.ts';
import { SLOT_MS } from './slots.ts';
import { stagesOf } from './stages.ts';
import { isForWorker } from './waking.ts';

export type ClaimOptions = {
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  queue: JobQueue;
  jobTypes: ReadonlyMap<string, JobType>;
  clock: Clock;
  log: Log;
  newId: () => string;
  /** Between 0 and 1. */
  random: () => number;
  leaseMs: number;
  /** This worker, among all. */
  instance: string;
  /** Where the number of running jobs is limited. */
  limiter?: Limiter | undefined;
  /** Where jobs take from their users' accounts. */
  credits?: Reserving | undefined;
  /** Asked before each claim. */
  gate?: Gate | undefined;
  /** Aborted when this process takes no more jobs. */
  stop?: AbortSignal | undefined;
};

/**
 * `denied`: its user's account has too little for it, or its input is damaged, and the job was ended. `parked`, `deferred`:
 * it waits. `answered`: an equal job had its answer. `draining`: this instance takes no more jobs, another one must be asked.
 */
export type ClaimRefusal = Refusal | OtherRefusal;
type OtherRefusal = 'unknown-job' | 'contended' | 'denied' | 'parked' | 'deferred' | 'answered' | 'draining';
/** `pass`: the right to its call; whoever has the claim has to end it. */
export type Claim = { held: Held; input: Json; pass?: Pass | undefined } | { refused: ClaimRefusal };

/** What a worker is told where something else was written than a claim. */
const INSTEAD = { park: 'parked', defer: 'deferred', reuse: 'answered' } as const;

/** A claim that loses a race looks again this often. Each look either finds a live lease or a job still free. */
const CLAIM_TRIES = 5;
/** One that needs a slot, or a hold, races with every other job that takes of the same, or gives back. */
const LIMITED_TRIES = 20;
/** Before another look, a random part of this, which doubles: those that collided must not collide again. */
const CLAIM_PAUSE_MS = 20;
const CLAIM_PAUSE_MOST_MS = 640;

/**
 * Claims a job; the write records the first call. A job whose time is over is ended instead. Throws `store_unavailable`
 * while a claim of ours may still land: that doorbell must come again.
 */
export async function claimJob(options: ClaimOptions, key: JobKey): Promise<Claim> {
  const way: Way = {};
  let claim: Claim | undefined;
  try {
    claim = await claimThrough(options, key, way);
    if (way.seen) await way.after?.(way.seen);
    return claim;
  } finally {
    if (!claim || 'refused' in claim) way.pass?.end('unused');
  }
}

/** What the gate gave for a claim, whichever of its tries is written, and the job as it was last seen. */
type Way = {
  pass?: Pass | undefined;
  leads?: string | undefined;
  after?: ((job: Job) => Promise<void>) | undefined;
  seen?: Job;
};

async function claimThrough(options: ClaimOptions, key: JobKey, way: Way): Promise<Claim> {
  const { store, clock, random } = options;
  const token = options.newId();
  let silence: unknown;
  let whole: InputRead | undefined;
  let gated: Gated | undefined;
  let gatedFor: number | undefined;
  for (let tries = 0; ; tries++) {
    if (tries > 0) await sleep(clock, random() * Math.min(CLAIM_PAUSE_MS * 2 ** tries, CLAIM_PAUSE_MOST_MS));
    let askedMs = clock.monotonicMs();
    const found = await store.getWithInput(key);
    if (!found) return { refused: 'unknown-job' };
    const { input: _, ...stored } = found;
    const foundMs = clock.monotonicMs();
    way.seen = stored.job;
    // Our claim of a moment ago, whose answer we did not get, unless too much has happened since.
    if (stored.job.token === token) {
      if (!isLeaseAlive(stored.job, stored.readAtMs)) return { refused: 'lease-ended' };
      if (whole && 'input' in whole)
        return { held: { ...stored, askedMs, answeredMs: foundMs }, input: whole.input, pass: way.pass };
    }
    // What an earlier claim reserved is the job's until it is over.
    const isAttached = stored.job.upstream !== undefined;
    const credits = stored.job.hold || isAttached ? undefined : options.credits;
    const limiterFor = (job: Job) => (options.limiter?.limits(job) ? options.limiter : undefined);
    let limiter = limiterFor(stored.job);
    const decideAt = (nowMs: number, hold?: Hold) => {
      const lease = { token, hold, isLimited: limiter !== undefined, route: way.pass?.route, leads: way.leads };
      return decide(options, { ...stored, readAtMs: nowMs }, lease);
    };
    const nowMs = () => stored.readAtMs + Math.floor(clock.monotonicMs() - foundMs);
    let { decision, claims } = decideAt(stored.readAtMs);
    if (decision.refused) return { refused: decision.refused };
    if (tries >= ((limiter || credits) && !silence ? LIMITED_TRIES : CLAIM_TRIES)) break;
    if (claims) whole ??= await readInput(options, found);
    const damaged = claims && whole && 'denied' in whole ? whole : undefined;
    // Somebody else was faster: what the gate said was of an attempt that has been made.
    if (stored.job.attempt !== gatedFor) {
      way.pass?.end('unused');
      Object.assign(way, { pass: undefined, leads: undefined, after: undefined });
      [gated, gatedFor] = [undefined, stored.job.attempt];
    }
    if (claims && !isAttached && whole && 'input' in whole)
      gated ??= await options.gate?.(stored, whole.input, options.stop);
    if (gated && 'again' in gated) {
      gated = undefined;
      // A look after a pause of its own is a first one.
      tries = -1;
      continue;
    }
    if (gated && 'refused' in gated) return { refused: gated.refused };
    let instead: ClaimRefusal | undefined;
    if (claims && gated && 'instead' in gated) {
      way.after = gated.after;
      decision = transition(stored.job, { ...gated.instead, nowMs: nowMs(), storedAtMs: stored.storedAtMs });
      if (decision.refused) continue;
      claims = false;
      instead = INSTEAD[gated.instead.type];
    } else if (gated && !('instead' in gated)) {
      way.pass = gated.pass;
      way.leads = gated.leads;
    }
    // It needs a slot of the model that it will call.
    const { pass, leads = stored.job.leads } = way;
    const claimed = { ...stored, job: applyChanges(stored.job, { ...onRoute(stored.job, pass?.route), leads }) };
    limiter = limiterFor(claimed.job);
    askedMs = clock.monotonicMs();
    const prepare: Prepare = async () => {
      const reserved = await credits?.reserve(stored.job);
      if (reserved && 'denied' in reserved) return reserved;
      const claimNow = () => {
        // Others had their turn first: the lease begins when it is written.
        askedMs = clock.monotonicMs();
        ({ decision, claims } = decideAt(nowMs(), reserved?.hold));
        return claims ? decision.changes : undefined;
      };
      return { claimNow, account: reserved?.account };
    };
    // A write of unknown fate is not an error yet: the next look tells whether it landed.
    const orSilence = (error: unknown) => {
      if (!isServiceError(error, 'store_unavailable')) throw error;
      silence = error;
      return undefined;
    };
    const end = () => store.update(key, stored.revision, decision.changes ?? {});
    let refused: ClaimRefusal = instead ?? 'overdue';
    let answer =
      damaged ?? (await (claims ? writeClaim({ store, limiter, credits }, claimed, prepare) : end()).catch(orSilence));
    if (answer && 'denied' in answer) {
      const error = answer.denied;
      decision = transition(stored.job, { type: 'deny', nowMs: nowMs(), storedAtMs: stored.storedAtMs, error });
      if (decision.refused) continue;
      claims = false;
      refused = 'denied';
      answer = await end().catch(orSilence);
    }
    if (answer && 'refused' in answer && answer.refused === 'parked') {
      if (silence) break;
      return { refused: 'parked' };
    }
    if (!answer || 'refused' in answer) continue;
    const { revision, atMs: readAtMs } = answer.written;
    const job = applyChanges(stored.job, decision.changes);
    way.seen = job;
    if (claims && whole && 'input' in whole) {
      const held = { ...stored, job, revision, readAtMs, askedMs, answeredMs: clock.monotonicMs() };
      return { held, input: whole.input, pass: way.pass };
    }
    const event = isTerminal(job.state) ? 'job-finished' : 'job-put-off';
    options.log('info', event, { job_id: job.id, attempt: job.attempt, state: job.state, code: job.error?.code });
    await afterEnd(options, job);
    if (instead || !isForWorker(job, readAtMs)) return { refused };
  }
  // Not acknowledged while a claim of ours may still land.
  if (silence) throw silence;
  return { refused: 'contended' };
}

type InputRead = { input: Json } | { denied: JobError };

/** The job's input; it never changes. One that is damaged is so for every worker: its job has to end. */
async function readInput({ parts }: ClaimOptions, found: { job: Job; input: Json }): Promise<InputRead> {
  try {
    return { input: await wholeInput(parts, found) };
  } catch (error) {
    if (!isServiceError(error, 'internal_error')) throw error;
    return { denied: { code: error.code, message: `The input cannot be read back. ${error.message}` } };
  }
}

/** Takes a slot, where they are limited, and a hold, where credits are on, both or neither with the claim. */
function writeClaim(
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

/** A claim, or, where no attempt may start, what happens in its place. */
function decide(
  { leaseMs, instance, random, jobTypes }: ClaimOptions,
  { job, readAtMs: nowMs, storedAtMs }: StoredJob,
  { isLimited, ...claimed }: Pick<EventOf<'claim'>, 'token' | 'hold' | 'route' | 'leads'> & { isLimited: boolean },
): { decision: Decision; claims: boolean } {
  const now = { nowMs, storedAtMs };
  const lease = { leaseMs, holder: instance, slotUntil: isLimited ? nowMs + SLOT_MS : undefined, ...claimed };
  const stage = stagesOf(jobTypes.get(job.jobType), job.attempt + 1)[0];
  const claim = transition(job, { type: 'claim', ...now, ...lease, stage });
  if (claim.refused !== 'overdue') return { decision: claim, claims: true };
  return { decision: transition(job, { type: 'wake', ...now, random: random() }), claims: false };
}
