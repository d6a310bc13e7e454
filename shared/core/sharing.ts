/**
 * Equal submissions of one user share a job for a while after its creation. Time is cut into windows of that length; the
 * job's key says what was submitted and in which window, so that of many that come at once one makes the job. It may
 * still be shared in the next window, which is looked into first.
 *
 * Two that come at once on both sides of a window's border may each make a job. Both are answered with one of theirs, and
 * later ones share the first as long as it is young enough, then the second.
 */
import type { Principal, Seen } from './access.ts';
import { isServiceError } from './errors.ts';
import { fingerprintOf } from './ids.ts';
import { jobIdOf } from './new-job.ts';
import { asShown } from './payloads.ts';
import { isGone } from './retention.ts';
import { givenIn, type Submission, type Submitted, type Submitting, type SubmittingOptions } from './submitting.ts';

export type Sharing = {
  /**
   * Submits, or answers the job of an equal submission of this user that is younger than `forMs` (above 0) and that
   * neither failed, nor was cancelled, nor is out of sight. One read more than a submit. Throws as `submit` does.
   */
  submitShared(principal: Principal, submission: Submission, forMs: number): Promise<Submitted>;
};

export function sharing(options: SubmittingOptions, { submit }: Pick<Submitting, 'submit'>): Sharing {
  const { store, clock, newId } = options;

  return {
    async submitShared(principal, submission, forMs) {
      const content = await fingerprintOf(givenIn(submission), options.sha256);
      const window = Math.floor(clock.nowMs() / forMs);
      const keyOf = (index: number) => `shared ${content} ${forMs} ${index}`;
      const isShared = ({ job, nowMs }: Seen) =>
        job.createdAt + forMs > clock.nowMs() &&
        job.state !== 'failed' &&
        job.state !== 'cancelled' &&
        job.cancelRequestedAt === undefined &&
        !isGone(job, nowMs);

      const { tenant } = principal;
      const id = await jobIdOf(principal, { idempotencyKey: keyOf(window - 1) }, newId);
      const found = await store.get({ tenant, id });
      const before = found && { job: found.job, nowMs: found.readAtMs };
      if (before && isShared(before)) return { ...asShown(before), replayed: true };
      const submitted = await submit(principal, { ...submission, idempotencyKey: keyOf(window) }).catch(
        (error: unknown) => {
          // The job of this window was deleted, or has expired.
          if (isServiceError(error, 'job_id_taken')) return undefined;
          throw error;
        },
      );
      // A job that was made here just now is the answer, however long that took.
      const isOurs = submitted && (!submitted.replayed || isShared(submitted));
      return isOurs ? submitted : submit(principal, submission);
    },
  };
}
