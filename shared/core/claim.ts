/** How a worker gets a job: read it, and write the claim under the revision that was read. */
import { isServiceError } from './errors.ts';
import type { Decision, Refusal } from './events.ts';
import { forgetChunks } from './forgotten.ts';
import type { Held } from './holder.ts';
import { applyChanges, isTerminal, type JobKey, type Json } from './job.ts';
import type { JobType } from './job-type.ts';
import { isLeaseAlive } from './leases.ts';
import { transition } from './lifecycle.ts';
import type { Limiter } from './limiter.ts';
import { type ChunkStore, type Clock, type JobStore, type Log, type StoredJob, sleep } from './ports.ts';
import { SLOT_MS } from './slots.ts';
import { stagesOf } from './stages.ts';
import { isForWorker } from './waking.ts';

export type ClaimOptions = {
  store: JobStore;
  chunks: ChunkStore;
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
};

export type ClaimRefusal = Refusal | 'unknown-job' | 'contended' | 'parked';
export type Claim = { held: Held; input: Json } | { refused: ClaimRefusal };

/** A claim that loses a race looks again this often. Each look either finds a live lease or a job still free. */
const CLAIM_TRIES = 5;
/** One that needs a slot races with every other job of its tenant that takes one or gives one back. */
const LIMITED_TRIES = 20;
/** Before another look, a random part of this, which doubles: those that collided must not collide again. */
const CLAIM_PAUSE_MS = 20;
const CLAIM_PAUSE_MOST_MS = 640;

/**
 * Claims a job; the write records the first call. A job whose time is over is ended instead. Throws `store_unavailable`
 * while a claim of ours may still land: that doorbell must come again.
 */
export async function claimJob(options: ClaimOptions, key: JobKey): Promise<Claim> {
  const { store, clock, random } = options;
  const token = options.newId();
  let silence: unknown;
  for (let tries = 0; ; tries++) {
    if (tries > 0) await sleep(clock, random() * Math.min(CLAIM_PAUSE_MS * 2 ** tries, CLAIM_PAUSE_MOST_MS));
    let askedMs = clock.monotonicMs();
    const found = await store.getWithInput(key);
    if (!found) return { refused: 'unknown-job' };
    const { input, ...stored } = found;
    const foundMs = clock.monotonicMs();
    // Our claim of a moment ago, whose answer we did not get, unless too much has happened since.
    if (stored.job.token === token) {
      if (!isLeaseAlive(stored.job, stored.readAtMs)) return { refused: 'lease-ended' };
      return { held: { ...stored, askedMs, answeredMs: foundMs }, input };
    }
    const limiter = options.limiter?.limits(stored.job) ? options.limiter : undefined;
    const decideAt = (nowMs: number) => decide(options, { ...stored, readAtMs: nowMs }, token, limiter);
    let { decision, claims } = decideAt(stored.readAtMs);
    if (decision.refused) return { refused: decision.refused };
    if (tries >= (limiter && !silence ? LIMITED_TRIES : CLAIM_TRIES)) break;
    askedMs = clock.monotonicMs();
    // A write of unknown fate is not an error yet: the next look tells whether it landed.
    const claimNow = () => {
      // Others had their turn first: the lease begins when it is written.
      askedMs = clock.monotonicMs();
      ({ decision, claims } = decideAt(stored.readAtMs + Math.floor(askedMs - foundMs)));
      return claims ? decision.changes : undefined;
    };
    const writing =
      limiter && claims ? limiter.admit(stored, claimNow) : store.update(key, stored.revision, decision.changes);
    const answer = await writing.catch((error: unknown) => {
      if (!isServiceError(error, 'store_unavailable')) throw error;
      silence = error;
      return undefined;
    });
    if (answer && 'refused' in answer && answer.refused === 'parked') {
      if (silence) break;
      return { refused: 'parked' };
    }
    if (!answer || 'refused' in answer) continue;
    const { revision, atMs: readAtMs } = answer.written;
    const job = applyChanges(stored.job, decision.changes);
    if (claims)
      return { held: { ...stored, job, revision, readAtMs, askedMs, answeredMs: clock.monotonicMs() }, input };
    const event = isTerminal(job.state) ? 'job-finished' : 'job-put-off';
    options.log('info', event, { job_id: job.id, attempt: job.attempt, state: job.state, code: job.error?.code });
    await forgetChunks(options, job);
    if (!isForWorker(job, readAtMs)) return { refused: 'overdue' };
  }
  // Not acknowledged while a claim of ours may still land.
  if (silence) throw silence;
  return { refused: 'contended' };
}

/** A claim, or, where no attempt may start, what happens in its place. */
function decide(
  { leaseMs, instance, random, jobTypes }: ClaimOptions,
  { job, readAtMs: nowMs, storedAtMs }: StoredJob,
  token: string,
  limiter: Limiter | undefined,
): { decision: Decision; claims: boolean } {
  const now = { nowMs, storedAtMs };
  const lease = { leaseMs, token, holder: instance, slotUntil: limiter && nowMs + SLOT_MS };
  const stage = stagesOf(jobTypes.get(job.jobType), job.attempt + 1)[0];
  const claim = transition(job, { type: 'claim', ...now, ...lease, stage });
  if (claim.refused !== 'overdue') return { decision: claim, claims: true };
  return { decision: transition(job, { type: 'wake', ...now, random: random() }), claims: false };
}
