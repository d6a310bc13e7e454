/**
 * Telling others what became of a job. Whoever tries takes the job's outbox for a while and counts the try before it is
 * made; what they did not write down by then is tried again, with the same ids. The job itself goes on as it would.
 */
import { describeError, isServiceError } from './errors.ts';
import { applyChanges, type Job, type JobKey } from './job.ts';
import { transition } from './lifecycle.ts';
import { attributesOf, noticeMessage, type RenderJob, webhookMessage } from './notice-message.ts';
import {
  DELIVERY_MS_MOST,
  type Delivery,
  type EventsTopic,
  type Notice,
  type PendingNotice,
  type Sent,
  type WebhookSender,
} from './notices.ts';
import { hasDueNotices, REFUSALS_HOLD } from './outbox.ts';
import type { Clock, JobStore, Log, StoredJob } from './ports.ts';

export type TellingOptions = {
  store: JobStore;
  clock: Clock;
  log: Log;
  newId: () => string;
  random: () => number;
  /** Absent: no webhook is called; what is due for one counts as refused. */
  webhooks?: WebhookSender | undefined;
  /** Absent: nothing is published. */
  eventsTopic?: EventsTopic | undefined;
  renderJob?: RenderJob | undefined;
};

export type Telling = {
  /**
   * Tells whoever has to be told something of this job now, if nobody else is at it. Throws `store_unavailable` when it is
   * not known whether that was written down: then it is done again.
   */
  tell(key: JobKey): Promise<void>;
};

/** For reading, writing and publishing, beside the calls of webhooks. */
const MARGIN_MS = 15_000;
/** What came while others were told follows at once; a job that changes all the time is left to its next doorbell. */
const ROUNDS_MOST = 5;
/** A write that meets a newer document is decided again on it, this often at most. */
const REBASES_MOST = 5;

/** What one round came to, as the outbox is told it. */
type Outcome = { webhook: number[]; topic: number[]; tried: Delivery[]; retryAfterMs: number; isGone: boolean };

export function telling(options: TellingOptions): Telling {
  const { store, clock, log, newId, random } = options;

  async function tellOnce(found: StoredJob): Promise<void> {
    const { job, revision, readAtMs } = found;
    const { notices = [] } = job.outbox ?? {};
    const calls = notices.filter(({ to }) => to.includes('webhook')).length;
    const leaseMs = calls * DELIVERY_MS_MOST + MARGIN_MS;
    const token = newId();
    const startedMs = clock.monotonicMs();
    const taken = transition(job, { type: 'take-notices', nowMs: readAtMs, token, leaseMs });
    if (taken.refused) return;
    const answer = await store.update(job, revision, taken.changes);
    if ('refused' in answer) return;
    const held = applyChanges(job, taken.changes);
    if (!held.outbox) return log('warning', 'notices-given-up', { job_id: job.id, notices: notices.length });
    const hasTime = () => clock.monotonicMs() - startedMs + DELIVERY_MS_MOST <= leaseMs;
    const [topic, webhook] = await Promise.all([publishAll(options, held), callAll(options, held, readAtMs, hasTime)]);
    const { revision: heldAt, atMs } = answer.written;
    await writeDown({ ...found, job: held, revision: heldAt, readAtMs: atMs }, token, { ...webhook, topic });
  }

  async function writeDown(taken: StoredJob, token: string, outcome: Outcome): Promise<void> {
    const { webhook, topic, tried, retryAfterMs, isGone } = outcome;
    const answeredMs = clock.monotonicMs();
    let found: StoredJob | undefined = taken;
    for (let rebases = 0; rebases <= REBASES_MOST && found; rebases++) {
      const nowMs = found.readAtMs + (rebases === 0 ? Math.floor(clock.monotonicMs() - answeredMs) : 0);
      const event = { type: 'told', nowMs, token, random: random() } as const;
      const decision = transition(found.job, {
        ...event,
        delivered: { webhook, topic },
        ...{ tried, retryAfterMs, isGone },
      });
      // Somebody else is at it by now, or the job was deleted.
      if (decision.refused) return;
      const answer = await store.update(found.job, found.revision, decision.changes);
      if ('written' in answer) return;
      found = await store.get(found.job);
    }
  }

  return {
    async tell(key) {
      for (let rounds = 0; rounds < ROUNDS_MOST; rounds++) {
        const found = await store.get(key);
        if (!found || !hasDueNotices(found.job, found.readAtMs)) return;
        await tellOnce(found);
      }
    },
  };
}

/** The versions that the topic has now. Stops at the first that it may not have: they are told in their order. */
async function publishAll({ eventsTopic, log }: TellingOptions, job: Job): Promise<number[]> {
  const published: number[] = [];
  for (const notice of job.outbox?.notices ?? []) {
    if (!notice.to.includes('topic')) continue;
    // Of a deployment that stopped publishing: nobody waits for it.
    if (eventsTopic) {
      const { id, body } = await noticeMessage(job, notice);
      try {
        await eventsTopic.publish(body, attributesOf(job, notice, id));
      } catch (error) {
        if (!isServiceError(error, 'store_unavailable')) throw error;
        log('warning', 'event-unpublished', { job_id: job.id, type: notice.type, error: describeError(error) });
        return published;
      }
    }
    published.push(notice.version);
  }
  return published;
}

/**
 * Calls the webhook with each notice in its order. Stops at one that was not delivered, unless its receiver has said often
 * enough that it does not want this one: once a newer one is delivered, the older is not sent any more.
 */
async function callAll(
  options: TellingOptions,
  job: Job,
  nowMs: number,
  hasTime: () => boolean,
): Promise<Omit<Outcome, 'topic'>> {
  const outcome: Omit<Outcome, 'topic'> = { webhook: [], tried: [], retryAfterMs: 0, isGone: false };
  for (const notice of job.outbox?.notices ?? []) {
    if (!notice.to.includes('webhook')) continue;
    if (!hasTime()) break;
    const sent = await callOnce(options, job, notice, nowMs);
    outcome.tried.push(deliveryOf(notice, nowMs, sent));
    if (sent.delivered) {
      outcome.webhook.push(notice.version);
      continue;
    }
    outcome.retryAfterMs = Math.max(outcome.retryAfterMs, sent.retryAfterMs ?? 0);
    outcome.isGone = sent.failure === 'gone';
    if (outcome.isGone || !isUnwanted(notice)) break;
  }
  return outcome;
}

async function callOnce(
  { webhooks, renderJob, log }: TellingOptions,
  job: Job,
  notice: Notice,
  nowMs: number,
): Promise<Sent> {
  const { tenant, id, webhook } = job;
  const facts = { job_id: id, type: notice.type, version: notice.version };
  const message = await webhookMessage(job, notice, { nowMs, renderJob });
  const sent: Sent =
    webhooks && webhook
      ? await webhooks.send({ tenant, url: webhook.url }, message)
      : { delivered: false, ms: 0, failure: 'refused', message: 'Webhooks are off here (WEBHOOK_SECRETS).' };
  const { status, ms } = sent;
  if (sent.delivered) log('info', 'webhook-delivered', { ...facts, status, ms });
  else log('warning', 'webhook-failed', { ...facts, status, ms, why: sent.failure });
  return sent;
}

function isUnwanted({ refusals = 0 }: PendingNotice): boolean {
  return refusals >= REFUSALS_HOLD;
}

function deliveryOf({ type, version, happenedAt }: Notice, triedAt: number, sent: Sent): Delivery {
  const { ms, status } = sent;
  const failed = sent.delivered ? {} : { failure: sent.failure, message: sent.message };
  return { type, version, happenedAt, triedAt, ms, ...(status === undefined ? {} : { status }), ...failed };
}
