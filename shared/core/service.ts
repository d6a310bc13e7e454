/**
 * What a surface may ask about jobs: submit, read, list, cancel. Surfaces never see the store or the queue.
 */
import { invalidRequest, isServiceError, ServiceError } from './errors.ts';
import { fingerprintOf, isJobId } from './ids.ts';
import { applyChanges, isTerminal, type Job, type JobModel, type Json, type Limits } from './job.ts';
import { transition } from './lifecycle.ts';
import { deadlineOf } from './limits.ts';
import {
  type JobMaker,
  jobIdOf,
  newJob,
  type Principal,
  type RejectedMessage,
  rejectedJob,
  type SubmissionIdentity,
} from './new-job.ts';
import type { Clock, JobQuery, JobQueue, JobStore, JobType, Log, ModelCatalog, StoredJob } from './ports.ts';
import { ringDoorbell } from './ring.ts';
import { RING_GRACE_MS } from './waking.ts';

/** A validated request for a job. */
export type Submission = SubmissionIdentity & {
  jobType: string;
  /** A model's UUID, name or provider's name. */
  model: string;
  input: Json;
  questionId?: string | undefined;
  requestId?: string | undefined;
  /** Clocks other than the job type's. */
  limits?: Partial<Limits> | undefined;
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
  /**
   * Asks for the end of a job, as often as wanted. One that nobody holds is over with the answer; the holder of another
   * one breaks its call off soon after. A job that is over stays as it is. Throws `job_not_found`, or
   * `store_unavailable` when it is not known whether the job was told.
   */
  cancel(principal: Principal, id: string): Promise<Job>;
  /** A page of this principal's jobs, newest first. */
  list(principal: Principal, filter: ListFilter): Promise<Job[]>;
};

export type JobServiceOptions = {
  store: JobStore;
  queue: JobQueue;
  models: ModelCatalog;
  jobTypes: ReadonlyMap<string, JobType>;
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
/** A cancel that meets a newer document is decided again on it, this often at most. */
const CANCEL_TRIES = 5;

export function jobService(options: JobServiceOptions): JobService {
  const { store, models, jobTypes, newId, log } = options;
  const maker: JobMaker = options;

  async function submit(principal: Principal, submission: Submission): Promise<Submitted> {
    const model = usableModel(models, submission.model);
    assertInputFits(submission.input);
    const job = await pendingJob(principal, submission, model);
    const submitted = await createOnce(job, submission.input);
    const { replayed } = submitted;
    log('info', 'job-submitted', { job_id: job.id, job_type: job.jobType, model: model.model, replayed });
    // A repeat of a job that nobody claimed yet may be one whose doorbell was never rung.
    if (submitted.job.state === 'pending' && submission.ring !== false) await ringDoorbell(options, job);
    return submitted;
  }

  async function pendingJob(principal: Principal, submission: Submission, model: JobModel): Promise<Job> {
    const { jobType, input, questionId = null, limits = {} } = submission;
    const type = jobTypes.get(jobType);
    if (!type) throw new ServiceError('internal_error', `No job type "${jobType}" is installed.`);
    const id = await jobIdOf(principal, submission, newId);
    const given = { jobType, model: submission.model, input, questionId };
    const job: Job = {
      ...newJob(maker, principal, { id, jobType, model }),
      questionId: submission.questionId,
      fingerprint: await fingerprintOf(Object.keys(limits).length === 0 ? given : { ...given, limits }),
      requestId: submission.requestId,
      limits: { ...type.limits, ...limits },
    };
    const { createdAt } = job;
    return { ...job, wakeAt: Math.min(createdAt + RING_GRACE_MS, deadlineOf(job, createdAt).atMs) };
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

  async function find(principal: Principal, id: string): Promise<StoredJob> {
    const key = { tenant: principal.tenant, id: id.toLowerCase() };
    const found = isJobId(key.id) ? await store.get(key) : undefined;
    if (!found || !maySee(principal, found.job)) throw new ServiceError('job_not_found', 'Job not found');
    return found;
  }

  async function cancel(principal: Principal, id: string): Promise<Job> {
    let cause: unknown;
    for (let tries = 0; tries < CANCEL_TRIES; tries++) {
      const { job, revision, readAtMs } = await find(principal, id);
      const decision = transition(job, { type: 'cancel', nowMs: readAtMs });
      if (decision.refused === 'unknown-state') {
        throw new ServiceError(
          'store_unavailable',
          'The job was written by a newer version of this service. Try again.',
        );
      }
      if (decision.refused) return job;
      // Refused, or of unknown fate: the next look tells.
      const answer = await store.update(job, revision, decision.changes).catch((error: unknown) => {
        if (!isServiceError(error, 'store_unavailable')) throw error;
        cause = error;
        return undefined;
      });
      if (!answer || 'refused' in answer) continue;
      const next = applyChanges(job, decision.changes);
      const event = isTerminal(next.state) ? 'job-finished' : 'cancel-accepted';
      log('info', event, { job_id: job.id, attempt: job.attempt, state: next.state });
      return next;
    }
    const sentence = 'It is not known whether the job was told. Cancel it again.';
    throw new ServiceError('store_unavailable', sentence, { cause, retryAfterMs: 1_000 });
  }

  return {
    submit,
    recordRejected,
    cancel,

    async get(principal, id) {
      return (await find(principal, id)).job;
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
