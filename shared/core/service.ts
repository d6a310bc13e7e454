/**
 * What a surface may ask about jobs: submit, read, list. Surfaces never see the store or the queue.
 */
import { invalidRequest, isServiceError, ServiceError } from './errors.ts';
import { derivedId, fingerprintOf, isJobId } from './ids.ts';
import type { Job, JobKey, JobModel, Json } from './job.ts';
import { RING_GRACE_MS } from './lifecycle.ts';
import {
  type Clock,
  type JobQuery,
  type JobQueue,
  type JobStore,
  type Log,
  type ModelCatalog,
  sleep,
} from './ports.ts';

/** Who asks. `admin` in `scopes` sees the whole tenant; everyone else their own jobs. */
export type Principal = { tenant: string; user: string; scopes: readonly string[] };

/** A validated request for a job. */
export type Submission = {
  jobType: string;
  /** A model's UUID, name or provider's name. */
  model: string;
  input: Json;
  questionId?: string | undefined;
  requestId?: string | undefined;
  /** An id that the client chose (`isClientJobId`), … */
  jobId?: string | undefined;
  /** … or a key from which the id is derived, together with tenant and user. */
  idempotencyKey?: string | undefined;
  /** `false`: the submitter runs the job itself, so nobody need be told. */
  ring?: boolean;
};

export type ListFilter = Omit<JobQuery, 'tenant' | 'user'>;

/** `replayed`: a job of this id was there already, made by an equal submission. */
export type Submitted = { job: Job; replayed: boolean };

export type JobService = {
  /**
   * Accepts a job: one document, then its doorbell. A repeat under the same id or key answers the first job, however it
   * ended. Throws `invalid_request` (unknown model), `input_too_large`, `model_unavailable`, `idempotency_conflict`
   * (same id or key, something else submitted), `job_id_taken` (another user's), or `store_unavailable` naming the job id
   * when it is not known whether the job was stored.
   */
  submit(principal: Principal, submission: Submission): Promise<Submitted>;
  /** One job of this principal. Throws `job_not_found`, also for an id that is malformed or somebody else's. */
  get(principal: Principal, id: string): Promise<Job>;
  /** A page of this principal's jobs, newest first. */
  list(principal: Principal, filter: ListFilter): Promise<Job[]>;
};

export type JobServiceOptions = {
  store: JobStore;
  queue: JobQueue;
  models: ModelCatalog;
  clock: Clock;
  newId: () => string;
  log: Log;
  /** Into how many slices the sweeper's query is cut. */
  wakeShards: number;
};

/** The largest input, as UTF-8 bytes of its JSON, that a job may have. */
export const INPUT_BYTES_MOST = 256 * 1024;
/** A submit waits this long for its doorbell to be published; after that the sweeper rings. */
const PUBLISH_WAIT_MS = 2_000;

export function jobService(options: JobServiceOptions): JobService {
  const { store, queue, models, clock, newId, log } = options;

  async function submit(principal: Principal, submission: Submission): Promise<Submitted> {
    const model = usableModel(models, submission.model);
    assertInputFits(submission.input);
    const job = await pendingJob(principal, submission, model);
    const submitted = await createOnce(job, submission.input);
    const { replayed } = submitted;
    log('info', 'job-submitted', { job_id: job.id, job_type: job.jobType, model: model.model, replayed });
    // A repeat of a job that nobody claimed yet may be one whose doorbell was never rung.
    if (submitted.job.state === 'pending' && submission.ring !== false) await ringDoorbell(job);
    return submitted;
  }

  async function pendingJob(principal: Principal, submission: Submission, model: JobModel): Promise<Job> {
    const { tenant, user } = principal;
    const { jobType, input, questionId = null } = submission;
    const id = await idOf(principal, submission);
    const createdAt = clock.nowMs();
    return {
      tenant,
      id,
      user,
      jobType,
      model,
      state: 'pending',
      version: 1,
      createdAt,
      questionId: submission.questionId,
      fingerprint: await fingerprintOf({ jobType, model: submission.model, input, questionId }),
      requestId: submission.requestId,
      attempts: [],
      attempt: 0,
      token: newId(),
      sequence: 0,
      leaseExpiresAt: null,
      wakeAt: createdAt + RING_GRACE_MS,
      wakeShard: Number.parseInt(id.slice(0, 4), 16) % options.wakeShards,
      rings: 0,
      schemaVersion: 1,
    };
  }

  async function idOf({ tenant, user }: Principal, { jobId, idempotencyKey }: Submission): Promise<string> {
    if (jobId !== undefined) return jobId;
    return idempotencyKey === undefined ? newId() : derivedId('idempotency-key', tenant, user, idempotencyKey);
  }

  /** Creates the document, or finds the one that is there. A create of unknown fate is recognised by its token. */
  async function createOnce(job: Job, input: Json): Promise<Submitted> {
    let cause: unknown;
    try {
      const answer = await store.create(job, input);
      if ('created' in answer) return { job, replayed: false };
    } catch (error) {
      if (!isServiceError(error, 'store_unavailable')) throw error;
      cause = error;
    }
    const found = await store.get(job).catch((error: unknown) => {
      cause ??= error;
      return undefined;
    });
    if (found?.job.token === job.token) return { job, replayed: false };
    if (found) return { job: replayOf(job, found.job), replayed: true };
    throw new ServiceError(
      'store_unavailable',
      'It is not known whether the job was stored. PUT the same body to its job_id: that makes no second job.',
      { cause, retryAfterMs: 1_000, fields: { job_id: job.id } },
    );
  }

  /** A doorbell that can't be published is not an error: the document is the truth, and the sweeper rings again. */
  async function ringDoorbell(key: JobKey): Promise<void> {
    const waited = new AbortController();
    const published = queue.publish({ tenant: key.tenant, id: key.id }).catch((error: unknown) => {
      log('warning', 'doorbell-unpublished', { job_id: key.id, error: String(error) });
    });
    await Promise.race([published, sleep(clock, PUBLISH_WAIT_MS, waited.signal)]);
    waited.abort();
  }

  return {
    submit,

    async get(principal, id) {
      const key = { tenant: principal.tenant, id: id.toLowerCase() };
      const job = isJobId(key.id) ? (await store.get(key))?.job : undefined;
      if (!job || !maySee(principal, job)) throw new ServiceError('job_not_found', 'Job not found');
      return job;
    },

    list(principal, filter) {
      const seesAll = principal.scopes.includes('admin');
      return store.list({ ...filter, tenant: principal.tenant, user: seesAll ? undefined : principal.user });
    },
  };
}

function replayOf(submitted: Job, found: Job): Job {
  if (found.user !== submitted.user) {
    throw new ServiceError('job_id_taken', 'This job id is taken. Use another one.');
  }
  if (found.fingerprint === submitted.fingerprint) return found;
  throw new ServiceError(
    'idempotency_conflict',
    'A different job was submitted under this id or Idempotency-Key. Use another one, or repeat the first body.',
  );
}

function maySee(principal: Principal, job: Job): boolean {
  return job.user === principal.user || principal.scopes.includes('admin');
}

function usableModel(models: ModelCatalog, reference: string): JobModel {
  const model = models.find(reference);
  if (!model) {
    const usable = models.list().filter(({ runs }) => models.availability(runs).available);
    const names = usable.map((listed) => listed.reference).join(', ');
    throw invalidRequest([
      { path: 'model_id', message: `no such model; usable now: ${names}; all models: GET /api/llm/models/` },
    ]);
  }
  const availability = models.availability(model);
  if (!availability.available) throw new ServiceError('model_unavailable', availability.reason);
  return model;
}

function assertInputFits(input: Json): void {
  const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
  if (bytes <= INPUT_BYTES_MOST) return;
  throw new ServiceError('input_too_large', `The input is ${bytes} bytes; at most ${INPUT_BYTES_MOST} are accepted.`);
}
