/** Calling the webhook of one job, by whoever has its outbox. */
import type { Job } from './job.ts';
import { type RenderJob, webhookMessage } from './notice-message.ts';
import type { Delivery, Notice, PendingNotice, Sent, WebhookSender } from './notices.ts';
import { FAILURES_HOLD } from './outbox-tries.ts';
import type { Log, StoredJob } from './ports.ts';

export type CallingOptions = {
  log: Log;
  /** Absent: no webhook is called; what is due for one counts as refused. */
  webhooks?: WebhookSender | undefined;
  renderJob?: RenderJob | undefined;
};

/** What the calls came to, as the outbox is told it. */
export type WebhookOutcome = { webhook: number[]; tried: Delivery[]; retryAfterMs: number; isGone: boolean };
/** The right to tell, and until when a call of a webhook may begin. */
export type Turn = { held: StoredJob; nowMs: () => number; hasTime: () => boolean };

/**
 * Calls the webhook with the notices in their order, until one is delivered: that is written down before a newer one is
 * sent, for else a worker that is lost between would have it sent again after the newer one. Stops at one that was not
 * delivered, unless that failed often before, or where the receiver asked for patience: once a newer one is delivered, the
 * older is not sent any more.
 */
export async function callWebhook(options: CallingOptions, { held, nowMs, hasTime }: Turn): Promise<WebhookOutcome> {
  const outcome: WebhookOutcome = { webhook: [], tried: [], retryAfterMs: 0, isGone: false };
  const { notices = [], patientUntil = 0 } = held.job.outbox ?? {};
  // They are at it for the topic alone.
  if (held.readAtMs < patientUntil) return outcome;
  for (const notice of notices) {
    if (!notice.to.includes('webhook')) continue;
    if (!hasTime()) break;
    const triedAt = nowMs();
    const sent = await callOnce(options, held.job, notice, triedAt);
    outcome.tried.push(deliveryOf(notice, triedAt, sent));
    if (sent.delivered) {
      outcome.webhook.push(notice.version);
      break;
    }
    outcome.retryAfterMs = sent.retryAfterMs ?? 0;
    outcome.isGone = sent.failure === 'gone';
    if (outcome.isGone || outcome.retryAfterMs > 0 || !isHopeless(notice)) break;
  }
  return outcome;
}

async function callOnce(
  { webhooks, renderJob, log }: CallingOptions,
  job: Job,
  notice: Notice,
  nowMs: number,
): Promise<Sent> {
  const { tenant, id, webhook, traceparent } = job;
  const facts = { job_id: id, type: notice.type, version: notice.version };
  const message = await webhookMessage(job, notice, { nowMs, renderJob });
  const sent: Sent =
    webhooks && webhook
      ? await webhooks.send({ tenant, url: webhook.url, traceparent }, message)
      : { delivered: false, ms: 0, failure: 'refused', message: 'Webhooks are off here (WEBHOOK_SECRETS).' };
  const { status, ms } = sent;
  if (sent.delivered) log('info', 'webhook-delivered', { ...facts, status, ms });
  else log('warning', 'webhook-failed', { ...facts, status, ms, why: sent.failure });
  return sent;
}

function isHopeless({ failures = 0 }: PendingNotice): boolean {
  return failures >= FAILURES_HOLD;
}

function deliveryOf({ type, version, happenedAt }: Notice, triedAt: number, sent: Sent): Delivery {
  const { ms, status } = sent;
  const failed = sent.delivered ? {} : { failure: sent.failure, message: sent.message };
  return { type, version, happenedAt, triedAt, ms, ...(status === undefined ? {} : { status }), ...failed };
}
