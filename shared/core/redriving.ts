/** Redriving jobs: one new job of one that failed or was cancelled, however often it is asked for. */
import { keyFor, notFound, type Principal, seenBy } from './access.ts';
import { auditJobs } from './audit.ts';
import { ServiceError } from './errors.ts';
import type { Job, JobKey, Json } from './job.ts';
import type { JobWatch } from './job-watch.ts';
import { transition } from './lifecycle.ts';
import { jobIdOf } from './new-job.ts';
import { wholeInput } from './parts.ts';
import { asShown } from './payloads.ts';
import type { StoredJob } from './ports.ts';
import { isGone } from './retention.ts';
import { ringDoorbell } from './ring.ts';
import { newerVersion } from './schema-version.ts';
import type { Submission, Submitted, SubmittingOptions, TakingIn } from './submitting.ts';

export type Redriving = {
  /**
   * Makes one new job of a job that failed or was cancelled, for its user, and answers it; a repeat answers the same one.
   * The new one is submitted with what the old one was, and each names the other. Throws `job_not_found`; `job_not_failed`
   * for one that is not over, or completed; `input_removed` where it is not known any more what was asked; `job_id_taken`
   * where the new job was there and is not found any more; and as `submit` does, also `store_unavailable` when it is not
   * known whether the new job was stored.
   */
  redrive(principal: Principal, id: string, options?: { requestId?: string | undefined }): Promise<Submitted>;
};

export type RedrivingOptions = SubmittingOptions & TakingIn & { watch: JobWatch };

/** A job that changed meanwhile is looked at again, this often at most. */
const TRIES = 5;

export function redriving(options: RedrivingOptions): Redriving {
  const { store, parts, watch, log, newId, takeIn } = options;

  /** The job that was made before. */
  async function replay(key: JobKey): Promise<Submitted> {
    const found = await store.get(key);
    if (!found || isGone(found.job, found.readAtMs)) throw gone(key);
    const { job, readAtMs: nowMs } = found;
    // Its doorbell may never have been rung.
    if (job.state === 'pending') await ringDoorbell(options, job);
    return { ...asShown({ job, nowMs }), replayed: true };
  }

  /** `undefined`: the job changed meanwhile, as by a delete that took its parts. */
  async function inputOf(found: StoredJob & { input: Json }): Promise<Json | undefined> {
    try {
      return await wholeInput(parts, found);
    } catch (error) {
      if ((await store.get(found.job))?.revision === found.revision) throw error;
      return undefined;
    }
  }

  return {
    async redrive(principal, id, { requestId } = {}) {
      // Who may act on one job alone makes no other one.
      if (principal.jobId !== undefined) throw notFound();
      const key = keyFor(principal, id);
      for (let tries = 0; tries < TRIES; tries++) {
        const found = await store.getWithInput(key);
        const { job, nowMs } = asShown(seenBy(principal, found && { job: found.job, nowMs: found.readAtMs }));
        if (tries === 0) auditJobs(log, principal, 'redrive', [job]);
        if (job.redrivenAs !== undefined) return replay({ tenant: job.tenant, id: job.redrivenAs });
        const owner: Principal = { tenant: job.tenant, user: job.user, scopes: [] };
        const redrivenAs = await jobIdOf(owner, { redriveOf: job.id }, newId);
        const { changes, refused } = transition(job, { type: 'redrive', nowMs, redrivenAs });
        if (refused === 'newer-version') throw newerVersion();
        if (!found || !changes) throw refusal(job);
        const input = await inputOf(found);
        if (input === undefined) continue;
        if (input === null) throw refusal(job);
        const submission = { ...submissionOf(job, input), redriveOf: job.id, requestId };
        const taken = await takeIn(owner, submission, { key, revision: found.revision, changes });
        if (taken === 'changed') continue;
        if (!taken.replayed) log('info', 'job-redriven', { job_id: taken.job.id, redrive_of: job.id });
        // Memory would go on showing it as it was.
        if (watch.peek(key, 0)) await watch.look(key).catch(() => undefined);
        return taken;
      }
      throw new ServiceError('store_unavailable', 'The job is being changed all the time. Retry it again.', {
        retryAfterMs: 1_000,
      });
    },
  };
}

/** What a job was submitted with, as far as it holds for another one. */
function submissionOf(job: Job, input: Json): Submission {
  const { jobType, model, questionId, tags, metadata, stream, store, retentionMs, projectId, nanoUsdMost, limits } =
    job;
  return {
    ...{ jobType, model: model.id, input, questionId, tags, metadata, stream, store, retentionMs, projectId },
    ...{ nanoUsdMost, limits, cacheMs: job.cacheMs, background: job.background, arm: job.arm, webhook: job.webhook },
    fallbacks: job.fallbacks?.map(({ model: { id } }) => id),
  };
}

function refusal({ state, payloadsRemovedAt }: Job): ServiceError {
  if (state !== 'failed' && state !== 'cancelled') {
    const reason = state === 'completed' ? 'it has its result' : 'it is not over';
    const sentence = `The job is ${state}: ${reason}. Only one that failed or was cancelled can be retried.`;
    return new ServiceError('job_not_failed', sentence, { fields: { status: state } });
  }
  const reason =
    payloadsRemovedAt === undefined
      ? 'its message could not be taken in. Publish it again, mended'
      : 'its input was removed (store: false). Submit it again';
  return new ServiceError('input_removed', `The job cannot be retried: ${reason}.`, { fields: { status: state } });
}

function gone({ id }: JobKey): ServiceError {
  const sentence =
    'The job was retried before, and the job that was made of it has expired or was deleted. Submit it anew.';
  return new ServiceError('job_id_taken', sentence, { fields: { job_id: id } });
}
