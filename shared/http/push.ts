/**
 * What Pub/Sub brings, in whichever envelope: a raw push, a CloudEvent in binary or structured mode (as a
 * `--trigger-topic` deployment gets them), or what functions-framework makes of a push for a `cloudevent` function.
 * All of them hold the same message somewhere.
 *
 * @see https://cloud.google.com/pubsub/docs/push#receive_push
 */
import { z } from 'zod';
import type { ClaimRefusal } from '../core/claim.ts';
import { type FieldError, framesOf, isServiceError } from '../core/errors.ts';
import { findTooMany } from '../core/field-errors.ts';
import { isJobId, isTenant } from '../core/ids.ts';
import type { JobKey } from '../core/job.ts';
import type { Log } from '../core/ports.ts';
import { type SpanOptions, type Traced, untraced } from '../core/tracing.ts';
import type { WorkOutcome } from '../core/worker.ts';
import { readBody } from './body.ts';

/**
 * Takes the body of one delivery. `true`: acknowledge it. `false`: the store gave no answer, or this instance is about to
 * stop; deliver it again.
 */
export type PushHandler = (body: unknown) => Promise<boolean>;

/** A message: its id, and its data as JSON; `content` is `undefined` where the data is none, or (`tooMuch`) too much. */
export type PushedMessage = {
  messageId: string;
  content: unknown;
  tooMuch?: FieldError | undefined;
  attributes: Record<string, string>;
};

// A message may have attributes alone.
const message = z.object({
  data: z.string().default(''),
  messageId: z.string().optional(),
  message_id: z.string().optional(),
  attributes: z.record(z.string(), z.string()).nullish(),
});
const envelope = z.union([
  z.object({ message }).transform((body) => body.message),
  z.object({ data: z.object({ message }) }).transform((body) => body.data.message),
]);
const doorbell = z.object({ tenant: z.string().refine(isTenant), job_id: z.string().refine(isJobId) });

/** The message in a delivered body, or `undefined` when the body is no delivery. */
export function decodePush(body: unknown): PushedMessage | undefined {
  const found = envelope.safeParse(body);
  if (!found.success) return undefined;
  const { data, messageId, message_id, attributes } = found.data;
  const bytes = Buffer.from(data, 'base64');
  // Bytes that are no UTF-8 have no JSON in them either.
  const tooMuch = findTooMany(bytes.toString());
  const content = tooMuch ? undefined : parseJson(bytes);
  return { messageId: messageId ?? message_id ?? '', content, tooMuch, attributes: attributes ?? {} };
}

/** The doorbell in a delivered body, or `undefined` when there is none. */
export function decodeDoorbell(body: unknown): JobKey | undefined {
  return toDoorbell(decodePush(body));
}

function toDoorbell(pushed: PushedMessage | undefined): JobKey | undefined {
  const rung = doorbell.safeParse(pushed?.content);
  return rung.success ? { tenant: rung.data.tenant, id: rung.data.job_id } : undefined;
}

/** A doorbell as a raw push body, as Pub/Sub would send it. */
export function encodeDoorbell(key: JobKey, messageId: string, deliveryAttempt: number) {
  const data = Buffer.from(JSON.stringify({ tenant: key.tenant, job_id: key.id })).toString('base64');
  return { message: { data, messageId }, subscription: 'embedded', deliveryAttempt };
}

export type DoorbellOptions = Traced & { run: (key: JobKey) => Promise<WorkOutcome>; log: Log };

/** A message belongs to its publisher's trace. What brings it has one of its own, which is Pub/Sub's. */
export function traceOf(pushed: PushedMessage | undefined): SpanOptions {
  return { kind: 'consumer', parent: pushed?.attributes.googclient_traceparent };
}

/** Runs the job whose doorbell was rung. What cannot be read never will be, so it is logged and acknowledged. */
export function doorbellHandler({ run, log, tracing = untraced }: DoorbellOptions): PushHandler {
  return async (body) => {
    const pushed = decodePush(body);
    const key = toDoorbell(pushed);
    const facts = { job_id: key?.id };
    const told = { ...traceOf(pushed), facts };
    if (key) return tracing.span('doorbell', told, () => settled(() => run(key), log, { job_id: key.id }));
    log('error', 'message-unreadable', { why: 'it is not a doorbell' });
    return true;
  };
}

/** How often Pub/Sub delivered a message before it called it dead. */
const DELIVERIES = 'CloudPubSubDeadLetterSourceDeliveryCount';

/**
 * Takes doorbells that were set aside as dead letters. They are seen, and nothing else: whatever became of its doorbell,
 * a job ends by its own clocks and attempts, and the sweeper rings it.
 */
export function deadDoorbellHandler({ log }: { log: Log }): PushHandler {
  return async (body) => {
    const pushed = decodePush(body);
    const { [DELIVERIES]: deliveries } = pushed?.attributes ?? {};
    log('error', 'doorbell-dead', { job_id: toDoorbell(pushed)?.id, message_id: pushed?.messageId, deliveries });
    return true;
  };
}

/** Does the work of a delivery: acknowledged whatever came of it, unless it broke before the store answered. */
export async function settled(
  work: () => Promise<WorkOutcome | undefined>,
  log: Log,
  fields: { job_id?: string; message_id?: string },
): Promise<boolean> {
  try {
    const outcome = await work();
    return !(outcome && 'refused' in outcome && isForAnother(outcome.refused));
  } catch (error) {
    const code = isServiceError(error) ? error.code : 'internal_error';
    const stack = code === 'internal_error' ? framesOf(error) : undefined;
    log('error', 'delivery-failed', { ...fields, code, stack });
    return false;
  }
}

/** Another instance is asked where this one takes no more jobs, or is of an older version than the job. */
function isForAnother(refused: ClaimRefusal): boolean {
  return refused === 'draining' || refused === 'newer-version';
}

/**
 * The answer to a delivery: 204, or 503 so that the queue delivers again, also what did not come whole. Never 202, which the
 * emulator refuses.
 */
export async function respondToPush(request: Request, handle: PushHandler): Promise<Response> {
  const read = await readBody(request, PUSH_BYTES_MOST).catch((error: unknown) => ({ error }));
  if ('error' in read && !isServiceError(read.error, 'input_too_large')) return new Response(null, { status: 503 });
  const body = 'error' in read ? undefined : parseJson(read);
  return new Response(null, { status: (await handle(body)) ? 204 : 503 });
}

/** A message of Pub/Sub has 10 MB at most, in base64 and an envelope. */
const PUSH_BYTES_MOST = 15 * 1024 * 1024;

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
