/**
 * What a surface may ask about jobs: submit, read, list. Surfaces never see the store or the queue.
 */
import { invalidRequest, isServiceError, ServiceError } from './errors.ts';
import { fingerprintOf, isJobId } from './ids.ts';
import type { Job, JobKey, JobModel, Json } from './job.ts';
import { RING_GRACE_MS } from './lifecycle.ts';
import {
  type JobMaker,
  jobIdOf,
  newJob,
  type Principal,
  type RejectedMessage,
  rejectedJob,
  type SubmissionIdentity,
} from './new-job.ts';
import {
  type Clock,
  type JobQuery,
  type JobQueue,
  type JobStore,
  type Log,
  type ModelCatalog,
  sleep,
} from './ports.ts';

/** A validated request for a job. */
export type Submission = SubmissionIdentity & {
  jobType: string;
  /** A model's UUID, name or provider's name. */
  model: string;
  input: Json;
  questionId?: string | undefined;
  requestId?: string | undefined;
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
  /**
   * Keeps a published submission that could not be taken in as a failed job, so that its publisher can see why. Once: a
   * job that is there already is left as it is, and answered.
   */
  recordRejected(principal: Principal, message: RejectedMessage, error: ServiceError): Promise<Job>;
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
/** When to ask again for a model that cannot be used: setting a key takes a person. */
const KEY_WAIT_MS = 60_000;
/** A submit waits this long for its doorbell to be published; after that the sweeper rings. */
const PUBLISH_WAIT_MS = 2_000;

export function jobService(options: JobServiceOptions): JobService {
  const { store, queue, models, clock, newId, log } = options;
  const maker: JobMaker = options;

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
    const { jobType, input, questionId = null } = submission;
    const id = await jobIdOf(principal, submission, newId);
    const job = newJob(maker, principal, { id, jobType, model });
    return {
      ...job,
      questionId: submission.questionId,
      fingerprint: await fingerprintOf({ jobType, model: submission.model, input, questionId }),
      requestId: submission.requestId,
      wakeAt: job.createdAt + RING_GRACE_MS,
    };
  }

  async function recordRejected(principal: Principal, message: RejectedMessage, error: ServiceError): Promise<Job> {
    const job = await rejectedJob(maker, principal, message, error);
    const answer = await store.create(job, null);
    return 'created' in answer ? job : ((await store.get(job))?.job ?? job);
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
    recordRejected,

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
  if (!availability.available)
    throw new ServiceError('model_unavailable', availability.reason, { retryAfterMs: KEY_WAIT_MS });
  return model;
}

function assertInputFits(input: Json): void {
  const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
  if (bytes <= INPUT_BYTES_MOST) return;
  throw new ServiceError('input_too_large', `The input is ${bytes} bytes; at most ${INPUT_BYTES_MOST} are accepted.`);
}
