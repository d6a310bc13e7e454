/** How a job's document begins: under which id, and with which fields. */
import type { Principal } from './access.ts';
import type { ServiceError } from './errors.ts';
import { derivedId, isClientJobId } from './ids.ts';
import type { Job, JobModel } from './job.ts';
import type { Clock } from './ports.ts';
import { keptUntil } from './retention.ts';
import { SCHEMA_VERSION } from './schema-version.ts';

/** What makes a repeat of a submission the same job. Without any, each submission is a new one. */
export type SubmissionIdentity = {
  /** An id that the client chose (`isClientJobId`), … */
  jobId?: string | undefined;
  /** … or a key from which the id is derived, together with tenant and user, … */
  idempotencyKey?: string | undefined;
  /** … or its place in a batch that was submitted with a key, … */
  batchItem?: { key: string; index: number } | undefined;
  /** … or the Pub/Sub message that brought it, … */
  messageId?: string | undefined;
  /** … or the id of the job that it is made from. */
  redriveOf?: string | undefined;
};

/** A message that was no submission: whatever it holds, for it may still name its id, its type and its model. */
export type RejectedMessage = { messageId: string; content: unknown };

export type JobMaker = {
  clock: Clock;
  newId: () => string;
  /** Into how many slices the sweeper's query is cut. */
  wakeShards: number;
};

/** Of a job that stands for a message that could not be taken in. */
export const UNKNOWN_PROVIDER = 'unknown';

/** A sentence names wrong fields by names that the message chose. */
const SENTENCE_MOST = 2_000;

/** A pending job that nobody has to look at yet. */
export function newJob(
  { clock, newId, wakeShards }: JobMaker,
  { tenant, user }: Principal,
  { id, jobType, model }: Pick<Job, 'id' | 'jobType' | 'model'>,
): Job {
  return {
    tenant,
    id,
    user,
    jobType,
    model,
    state: 'pending',
    version: 1,
    createdAt: clock.nowMs(),
    fingerprint: '',
    attempts: [],
    attempt: 0,
    token: newId(),
    sequence: 0,
    leaseExpiresAt: null,
    wakeAt: null,
    wakeShard: Number.parseInt(id.slice(0, 4), 16) % wakeShards,
    rings: 0,
    schemaVersion: SCHEMA_VERSION,
  };
}

/** The id that a submission asks for: its own, one derived from what names it, or a new one. */
export async function jobIdOf(
  { tenant, user }: Principal,
  { jobId, idempotencyKey, batchItem, messageId, redriveOf }: SubmissionIdentity,
  newId: () => string,
): Promise<string> {
  if (jobId !== undefined) return jobId;
  if (idempotencyKey !== undefined) return derivedId('idempotency-key', tenant, user, idempotencyKey);
  if (batchItem) return derivedId('batch-item', tenant, user, batchItem.key, String(batchItem.index));
  if (redriveOf !== undefined) return derivedId('redrive', tenant, user, redriveOf);
  return messageId === undefined ? newId() : derivedId('message', tenant, user, messageId);
}

/** The failed job that stands for a message that could not be taken in. */
export async function rejectedJob(
  maker: JobMaker,
  principal: Principal,
  { messageId, content }: RejectedMessage,
  { code, message }: ServiceError,
): Promise<Job> {
  const { jobId, jobType, model } = namesIn(content);
  // Not under its key: the mended submission may be published with the same one.
  const id = await jobIdOf(principal, { jobId, messageId }, maker.newId);
  const job = newJob(maker, principal, { id, jobType, model: unknownModel(model) });
  const sentence = message.length <= SENTENCE_MOST ? message : `${message.slice(0, SENTENCE_MOST).toWellFormed()}…`;
  return {
    ...job,
    state: 'failed',
    completedAt: job.createdAt,
    ...keptUntil(job, job.createdAt),
    error: { code, message: sentence },
  };
}

/** What a message that is no submission says of itself, as far as it can be used. */
function namesIn(content: unknown) {
  const fields = (typeof content === 'object' && content !== null ? content : {}) as Record<string, unknown>;
  const words = (value: unknown) =>
    typeof value === 'string' && value.length >= 1 && value.length <= 255 ? value.toWellFormed() : undefined;
  const jobId = words(fields.job_id)?.toLowerCase();
  return {
    jobId: jobId !== undefined && isClientJobId(jobId) ? jobId : undefined,
    jobType: words(fields.job_type) ?? 'unknown',
    model: words(fields.model_id) ?? 'unknown',
  };
}

function unknownModel(name: string): JobModel {
  return { id: '00000000-0000-0000-0000-000000000000', name, provider: UNKNOWN_PROVIDER, model: name };
}
