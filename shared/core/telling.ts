/**
 * Telling others what became of a job. Whoever tries takes the job's outbox for a while and counts the try before it is
 * made; what they did not write down by then is tried again, with the same ids. The job itself goes on as it would.
 */
import { describeError, isServiceError } from './errors.ts';
import { applyChanges, type Job, type JobChanges, type JobKey } from './job.ts';
import { transition } from './lifecycle.ts';
import { attributesOf, noticeMessage } from './notice-message.ts';
import { DELIVERY_MS_MOST, type EventsTopic } from './notices.ts';
import { hasDueNotices } from './outbox.ts';
import { leftAfter } from './outbox-tries.ts';
import type { Clock, FoundJob, JobStore } from './ports.ts';
import { tellingPlaces } from './telling-places.ts';
import { type CallingOptions, callWebhook, type Turn, type WebhookOutcome } from './telling-webhook.ts';

export type TellingOptions = CallingOptions & {
  store: JobStore;
  clock: Clock;
  newId: () => string;
  random: () => number;
  /** Absent: nothing is published. */
  eventsTopic?: EventsTopic | undefined;
  /** How many jobs this process runs at once: see `telling-places.ts`. */
  jobsAtOnce: number;
  /** Is the process about to end? */
  isStopping?: () => boolean;
};

export type Telling = {
  /**
   * Tells whoever has to be told something of this job now, if nobody else is at it. `found`: it was read a moment ago.
   * Throws `store_unavailable` when it is not known whether that was written down: then it is done again.
   */
  tell(key: JobKey, found?: FoundJob): Promise<void>;
};

/** For reading, writing and publishing, beside the calls of webhooks. */
const MARGIN_MS = 15_000;
/** What came while others were told follows at once; a job that changes all the time is left to its next doorbell. */
const ROUNDS_MOST = 5;
/** So long whoever told goes on with those that found no place. */
const MORE_MS = 300_000;
/** A write that meets a newer document is decided again on it, this often at most. */
const REBASES_MOST = 5;

/** What one round came to, as the outbox is told it. */
type Outcome = WebhookOutcome & { topic: number[] };
/** What became of one job: `put-off`: there was no place; `silent`: no webhook was to be called. */
type Told = 'answered' | 'hung' | 'put-off' | 'silent';

export function telling(options: TellingOptions): Telling {
  const { store, clock, log, newId, random } = options;
  const places = tellingPlaces(options);

  async function look(key: JobKey): Promise<FoundJob | undefined> {
    const askedMs = clock.monotonicMs();
    const found = await store.get(key);
    return found && { ...found, askedMs, answeredMs: clock.monotonicMs() };
  }

  /** The job as written; `undefined`: somebody else was faster, or the store says nothing, so the next look tells. */
  async function write(found: FoundJob, changes: JobChanges): Promise<FoundJob | undefined> {
    const askedMs = clock.monotonicMs();
    const answer = await store.update(found.job, found.revision, changes).catch((error: unknown) => {
      if (!isServiceError(error, 'store_unavailable')) throw error;
      return undefined;
    });
    if (!answer || 'refused' in answer) return undefined;
    const { revision, atMs: readAtMs } = answer.written;
    const job = applyChanges(found.job, changes);
    return { ...found, job, revision, readAtMs, askedMs, answeredMs: clock.monotonicMs() };
  }

  /** One round, and the job after it; `undefined`: nothing is left to do for now. */
  async function tellOnce(found: FoundJob): Promise<FoundJob | undefined> {
    const { job, readAtMs, askedMs, answeredMs } = found;
    const { notices = [] } = job.outbox ?? {};
    const calls = notices.filter(({ to }) => to.includes('webhook')).length;
    const leaseMs = calls * DELIVERY_MS_MOST + MARGIN_MS;
    const token = newId();
    const startedMs = clock.monotonicMs();
    const nowMs = readAtMs + Math.floor(startedMs - answeredMs);
    const taken = transition(job, { type: 'take-notices', nowMs, token, leaseMs });
    if (taken.refused) return undefined;
    const written = (await write(found, taken.changes)) ?? (await look(job));
    if (!written) return undefined;
    if (!taken.changes.outbox && !written.job.outbox) {
      log('warning', 'notices-given-up', { job_id: job.id, notices: notices.length });
      return undefined;
    }
    if (written.job.outbox?.token !== token) return written;
    // The lease began at most so long before we asked for it.
    const endsMs = startedMs - (answeredMs - askedMs) + leaseMs;
    const turn: Turn = {
      held: written,
      nowMs: () => latestNowMs(written),
      hasTime: () => clock.monotonicMs() + DELIVERY_MS_MOST <= endsMs,
    };
    const [topic, webhook] = await Promise.all([publishAll(options, written.job), callWebhook(options, turn)]);
    return writeDown(written, token, { ...webhook, topic });
  }

  /** The store's time, not earlier than it really is: nobody is called sooner than they asked. */
  function latestNowMs({ readAtMs, askedMs }: FoundJob): number {
    return readAtMs + Math.ceil(clock.monotonicMs() - askedMs);
  }

  async function writeDown(taken: FoundJob, token: string, outcome: Outcome): Promise<FoundJob | undefined> {
    const { webhook, topic, tried, retryAfterMs, isGone } = outcome;
    const delivered = { webhook, topic };
    let found: FoundJob | undefined = taken;
    for (let rebases = 0; rebases <= REBASES_MOST && found; rebases++) {
      const by = { nowMs: latestNowMs(found), token, random: random() };
      const decision = transition(found.job, { type: 'told', ...by, delivered, tried, retryAfterMs, isGone });
      // Somebody else is at it by now, the job was deleted, or a write of ours had no answer and happened.
      if (decision.refused) return undefined;
      const written = await write(found, decision.changes);
      if (written) {
        const left = found.job.outbox && !written.job.outbox ? leftAfter(found.job.outbox, { delivered, isGone }) : [];
        if (left.length > 0) log('warning', 'notices-given-up', { job_id: found.job.id, notices: left.length });
        return written;
      }
      found = await look(found.job);
    }
    return undefined;
  }

  async function tellOne(key: JobKey, given?: FoundJob): Promise<Told> {
    let found = given ?? (await look(key));
    let told: Told = 'silent';
    for (let rounds = 0; rounds < ROUNDS_MOST && found; rounds++) {
      const nowMs = found.readAtMs + Math.floor(clock.monotonicMs() - found.answeredMs);
      if (!hasDueNotices(found.job, nowMs)) break;
      const url = calledFor(found.job);
      const host = url === undefined ? undefined : new URL(url).host;
      const leave = host === undefined ? undefined : await places.take(host, key.tenant);
      if (host !== undefined && !leave) {
        places.putOff(host, key);
        log('debug', 'telling-put-off', { job_id: key.id });
        return 'put-off';
      }
      try {
        found = await tellOnce(found);
      } finally {
        if (leave) told = leave() ? 'answered' : 'hung';
      }
    }
    return told;
  }

  return {
    async tell(key, given) {
      const untilMs = clock.monotonicMs() + MORE_MS;
      if ((await tellOne(key, given)) !== 'answered') return;
      for (let next = places.next(); next; next = places.next()) {
        const told = await tellOne(next).catch((error: unknown) => {
          log('warning', 'telling-failed', { job_id: next?.id, error: describeError(error) });
        });
        const isOver = clock.monotonicMs() >= untilMs || options.isStopping?.();
        if (isOver || (told !== 'answered' && told !== 'silent')) return;
      }
    },
  };
}

/** The webhook that has to be called; `undefined`: what is due is for the topic alone. */
function calledFor({ webhook, outbox }: Job): string | undefined {
  return outbox?.notices.some(({ to }) => to.includes('webhook')) ? webhook?.url : undefined;
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
        await eventsTopic.publish(body, attributesOf(job, notice, id), job.traceparent);
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
