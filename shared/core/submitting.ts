/** Taking jobs in: one document each, then its doorbell, once however often it is submitted. */
import type { Principal, Seen } from './access.ts';
import { haveTold } from './aftermath.ts';
import { createOnce, replayed } from './creating.ts';
import type { Denial } from './credits.ts';
import { invalidRequest, ServiceError } from './errors.ts';
import { type Estimates, estimateKeyOf } from './estimates.ts';
import type { Experiment } from './experiments.ts';
import { fingerprintOf, type Sha256 } from './ids.ts';
import { applyChanges, type Job, type Json, type Limits } from './job.ts';
import { logEnd } from './job-ended.ts';
import type { JobType } from './job-type.ts';
import { deadlineOf } from './limits.ts';
import type { ModelCatalog } from './llm.ts';
import {
  type JobMaker,
  jobIdOf,
  newJob,
  type RejectedMessage,
  rejectedJob,
  type SubmissionIdentity,
} from './new-job.ts';
import type { EventsTopic, Webhook, WebhookSender } from './notices.ts';
import { bornWithNotice } from './outbox.ts';
import type { PartStore } from './part-store.ts';
import { type JobPlan, planJob } from './planning.ts';
import type { JobQueue, JobStore, JobUpdate, Log } from './ports.ts';
import type { Pricing } from './pricing.ts';
import type { Reserving } from './reserving.ts';
import { ringDoorbell } from './ring.ts';
import type { Traced } from './tracing.ts';
import { RING_GRACE_MS } from './waking.ts';

/** What a submission may say beside its input, and what makes another submission of it. */
export type SubmissionExtras = {
  tags?: string[] | undefined;
  metadata?: { [name: string]: string } | undefined;
  /** Keep the answer in chunks as it comes. */
  stream?: boolean | undefined;
  /** Remove input and result when they were read, or an hour after the job's end. */
  store?: false | undefined;
  /** All calls together may cost this much, in nano-dollars. */
  nanoUsdMost?: number | undefined;
  /** Other models that may answer, in order: as `model`, by UUID, name or provider's name. */
  fallbacks?: string[] | undefined;
  /** One of its variants is asked in place of the job's own. */
  experiment?: Experiment | undefined;
  /** The answer to an equal job of the tenant will do, if it is not older. */
  cacheMs?: number | undefined;
  /** Calls are made in their provider's background mode. */
  background?: true | undefined;
  /** Whom to tell of it. */
  webhook?: Webhook | undefined;
  /** The caller's own project. */
  projectId?: string | undefined;
  /** Other than the job type's. */
  retentionMs?: number | undefined;
};

/** A validated request for a job. */
export type Submission = SubmissionIdentity &
  SubmissionExtras & {
    jobType: string;
    /** A model's UUID, name or provider's name; may be left out where the input names one. */
    model?: string | undefined;
    input: Json;
    questionId?: string | undefined;
    batchId?: string | undefined;
    requestId?: string | undefined;
    /** Of the job that it is made from, whose model and input it has. */
    arm?: string | undefined;
    /** Clocks other than the job type's. */
    limits?: Partial<Limits> | undefined;
    /** Its input may have fewer bytes than any, as UTF-8 of its JSON. */
    inputBytesMost?: number | undefined;
    /** `accept`: a job whose user has too few tokens is taken in, and fails when a worker looks at it. */
    emptyAccount?: 'accept' | undefined;
    /** `false`: the submitter runs the job itself, so nobody need be told. */
    ring?: boolean;
  };

/** `replayed`: a job of this id was there already, made by an equal submission. */
export type Submitted = Seen & { replayed: boolean };

export type Submitting = {
  /**
   * Accepts a job: one document, then its doorbell. A repeat under the same id or key answers the first job, however it
   * ended. Throws `invalid_request` (unknown model), `input_too_large`, `model_unavailable`, `idempotency_conflict`
   * (same id or key, something else submitted), `job_id_taken` (another user's, or a job that readers no longer find), where
   * credits are on `subscription_inactive`, `insufficient_credits` or `budget_exceeded` for a job that is not there yet, or
   * `store_unavailable` naming the job id when it is not known whether the job was stored.
   */
  submit(principal: Principal, submission: Submission): Promise<Submitted>;
  /**
   * Keeps a published submission that could not be taken in as a failed job, so that its publisher can see why. Once: a
   * job that is there already is left as it is, and answered.
   */
  recordRejected(principal: Principal, message: RejectedMessage, error: ServiceError): Promise<Job>;
};

export type SubmittingOptions = JobMaker &
  Traced & {
    store: JobStore;
    parts: PartStore;
    queue: JobQueue;
    models: ModelCatalog;
    jobTypes: ReadonlyMap<string, JobType>;
    estimates: Estimates;
    pricing: Pricing;
    log: Log;
    /** Web Crypto's when absent. */
    sha256?: Sha256 | undefined;
    /** Where jobs take from their users' accounts. */
    credits?: Reserving | undefined;
    /** Absent: no job may have a webhook. */
    webhooks?: WebhookSender | undefined;
    /** Where the events of all jobs are published. */
    eventsTopic?: EventsTopic | undefined;
  };

/** The longest name of a project. */
export const PROJECT_CHARACTERS_MOST = 128;

/** What a redrive does beside what anybody may ask for. */
export type TakingIn = {
  /** As `submit`, and changes another job in the same commit; `changed`, and nothing is done, when that has changed before. */
  takeIn(principal: Principal, submission: Submission, other: JobUpdate): Promise<Submitted | 'changed'>;
};

export function submitting(options: SubmittingOptions): Submitting & TakingIn {
  const { store, jobTypes, newId, log, credits } = options;
  const announced = options.eventsTopic ? true : undefined;

  async function takeIn(
    principal: Principal,
    submission: Submission,
    other?: JobUpdate,
  ): Promise<Submitted | 'changed'> {
    const { jobType } = submission;
    const type = jobTypes.get(jobType);
    if (!type) throw new ServiceError('internal_error', `No job type "${jobType}" is installed.`);
    const id = jobIdOf(principal, submission, newId);
    // What was allowed to the job that it is made from is not what its maker said: it is refused when it is called.
    if (submission.redriveOf === undefined) checkWebhook(submission.webhook, options.webhooks);
    const plan = await planJob(options, type, submission, id);
    const job = await pendingJob(principal, submission, type, id, plan);
    const denial = await credits?.denialAtSubmit(job, submission.emptyAccount === 'accept');
    const submitted = denial ? await replayedOr(denial, job) : await createOnce(options, job, plan.input, other);
    if (submitted === 'changed') return submitted;
    const { replayed } = submitted;
    const { id: job_id, tenant, jobType: job_type, model } = job;
    log('info', 'job-submitted', { job_id, tenant, job_type, model: model.model, replayed });
    // A repeat of a job that nobody claimed yet may be one whose doorbell was never rung.
    if (submitted.job.state === 'pending' && submission.ring !== false) await ringDoorbell(options, job);
    return submitted;
  }

  async function pendingJob(
    principal: Principal,
    submission: Submission,
    type: JobType,
    naming: Promise<string>,
    { model, callEstimate, fallbacks, arm }: JobPlan,
  ): Promise<Job> {
    const { jobType, questionId, limits = {}, tags, metadata, stream, store: kept, retentionMs } = submission;
    const { projectId, nanoUsdMost, background } = submission;
    const { tenant } = principal;
    const [id, fingerprint, usualMs] = await Promise.all([
      naming,
      fingerprintOf(givenIn(submission), options.sha256),
      options.estimates.usualMs(estimateKeyOf({ tenant, jobType, model, background })),
    ]);
    const job = applyChanges(newJob(options, principal, { id, jobType, model }), {
      questionId,
      tags,
      metadata,
      batchId: submission.batchId,
      stream: stream || undefined,
      store: kept,
      usualMs,
      fingerprint,
      requestId: submission.requestId,
      traceparent: options.tracing?.current(),
      projectId,
      nanoUsdMost,
      callEstimate,
      // Of an answer that is not kept there is none for another job, nor was this one's own to be looked for.
      cacheMs: kept === false ? undefined : (submission.cacheMs ?? type.cacheMs),
      background,
      arm,
      fallbacks: fallbacks.length > 0 ? fallbacks : undefined,
      redriveOf: submission.redriveOf,
      webhook: submission.webhook,
      announced,
      limits: { ...type.limits, ...limits },
      retentionMs: retentionMs ?? type.retentionMs,
    });
    const { createdAt } = job;
    return { ...job, wakeAt: Math.min(createdAt + RING_GRACE_MS, deadlineOf(job, createdAt).atMs) };
  }

  async function recordRejected(principal: Principal, message: RejectedMessage, error: ServiceError): Promise<Job> {
    const rejected = await rejectedJob(options, principal, message, error);
    const job = bornWithNotice(applyChanges(rejected, { announced, traceparent: options.tracing?.current() }));
    const answer = await store.create(job, null);
    if ('refused' in answer) return (await store.get(job))?.job ?? job;
    logEnd(log, job);
    await haveTold(options, job);
    return job;
  }

  /** A job that is there already is answered, whatever its user may submit now. */
  async function replayedOr({ code, message }: Denial, job: Job): Promise<Submitted> {
    const found = await store.get(job);
    if (found) return replayed(job, found);
    throw new ServiceError(code, message);
  }

  return {
    takeIn,
    // Without another job there is none that can have changed.
    submit: async (principal, submission) => (await takeIn(principal, submission)) as Submitted,
    recordRejected,
  };
}

/** Throws `invalid_request` for a webhook that would not be called. */
function checkWebhook(webhook: Webhook | undefined, webhooks: WebhookSender | undefined): void {
  if (!webhook) return;
  if (!webhooks) throw invalidRequest([{ path: 'webhook', message: 'cannot be had here: WEBHOOK_SECRETS is not set' }]);
  const message = webhooks.refusalOf(webhook.url);
  if (message !== undefined) throw invalidRequest([{ path: 'webhook.url', message }]);
}

/** What makes two submissions the same: all that was given; what was not leaves no trace. */
export function givenIn({ jobType, model, input, questionId, ...more }: Submission): Json {
  const { limits = {}, tags, metadata, stream, store, retentionMs, projectId, nanoUsdMost } = more;
  const { fallbacks, experiment, arm, cacheMs, background, webhook } = more;
  const own = Object.keys(limits).length > 0 ? limits : undefined;
  const given: { [name: string]: Json } = { jobType, input, questionId: questionId ?? null };
  const optional = [
    ...Object.entries({ model, limits: own, tags, metadata, experiment, arm, cacheMs, background, webhook }),
    ...Object.entries({ stream, store, retentionMs, projectId, nanoUsdMost, fallbacks }),
  ];
  for (const [name, value] of optional) if (value !== undefined) given[name] = value as Json;
  return given;
}
