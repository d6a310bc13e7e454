/**
 * What a worker does with a job that it claimed: call, and call again, until the job is over, or has to be handed back.
 */
import { afterEnd } from './aftermath.ts';
import { type AttemptHooks, type AttemptOptions, attempt } from './attempt.ts';
import type { AttemptResult } from './attempt-result.ts';
import { isAttached, likelyCost } from './attempts.ts';
import { type BackgroundResult, backgroundAttempt, isInBackground } from './background-attempt.ts';
import { type ChunkWriterOptions, chunkWriter } from './chunk-writer.ts';
import type { Claim } from './claim.ts';
import { ServiceError } from './errors.ts';
import { about, type FollowingOptions, follow, type RunOutcome } from './following.ts';
import type { Holder } from './held.ts';
import { holder } from './holder.ts';
import type { Job, Json } from './job.ts';
import type { JobType } from './job-type.ts';
import type { Rejected } from './repair.ts';
import { routeOf } from './routes.ts';
import type { Pass } from './routing.ts';
import { stagesOf } from './stages.ts';

export type RunOptions = AttemptOptions & ChunkWriterOptions & FollowingOptions;

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
  { held, input, pass: claimed }: Extract<Claim, { held: unknown }>,
  { onHeld, isStopping }: RunHooks,
): Promise<RunOutcome> {
  const { clock, log } = options;
  const startedMs = clock.monotonicMs();
  const lease = holder(options, held);
  let rejected: Rejected | undefined;
  let pass = claimed;
  onHeld(lease);
  try {
    for (;;) {
      const { id, attempt: n, jobType, route, createdAt, startedAt = createdAt } = lease.job();
      const type = options.jobTypes.get(jobType);
      lease.check();
      const event = isAttached(lease.job()) ? 'attempt-goes-on' : 'attempt-started';
      const { provider, model } = routeOf(lease.job()).model;
      const queue_ms = n === 1 ? startedAt - createdAt : undefined;
      log('info', event, { job_id: id, attempt: n, job_type: jobType, provider, model, queue_ms });
      const hasTime = (ms: number) => clock.monotonicMs() - startedMs + ms <= DELIVERY_MS_MOST && !isStopping();
      const result = type
        ? await oneAttempt(options, type, lease, input, rejected, hasTime)
        : notInstalled(lease.job());
      pass?.end(saidBy(result));
      pass = undefined;
      if (result.ended === 'left') return { left: true };
      const outcome = await follow(options, lease, type && about(log, lease.job(), type, input), result, hasTime);
      if ('goesOn' in outcome) {
        pass = outcome.pass;
        // Only the model that gave an answer is asked to mend it.
        rejected = result.ended === 'failed' && lease.job().route === route ? result.rejected : undefined;
        continue;
      }
      await afterEnd(options, lease.job());
      return outcome;
    }
  } finally {
    pass?.end('unused');
    lease.close();
  }
}

/** What a call says of its route. */
function saidBy(result: BackgroundResult): Parameters<Pass['end']>[0] {
  if (result.ended === 'answered' || result.ended === 'left') return 'answered';
  if (result.facts.notMade) return 'unused';
  return result.ended === 'stopped' ? 'stopped' : result.error;
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
  const onLimits: AttemptHooks['onLimits'] = (limits) => options.routing.learn(routeOf(job), limits);
  const show = (stage: string | undefined) => {
    if (stage !== undefined) lease.stage(stage);
  };
  if (stages && !isAttached(job)) for (const stage of stagesOf(type, job.attempt)) show(stage);
  const onStage = (reached: 'accepted' | 'answered') => show(stages?.[reached]);
  const hooks = { onStage, onLimits, rejected };
  if (await isInBackground(options, job)) return backgroundAttempt(options, type, lease, input, { ...hooks, hasTime });
  if (!job.stream) return attempt(options, type, job, input, lease.stop, hooks);
  const writer = chunkWriter(options, job);
  const result = await attempt(options, type, job, input, lease.stop, { ...hooks, onText: writer.add });
  const isLost = result.ended === 'stopped' && result.reason.code === 'lease_lost';
  result.facts.chunks = await writer.end(isLost ? 0 : CHUNKS_PATIENCE_MS[result.ended]);
  return result;
}

function notInstalled(job: Job): AttemptResult {
  const error = new ServiceError('internal_error', `No job type "${job.jobType}" is installed.`);
  return { ended: 'failed', error, facts: isAttached(job) ? { cost: likelyCost(job) } : { notMade: true } };
}
