/**
 * What a worker does with a job that it claimed: call, and call again, until the job is over, or has to be handed back.
 */
import { type AttemptOptions, type AttemptResult, attempt } from './attempt.ts';
import { isAttached } from './attempts.ts';
import { type BackgroundResult, backgroundAttempt, isInBackground } from './background-attempt.ts';
import { type ChunkWriterOptions, chunkWriter } from './chunk-writer.ts';
import type { Claim } from './claim.ts';
import { describeError, ServiceError } from './errors.ts';
import type { CallFacts, FailedAttempt, FinishOutcome } from './events.ts';
import { type FinishingOptions, failure, finish } from './finishing.ts';
import { forgetChunks } from './forgotten.ts';
import type { Holder } from './held.ts';
import { type HolderOptions, holder } from './holder.ts';
import type { Job, JobError, Json } from './job.ts';
import type { JobType } from './job-type.ts';
import { limitsOf } from './limits.ts';
import { type Clock, type JobQueue, type Log, sleep } from './ports.ts';
import type { Rejected } from './repair.ts';
import { nextTry, type RetryPolicy } from './retry.ts';
import { ringDoorbell } from './ring.ts';
import { stagesOf } from './stages.ts';

export type RunOptions = AttemptOptions &
  HolderOptions &
  ChunkWriterOptions &
  FinishingOptions & {
    queue: JobQueue;
    /** Between 0 and 1. */
    random: () => number;
  };

/**
 * `finished`: the job is over. `handedBack`: it waits for its next attempt. `left`: it waits for the answer that its
 * provider works on. `lost`: another holder took over.
 */
export type RunOutcome =
  | { finished: FinishOutcome['state'] }
  | { handedBack: string }
  | { left: true }
  | { lost: true };

/**
 * A delivery may take this long: Pub/Sub brings its message again after 600 s, and the function's time is over then. An
 * attempt that could not end by then is left to another delivery.
 */
const DELIVERY_MS_MOST = 590_000;

/** How long the last chunk of an attempt may take while the store gives no answer: a result is worth waiting for. */
const CHUNKS_PATIENCE_MS = { answered: 10_000, failed: 1_000, stopped: 1_000 } as const;

/** What the worker adds to a run: it hears of its holder, and says whether it is about to stop. */
export type RunHooks = { onHeld: (lease: Holder) => void; isStopping: () => boolean };

/** Works on a claimed job. Throws `store_unavailable` when its end could not be written. */
export async function runClaimed(
  options: RunOptions,
  { held, input }: Extract<Claim, { held: unknown }>,
  { onHeld, isStopping }: RunHooks,
): Promise<RunOutcome> {
  const { clock, log } = options;
  const startedMs = clock.monotonicMs();
  const lease = holder(options, held);
  let rejected: Rejected | undefined;
  onHeld(lease);
  try {
    for (;;) {
      const { id, attempt: n, jobType, model } = lease.job();
      const type = options.jobTypes.get(jobType);
      lease.check();
      log('info', isAttached(lease.job()) ? 'attempt-goes-on' : 'attempt-started', {
        job_id: id,
        attempt: n,
        model: model.model,
      });
      const hasTime = (ms: number) => clock.monotonicMs() - startedMs + ms <= DELIVERY_MS_MOST && !isStopping();
      const result = type ? await oneAttempt(options, type, lease, input, rejected, hasTime) : notInstalled(jobType);
      if (result.ended === 'left') return { left: true };
      rejected = result.ended === 'failed' ? result.rejected : undefined;
      const outcome = await follow(options, lease, type && about(log, lease.job(), type, input), result, hasTime);
      if (!outcome) continue;
      await forgetChunks(options, lease.job());
      return outcome;
    }
  } finally {
    lease.close();
  }
}

/** What a job type says of this job, whose input may have been dropped from the document meanwhile. */
type About = { retry: RetryPolicy; repairsMost(): number; fallback(error: JobError): Json | undefined };

function about(log: Log, { id, attempt: n }: Job, type: JobType, input: Json): About {
  return {
    retry: type.retry,
    repairsMost: () => type.repairsMost?.(input) ?? 0,
    fallback(error) {
      try {
        return type.fallback?.(input, error);
      } catch (thrown) {
        // Its job must end all the same: another attempt would be paid for, and come to this again.
        log('error', 'fallback-broke', { job_id: id, attempt: n, error: describeError(thrown) });
        return undefined;
      }
    },
  };
}

/**
 * An attempt, in the background or not; of a job that is streamed, its text is kept in chunks as it comes, all of it before
 * the job may end.
 */
async function oneAttempt(
  options: RunOptions,
  type: JobType,
  lease: Holder,
  input: Json,
  rejected: Rejected | undefined,
  hasTime: (ms: number) => boolean,
): Promise<BackgroundResult> {
  const job = lease.job();
  const { stages } = type;
  const show = (stage: string | undefined) => {
    if (stage !== undefined) lease.stage(stage);
  };
  if (stages && !isAttached(job)) for (const stage of stagesOf(type, job.attempt)) show(stage);
  const onStage = (reached: 'accepted' | 'answered') => show(stages?.[reached]);
  if (await isInBackground(options, job))
    return backgroundAttempt(options, type, lease, input, { onStage, rejected, hasTime });
  if (!job.stream) return attempt(options, type, job, input, lease.stop, { onStage, rejected });
  const writer = chunkWriter(options, job);
  const result = await attempt(options, type, job, input, lease.stop, { onText: writer.add, onStage, rejected });
  const isLost = result.ended === 'stopped' && result.reason.code === 'lease_lost';
  result.facts.chunks = await writer.end(isLost ? 0 : CHUNKS_PATIENCE_MS[result.ended]);
  return result;
}

/** Does what follows an attempt; `undefined` when another one follows under the same lease. */
async function follow(
  options: RunOptions,
  lease: Holder,
  type: About | undefined,
  result: AttemptResult,
  hasTime: (ms: number) => boolean,
): Promise<RunOutcome | undefined> {
  const { facts } = result;
  if (result.ended === 'answered')
    return finish(options, lease, { state: 'completed', result: result.result, ...facts });
  if (result.ended === 'stopped') return stopped(options, lease, type, result.reason, facts);
  const { error } = result;
  const { failures = 0, refusals = 0, repairs = 0 } = lease.job();
  const isMendable = error.code === 'schema_violation' && result.rejected !== undefined;
  const tries = { failures, refusals, repairs, repairsMost: isMendable && type ? type.repairsMost() : 0 };
  const next = type ? nextTry(type.retry, error, tries, options.random()) : { again: false as const };
  // An attempt that could only start when the job's time is over is none.
  if (!next.again || next.pauseMs >= lease.leftMs())
    return finish(options, lease, failed(type, error, facts, result.vainText));
  const ended: FailedAttempt = { outcome: 'failed', errorCode: error.code, counts: next.counts, ...facts };
  const staysHere = next.inPlace && hasTime(next.pauseMs + limitsOf(lease.job()).attemptTimeoutMs);
  if (!staysHere) return handBack(options, lease, ended, next.pauseMs, next.inPlace);

  const { id, attempt: n } = lease.job();
  const answer = await lease.retry(ended, next.pauseMs);
  if (answer === 'cancelling') return finish(options, lease, { state: 'cancelled', ...facts });
  if (answer === 'lost') return { lost: true };
  options.log('info', 'attempt-failed', { job_id: id, attempt: n, code: error.code, wait_ms: next.pauseMs });
  if (await waitOut(options.clock, lease)) return undefined;
  const reason = lease.stop.reason as ServiceError;
  return stopped(options, lease, type, reason, { notMade: true }, Math.max(0, lease.waitMs()));
}

/** Waits until the next attempt may start; `false` when the work must stop before. Timers may be early. */
async function waitOut(clock: Clock, lease: Holder): Promise<boolean> {
  for (let waitMs = lease.waitMs(); waitMs > 0 && !lease.stop.aborted; waitMs = lease.waitMs()) {
    await sleep(clock, waitMs, lease.stop);
  }
  return !lease.stop.aborted;
}

/** Something else than its call ended the attempt. What a provider asked us to wait is still waited. */
async function stopped(
  options: RunOptions,
  lease: Holder,
  type: About | undefined,
  reason: ServiceError,
  facts: CallFacts,
  waitMs = 0,
): Promise<RunOutcome> {
  switch (reason.code) {
    case 'cancelled':
      return finish(options, lease, { state: 'cancelled', ...facts });
    case 'drained':
      return handBack(options, lease, { outcome: 'released', errorCode: reason.code, ...facts }, waitMs, false);
    case 'lease_lost':
      return { lost: true };
    default:
      return finish(options, lease, failed(type, reason, facts));
  }
}

/**
 * Gives the job up. Its doorbell is rung at once when its next attempt may start at once, by the sweeper otherwise; with
 * `rings` the worker stays for the wait, and rings to the second.
 */
async function handBack(
  options: RunOptions,
  lease: Holder,
  ended: FailedAttempt,
  waitMs: number,
  rings: boolean,
): Promise<RunOutcome> {
  const { id, tenant, attempt: n } = lease.job();
  const answer = await lease.handBack(ended, waitMs);
  if (answer === 'cancelling') return finish(options, lease, { ...ended, state: 'cancelled' });
  if (answer === 'lost') return { lost: true };
  options.log('info', 'job-handed-back', { job_id: id, attempt: n, code: ended.errorCode, wait_ms: Math.ceil(waitMs) });
  const isTime = waitMs === 0 || (rings && (await waitOut(options.clock, lease)));
  if (isTime) await ringDoorbell(options, { tenant, id });
  return { handedBack: ended.errorCode };
}

/** The end of a job whose call failed for good: its type may have a result all the same. */
function failed(type: About | undefined, error: ServiceError, facts: CallFacts, rejectedText?: string): FinishOutcome {
  const { code, message } = error;
  const result = type?.fallback({ code, message });
  // What was streamed of the call is no part of it: readers get a new snapshot, as when chunks are missing.
  if (result !== undefined) return { state: 'completed', result, insteadOf: code, ...facts, chunks: undefined };
  return failure(error, facts, rejectedText);
}

function notInstalled(jobType: string): AttemptResult {
  const error = new ServiceError('internal_error', `No job type "${jobType}" is installed.`);
  return { ended: 'failed', error, facts: { notMade: true } };
}
