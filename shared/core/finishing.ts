/** How a holder ends its job: what is too large for the document is put beside it first, then one write ends the job. */
import { isServiceError, type ServiceError } from './errors.ts';
import { type Estimates, estimateKeyOf } from './estimates.ts';
import type { CallFacts, FinishOutcome } from './events.ts';
import type { Holder } from './held.ts';
import { PATIENCE_MS, RETRY_PAUSE_MS } from './holder.ts';
import type { Job, JobError } from './job.ts';
import { logEnd } from './job-ended.ts';
import type { JobType } from './job-type.ts';
import { takesLong } from './json-bytes.ts';
import type { PartSet } from './part-set.ts';
import type { PartStore } from './part-store.ts';
import { CHECK_AFTER_MS, names, partsDeleteAt, putParts, tooLargeInline } from './parts.ts';
import { sleep } from './ports.ts';
import { cacheResult, type ResultCaching } from './result-cache.ts';

export type FinishingOptions = ResultCaching & {
  parts: PartStore;
  estimates: Estimates;
  jobTypes: ReadonlyMap<string, JobType>;
};

/**
 * Ends the job. `lost`: somebody else holds it, or it was over. Throws `store_unavailable` when its end could not be
 * written.
 */
export async function finish(
  options: FinishingOptions,
  lease: Holder,
  outcome: FinishOutcome,
): Promise<{ finished: FinishOutcome['state'] } | { lost: true }> {
  let ready = outcome;
  const offer = async () => {
    ready = await withPayloadApart(options, lease, outcome);
    return lease.finish(ready);
  };
  const answer = await offer().catch((error: unknown) => {
    if (!isServiceError(error, 'result_unstorable')) throw error;
    // A finish that can never be stored must not become a loop that pays again.
    const { usage, cost, providerRequestId, finishReason, chunks } = outcome;
    return lease.finish(failure(error, { usage, cost, providerRequestId, finishReason, chunks }));
  });
  await removeUnnamed(options, lease.job(), 'apart' in ready ? ready.apart : undefined);
  if (answer !== 'written') return { lost: true };
  const { state, startedAt = 0, completedAt = 0 } = lease.job();
  logEnd(options.log, lease.job(), outcome.firstTokenMs);
  const isUsual = state === 'completed' && !('insteadOf' in outcome);
  await Promise.all([
    isUsual && options.estimates.learn(estimateKeyOf(lease.job()), completedAt - startedAt),
    cacheResult(options, lease.job()),
  ]);
  return { finished: state as FinishOutcome['state'] };
}

/** The end of a job that failed for good. */
export function failure({ code, message }: JobError | ServiceError, facts: CallFacts, text?: string): FinishOutcome {
  return { state: 'failed', error: { code, message }, rejectedText: text, ...facts };
}

/**
 * The outcome as the document can hold it. Also of a lease that was not renewed in time: the write that ends the job tells
 * whether anybody took over.
 */
async function withPayloadApart(
  { parts, clock }: FinishingOptions,
  lease: Holder,
  outcome: FinishOutcome,
): Promise<FinishOutcome> {
  if (outcome.state === 'cancelled') return outcome;
  const isCompleted = outcome.state === 'completed';
  const payload = (isCompleted ? outcome.result : outcome.rejectedText) ?? null;
  // Others have their turn between the end of a long answer and the first of its JSON, …
  if (takesLong(payload)) await sleep(clock, 0);
  const pieces = tooLargeInline(payload);
  if (!pieces) return outcome;
  // … and before the parts: the JSON of many small things was made in one go.
  await sleep(clock, 0);
  const { tenant, id, attempt, token } = lease.job();
  const startedMs = clock.monotonicMs();
  for (;;) {
    const nowMs = clock.nowMs();
    const times = { deleteAt: partsDeleteAt(lease.job(), nowMs), checkAt: nowMs + CHECK_AFTER_MS };
    try {
      const apart = await putParts(parts, { tenant, id, set: `${attempt}-${token}` }, pieces, times);
      return isCompleted ? { ...outcome, result: undefined, apart } : { ...outcome, rejectedText: undefined, apart };
    } catch (error) {
      const isOver = clock.monotonicMs() - startedMs >= PATIENCE_MS;
      if (!isServiceError(error, 'store_unavailable') || isOver) throw error;
      await sleep(clock, RETRY_PAUSE_MS, lease.stop.aborted ? undefined : lease.stop);
    }
  }
}

/** The job was cancelled, deleted or taken over while its result was put beside it. What cannot be removed now the sweeper finds. */
async function removeUnnamed({ parts }: FinishingOptions, job: Job, set: PartSet | undefined): Promise<void> {
  if (!set || names(job, set.name)) return;
  await parts.remove({ tenant: job.tenant, id: job.id, set: set.name }).catch(() => undefined);
}
