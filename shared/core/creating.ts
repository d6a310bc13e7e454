/** A job's document is created once: with an input that is too large for it beside it, and found when it was there before. */
import type { Seen } from './access.ts';
import { isServiceError, ServiceError } from './errors.ts';
import type { Job, Json } from './job.ts';
import { limitsOf } from './limits.ts';
import type { PartStore } from './part-store.ts';
import { CHECK_AFTER_MS, partsDeleteAt, putParts, tooLargeInline } from './parts.ts';
import { asShown } from './payloads.ts';
import type { Clock, JobStore, JobUpdate, StoredJob } from './ports.ts';
import { isGone } from './retention.ts';
import { within } from './within.ts';

export type CreatingOptions = { store: JobStore; parts: PartStore; clock: Clock };

/** After a create without an answer, how long the submitter waits for a look; together they take less than ten seconds. */
const LOOK_MS = 2_000;

/**
 * Creates the document, or finds the one that is there. A create of unknown fate is recognised by its token. Throws
 * `idempotency_conflict`, `job_id_taken`, or `store_unavailable` that names the job id. `other` is changed in the same
 * commit; where it has changed before, nothing is done, and that is answered.
 */
export async function createOnce(
  options: CreatingOptions,
  given: Job,
  input: Json,
  other?: JobUpdate,
): Promise<(Seen & { replayed: boolean }) | 'changed'> {
  const { store } = options;
  let job = given;
  let cause: unknown;
  let isChanged = false;
  try {
    const large = tooLargeInline(input);
    // Before parts are written for nothing.
    const before = large && (await store.get(job));
    if (before) return replayed(job, before);
    if (large) job = await withInputApart(options, job, large);
    const answer = await store.create(job, large ? null : input, { with: other });
    if ('created' in answer) return { job, nowMs: answer.created.atMs, replayed: false };
    isChanged = answer.refused === 'changed';
  } catch (error) {
    if (!isServiceError(error, 'store_unavailable')) throw error;
    cause = error;
  }
  const look = store.get(job).then(
    (found) => ({ found }),
    (error: unknown) => {
      cause ??= error;
      return undefined;
    },
  );
  // Also where the other job has changed: that may be this very commit's doing, which was sent twice.
  const looked = await within(options.clock, LOOK_MS, look);
  const found = looked?.found;
  if (found?.job.token === job.token) return { job, nowMs: found.readAtMs, replayed: false };
  if (found) {
    await removeInput(options, job);
    return replayed(job, found);
  }
  if (isChanged && looked) {
    await removeInput(options, job);
    return 'changed';
  }
  const again = other ? 'Retry it again' : 'PUT the same body to its job_id';
  throw new ServiceError(
    'store_unavailable',
    `It is not known whether the job was stored. ${again}: that makes no second job.`,
    { cause, retryAfterMs: 1_000, fields: { job_id: job.id } },
  );
}

/** The job that an equal submission made. Throws `idempotency_conflict` or `job_id_taken` where it was not equal, or not the user's. */
export function replayed(submitted: Job, { job, readAtMs: nowMs }: StoredJob): Seen & { replayed: true } {
  return { ...asShown({ job: replayOf(submitted, job, nowMs), nowMs }), replayed: true };
}

function replayOf(submitted: Job, found: Job, nowMs: number): Job {
  if (found.user !== submitted.user) {
    throw new ServiceError('job_id_taken', 'This job id is taken. Use another one.');
  }
  if (isGone(found, nowMs)) {
    const sentence = 'A job of this id or Idempotency-Key was here; it has expired or was deleted. Use another one.';
    throw new ServiceError('job_id_taken', sentence);
  }
  // What was submitted then is not known any more.
  if (found.payloadsRemovedAt !== undefined || found.fingerprint === submitted.fingerprint) return found;
  throw new ServiceError(
    'idempotency_conflict',
    'A different job was submitted under this id or Idempotency-Key. Use another one, or repeat the first body.',
  );
}

async function withInputApart({ parts }: CreatingOptions, job: Job, pieces: Iterable<Uint8Array>): Promise<Job> {
  const { tenant, id, token, createdAt } = job;
  const endsAt = createdAt + limitsOf(job).timeoutMs;
  const times = { deleteAt: partsDeleteAt(job, endsAt), checkAt: createdAt + CHECK_AFTER_MS };
  return { ...job, parts: { input: await putParts(parts, { tenant, id, set: `0-${token}` }, pieces, times) } };
}

/** Another submission was faster. What cannot be removed now the sweeper finds. */
async function removeInput({ parts }: CreatingOptions, { tenant, id, parts: { input } = {} }: Job): Promise<void> {
  if (input) await parts.remove({ tenant, id, set: input.name }).catch(() => undefined);
}
