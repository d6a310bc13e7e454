/**
 * Submissions that other services publish straight to a topic of their own. The message is a whole submission; tenant
 * and user come from the subscription's configuration, never from the message. It goes through the same validation as a
 * request and is then run in the same delivery. One that cannot be taken in becomes a failed job that can be seen, once.
 */

import type { Principal } from '../core/access.ts';
import { type FieldError, invalidRequest, isServiceError, type ServiceError } from '../core/errors.ts';
import { findUnstorable } from '../core/field-errors.ts';
import { isTenant } from '../core/ids.ts';
import type { JobKey, Json } from '../core/job.ts';
import type { Doorbell, Log } from '../core/ports.ts';
import type { JobService } from '../core/service.ts';
import type { Submission } from '../core/submitting.ts';
import { type Traced, untraced } from '../core/tracing.ts';
import type { WorkOutcome } from '../core/worker.ts';
import { decodePush, type PushedMessage, type PushHandler, respondToPush, settled, traceOf } from './push.ts';

export type IntakeOptions = Traced & {
  service: JobService;
  /** Reads a published submission, or says what is wrong with it. */
  parse: (content: unknown) => { submission: Submission } | { wrong: FieldError[] };
  /** Runs the job in the same delivery; without it, the job's doorbell is rung. */
  run?: (key: JobKey) => Promise<WorkOutcome>;
  /** Rings the doorbell of a job that was taken in and could not be run here; without it, the sweeper does. */
  ring?: (doorbell: Doorbell) => Promise<void>;
  log: Log;
};

/** Refusals of a well-formed submission whose id is a job already: there is nothing to record. */
const HELD = ['idempotency_conflict', 'job_id_taken'];

/** Takes in what one subscription delivers, in the name of its principal. */
export function intakeHandler(options: IntakeOptions, principal: Principal): PushHandler {
  const { service, parse, run, ring, log, tracing = untraced } = options;

  async function takeIn(pushed: PushedMessage): Promise<undefined> {
    const read = readSubmission(pushed);
    if ('wrong' in read) return reject(pushed, invalidRequest(read.wrong));
    const submission = withMessageId(read.submission, pushed);
    try {
      const { job } = await service.submit(principal, { ...submission, ring: run === undefined });
      // From here on the job's own doorbell brings it: refused too often, this message would come back as a dead letter,
      // under another id, and be another job.
      if (run && !(await settled(() => run(job), log, { job_id: job.id }))) await ring?.(job);
    } catch (error) {
      if (!isServiceError(error) || error.code === 'store_unavailable') throw error;
      if (!HELD.includes(error.code)) return reject(pushed, error);
      log('warning', 'submission-refused', { message_id: pushed.messageId, code: error.code });
    }
  }

  function readSubmission({ content, tooMuch }: PushedMessage): ReturnType<IntakeOptions['parse']> {
    if (tooMuch) return { wrong: [tooMuch] };
    if (content === undefined) return { wrong: [{ path: '', message: 'the message is not JSON' }] };
    const unstorable = findUnstorable(content as Json);
    return unstorable ? { wrong: [unstorable] } : parse(content);
  }

  async function reject(pushed: PushedMessage, error: ServiceError): Promise<undefined> {
    const job = await service.recordRejected(principal, pushed, error);
    log('warning', 'submission-rejected', { message_id: pushed.messageId, job_id: job.id, code: error.code });
  }

  return async (body) => {
    const pushed = decodePush(body);
    if (pushed) {
      const { messageId: message_id } = pushed;
      return tracing.span('submission', traceOf(pushed), () => settled(() => takeIn(pushed), log, { message_id }));
    }
    log('error', 'message-unreadable', { why: 'no Pub/Sub message in the body' });
    return true;
  };
}

/** In whose name a subscription publishes, from its push endpoint: `?tenant=acme&user=reports`. */
export function subscriptionPrincipal({ searchParams }: URL): Principal | undefined {
  const tenant = searchParams.get('tenant') ?? 'default';
  const user = searchParams.get('user') ?? 'local';
  return isTenant(tenant) && user !== '' ? { tenant, user, scopes: ['jobs:write'] } : undefined;
}

/** What a function answers to its two kinds of push: doorbells, and at `/submissions` what other services published. */
export function respondToPushes(
  doorbells: PushHandler,
  submissionsOf: (principal: Principal) => PushHandler,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url);
    if (!/^\/submissions\/?$/.test(url.pathname)) return respondToPush(request, doorbells);
    const principal = subscriptionPrincipal(url);
    // The subscription is configured wrong: its messages must wait, not vanish.
    return principal ? respondToPush(request, submissionsOf(principal)) : new Response(null, { status: 400 });
  };
}

/** Without an id or key of its own, a submission is known by its message: a repeat of the delivery is no second job. */
function withMessageId(submission: Submission, { messageId }: PushedMessage): Submission {
  if (submission.jobId !== undefined || submission.idempotencyKey !== undefined) return submission;
  return { ...submission, messageId };
}
