/**
 * What Pub/Sub brings, in whichever envelope: a raw push, a CloudEvent in binary or structured mode (as a
 * `--trigger-topic` deployment gets them), or what functions-framework makes of a push for a `cloudevent` function.
 * All of them hold the same message somewhere.
 *
 * @see https://cloud.google.com/pubsub/docs/push#receive_push
 */
import { z } from 'zod';
import { isServiceError } from '../core/errors.ts';
import type { JobKey } from '../core/job.ts';
import type { Log } from '../core/ports.ts';
import type { RunOutcome } from '../core/run.ts';

const message = z.object({ data: z.string(), messageId: z.string().optional(), message_id: z.string().optional() });
const envelope = z.union([
  z.object({ message }).transform((body) => body.message),
  z.object({ data: z.object({ message }) }).transform((body) => body.data.message),
]);
const doorbell = z.object({ tenant: z.string().min(1), job_id: z.string().min(1) });

/** The doorbell in a delivered body, or why there is none. */
export function decodePush(body: unknown): { doorbell: JobKey } | { unreadable: string } {
  const found = envelope.safeParse(body);
  if (!found.success) return { unreadable: 'no Pub/Sub message in the body' };
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(found.data.data, 'base64').toString('utf8'));
  } catch {
    return { unreadable: 'the message is not JSON' };
  }
  const rung = doorbell.safeParse(content);
  return rung.success
    ? { doorbell: { tenant: rung.data.tenant, id: rung.data.job_id } }
    : { unreadable: 'the message is not a doorbell' };
}

/** A doorbell as a raw push body, as Pub/Sub would send it. */
export function encodePush(key: JobKey, messageId: string, deliveryAttempt: number) {
  const data = Buffer.from(JSON.stringify({ tenant: key.tenant, job_id: key.id })).toString('base64');
  return { message: { data, messageId }, subscription: 'embedded', deliveryAttempt };
}

export type PushHandlerOptions = { run: (key: JobKey) => Promise<RunOutcome>; log: Log };

/**
 * Takes one delivery. `true`: acknowledge it, whatever came of the job, for the store answered. `false`: the store gave
 * no answer, deliver again. What cannot be read never will be, so it is logged and acknowledged.
 */
export function pushHandler({ run, log }: PushHandlerOptions): (body: unknown) => Promise<boolean> {
  return async (body) => {
    const decoded = decodePush(body);
    if ('unreadable' in decoded) {
      log('error', 'message-unreadable', { why: decoded.unreadable });
      return true;
    }
    try {
      await run(decoded.doorbell);
      return true;
    } catch (error) {
      const code = isServiceError(error) ? error.code : 'internal_error';
      const stack = error instanceof Error && code === 'internal_error' ? error.stack : undefined;
      log('error', 'delivery-failed', { job_id: decoded.doorbell.id, code, stack });
      return false;
    }
  };
}

/** The same as an HTTP answer: 204, or 503 so that the queue delivers again. Never 202, which the emulator refuses. */
export function pushResponder(handle: (body: unknown) => Promise<boolean>): (request: Request) => Promise<Response> {
  return async (request) => {
    const body: unknown = await request.json().catch(() => undefined);
    return new Response(null, { status: (await handle(body)) ? 204 : 503 });
  };
}
