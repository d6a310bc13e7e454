/**
 * What a worker does with a doorbell: claim the job, make the call, finish it. Every outcome that the store answered is
 * a value; only a store that gave no answer throws (`store_unavailable`), so that the queue delivers again.
 */
import { type AttemptOptions, attempt } from './attempt.ts';
import { isServiceError } from './errors.ts';
import { type Held, holder } from './holder.ts';
import type { JobKey, Json } from './job.ts';
import { applyChanges, type FinishOutcome, type Refusal, transition } from './lifecycle.ts';
import type { JobStore } from './ports.ts';

export type RunOptions = AttemptOptions & { store: JobStore; newId: () => string; leaseMs: number };

/** `finished`: this worker ended the job. `refused`: there was nothing to do. `lost`: another holder took over. */
export type RunOutcome =
  | { finished: FinishOutcome['state'] }
  | { refused: Refusal | 'unknown-job' | 'contended' }
  | { lost: true };

/** A claim that loses a race looks again this often. Each look either finds a live lease or a job still free. */
const CLAIM_TRIES = 5;

/** Runs one job, if it can be claimed. */
export async function runJob(options: RunOptions, key: JobKey): Promise<RunOutcome> {
  const { log, clock } = options;
  const claim = await claimJob(options, key);
  if ('refused' in claim) {
    log('debug', 'claim-refused', { job_id: key.id, why: claim.refused });
    return claim;
  }
  const { held, input } = claim;
  const { job } = held;
  log('info', 'attempt-started', { job_id: job.id, attempt: job.attempt, model: job.model.model });
  const lease = holder(options, held);
  const startedMs = clock.monotonicMs();
  try {
    const outcome = await attempt(options, job, input, lease.lost);
    // An answer that came in spite of a lost lease is offered all the same: it is paid for, and the write is fenced.
    if (outcome === undefined || (await lease.finish(outcome)) === 'lost') return { lost: true };
    log('info', 'job-finished', {
      job_id: job.id,
      attempt: job.attempt,
      state: outcome.state,
      code: outcome.state === 'failed' ? outcome.error.code : undefined,
      ms: Math.round(clock.monotonicMs() - startedMs),
    });
    return { finished: outcome.state };
  } catch (error) {
    if (!isServiceError(error, 'result_unstorable')) throw error;
    // A finish that can never be stored must not become a loop that pays again.
    const ended = await lease.finish({ state: 'failed', error: { code: error.code, message: error.message } });
    return ended === 'written' ? { finished: 'failed' } : { lost: true };
  } finally {
    lease.release();
  }
}

/** Reads the job and writes the claim under the revision that was read; the write records the first call. */
async function claimJob(
  { store, clock, newId, leaseMs }: RunOptions,
  key: JobKey,
): Promise<{ held: Held; input: Json } | { refused: Refusal | 'unknown-job' | 'contended' }> {
  const token = newId();
  let silence: unknown;
  for (let tries = 0; ; tries++) {
    let askedMs = clock.monotonicMs();
    const found = await store.getWithInput(key);
    if (!found) return { refused: 'unknown-job' };
    const { input } = found;
    // Our claim of a moment ago, whose answer we did not get.
    if (found.job.token === token) {
      const { job, revision, readAtMs: atMs } = found;
      return { held: { job, revision, atMs, askedMs, answeredMs: clock.monotonicMs() }, input };
    }
    const claim = { type: 'claim', nowMs: found.readAtMs, leaseMs, token, stage: 'calling_llm' } as const;
    const decision = transition(found.job, claim);
    if (decision.refused) return { refused: decision.refused };
    if (tries === CLAIM_TRIES) break;
    askedMs = clock.monotonicMs();
    // A claim of unknown fate is not an error yet: the next look tells whether it landed.
    const answer = await store.update(key, found.revision, decision.changes).catch((error: unknown) => {
      if (!isServiceError(error, 'store_unavailable')) throw error;
      silence = error;
      return undefined;
    });
    if (answer && 'written' in answer) {
      const { revision, atMs } = answer.written;
      const job = applyChanges(found.job, decision.changes);
      return { held: { job, revision, atMs, askedMs, answeredMs: clock.monotonicMs() }, input };
    }
  }
  // Not acknowledged while a claim of ours may still land.
  if (silence) throw silence;
  return { refused: 'contended' };
}
