/**
 * What becomes of an outbox by those who work on it. It is tried by one at a time, in the order in which things happened;
 * after a failure on the schedule of Standard Webhooks. Pure.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import type { Decision, EventOf, NoticeEvent } from './events.ts';
import { applyChanges, type Job } from './job.ts';
import type { Audience, Delivery, Notice, Outbox, PendingNotice } from './notices.ts';
import { dueFrom, GONE, isBeingTold, kept, lifeWakeAt, logged, without } from './outbox.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** After each try that failed: ten tries in all, within about three days. */
export const NOTICE_PAUSES_MS: readonly number[] = [
  ...[5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS],
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
];
export const NOTICE_TRIES_MOST = NOTICE_PAUSES_MS.length + 1;
/** A receiver may ask for patience, but not for longer than that. */
const RETRY_AFTER_MOST_MS = 24 * HOUR_MS;
/** On top of a pause a random part of this share of it: those that failed together do not come back together. */
const JITTER = 0.2;
/** A notice that failed so often does not hold up those after it: it may be the only one that its receiver cannot take. */
export const FAILURES_HOLD = 3;

const GIVEN_UP = { failure: 'network', message: 'It was given up: no try came to an answer of its own.' } as const;

/** See `events.ts`. */
export function changeOutbox(job: Job, event: NoticeEvent): Decision {
  switch (event.type) {
    case 'take-notices':
      return takeNotices(job, event);
    case 'told':
      return told(job, event);
    case 'tell-again':
      return tellAgain(job, event);
  }
}

/** The newest thing that this job's webhook was told, or is to be told. */
export function newestNotice({ outbox, deliveries = [] }: Job): Notice | undefined {
  const pending = (outbox?.notices ?? []).filter(({ to }) => to.includes('webhook'));
  const [first, ...rest] = [...deliveries, ...pending].map(({ type, version, happenedAt }) => ({
    ...{ type, version, happenedAt },
  }));
  return first && rest.reduce((newest, one) => (one.version > newest.version ? one : newest), first);
}

/** What somebody has to be told still, after a try: once a webhook has a newer notice, it does not get the older ones. */
export function leftAfter(
  { notices }: Outbox,
  { delivered, isGone = false }: Pick<EventOf<'told'>, 'delivered' | 'isGone'>,
): PendingNotice[] {
  const newest = Math.max(0, ...delivered.webhook);
  const published = without(notices, 'topic', (version) => delivered.topic.includes(version));
  return without(published, 'webhook', (version) => version <= newest || isGone);
}

/** Somebody is going to tell; the try is counted before it is made. One too many, and all of them are given up. */
function takeNotices(job: Job, { nowMs, token, leaseMs }: EventOf<'take-notices'>): Decision {
  const { outbox } = job;
  if (!outbox) return { refused: 'done' };
  if (outbox.dueAt > nowMs) return { refused: outbox.token === undefined ? 'not-due' : 'leased' };
  if (outbox.tries >= NOTICE_TRIES_MOST) {
    return { changes: { ...kept(lifeWakeAt(job), undefined), ...logged(job, untold(job, nowMs, GIVEN_UP)) } };
  }
  const untilMs = nowMs + leaseMs;
  const taken = { token, tries: outbox.tries + 1, rings: 0, dueAt: untilMs, wakeAt: untilMs };
  return { changes: kept(lifeWakeAt(job), { ...outbox, ...taken }) };
}

/** The newest notice for the webhook, where that goes unlogged otherwise: its owner must see it, and may have it sent again. */
function untold(job: Job, nowMs: number, why: typeof GIVEN_UP | typeof GONE): Delivery[] {
  const newest = newestNotice(job);
  if (!newest || job.deliveries?.some(({ version }) => version === newest.version)) return [];
  return [{ ...newest, triedAt: nowMs, ms: 0, ...why }];
}

/** What became of a try. What came meanwhile, or comes after what was delivered, is due at once. */
function told(job: Job, event: EventOf<'told'>): Decision {
  const { nowMs, token, tried, retryAfterMs = 0, isGone = false, random } = event;
  const { outbox } = job;
  if (outbox?.token !== token) return { refused: 'lease-lost' };
  const notices = leftAfter(outbox, event).map((notice) => failedBy(notice, tried));
  // What comes after one that was delivered has tries of its own.
  const isNext = event.delivered.webhook.length > 0 && notices.some(({ to }) => to.includes('webhook'));
  const tries = isNext ? 0 : outbox.tries;
  const pause = tries === 0 ? 0 : NOTICE_PAUSES_MS[tries - 1];
  const isGivenUp = pause === undefined;
  const isDropped = isGone || isGivenUp;
  const seen = applyChanges(job, logged(job, tried));
  const log = logged(job, [...tried, ...(isDropped ? untold(seen, nowMs, isGone ? GONE : GIVEN_UP) : [])]);
  if (notices.length === 0 || isGivenUp) return { changes: { ...kept(lifeWakeAt(job), undefined), ...log } };
  const { token: _, ...free } = outbox;
  const askedMs = Math.min(retryAfterMs, RETRY_AFTER_MOST_MS);
  const patientUntil = askedMs > 0 ? nowMs + askedMs : outbox.patientUntil;
  // `nowMs` is rather late, so that nobody is called too soon; it must not hold up what is due at once.
  const newAtMs = Math.min(nowMs, notices.at(-1)?.happenedAt ?? nowMs);
  const dueAtMs = tries === 0 ? newAtMs : nowMs + Math.ceil(pause * (1 + random * JITTER));
  const due = dueFrom(notices, nowMs, dueAtMs, patientUntil);
  return { changes: { ...kept(lifeWakeAt(job), { ...free, notices, tries, patientUntil, rings: 0, ...due }), ...log } };
}

/** The owner wants the newest notice sent again, whatever became of it: the schedule begins anew. */
function tellAgain(job: Job, { nowMs }: EventOf<'tell-again'>): Decision {
  const newest = newestNotice(job);
  if (!job.webhook || !newest) return { refused: 'done' };
  const { outbox } = job;
  const same = outbox?.notices.find(({ version }) => version === newest.version);
  const to: Audience[] = [...new Set<Audience>([...(same?.to ?? []), 'webhook'])];
  const others = (outbox?.notices ?? []).filter((notice) => notice !== same);
  const notices = [...others, { ...newest, to }].sort((one, other) => one.version - other.version);
  const fresh = { notices, tries: 0, rings: 0, ...dueFrom(notices, nowMs, nowMs) };
  const isHeld = outbox && isBeingTold(outbox, nowMs);
  return { changes: kept(lifeWakeAt(job), isHeld ? { ...outbox, notices, tries: 0 } : fresh) };
}

function failedBy(notice: PendingNotice, tried: readonly Delivery[]): PendingNotice {
  const isFailed = tried.some(({ version, failure }) => version === notice.version && failure !== undefined);
  return isFailed ? { ...notice, failures: (notice.failures ?? 0) + 1 } : notice;
}
