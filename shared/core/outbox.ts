/**
 * The outbox: what others were not told yet is a part of the job, written with the change that it tells of. It is tried by
 * one at a time, in the order in which things happened; after a failure on the schedule of Standard Webhooks. Pure.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import type { Decision, EventOf, JobEvent, NoticeEvent } from './events.ts';
import { applyChanges, type Job, type JobChanges, type JobState } from './job.ts';
import {
  type Audience,
  DELIVERIES_KEPT,
  type Delivery,
  type Notice,
  type NoticeType,
  type Outbox,
  type PendingNotice,
} from './notices.ts';
import { backoffMs } from './retry.ts';

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
/** A notice that was refused so often (4xx) does not hold up those after it. */
export const REFUSALS_HOLD = 3;
/** A doorbell is rung with each new notice; so long it has before the sweeper rings again. */
export const NOTICE_GRACE_MS = 30_000;
const RING_PAUSE_LEAST_MS = 60_000;
const RING_PAUSE_MOST_MS = 900_000;

/** The job as the table of its life knows it: `wakeAt` says when its life has to be looked at. */
export function withoutOutbox(job: Job): Job {
  return job.outbox ? { ...job, wakeAt: job.outbox.lifeWakeAt } : job;
}

/** Has anybody to be told something now, and is nobody at it? */
export function hasDueNotices({ outbox }: Job, nowMs: number): boolean {
  return outbox !== undefined && outbox.dueAt <= nowMs;
}

/**
 * What the table decided about a job's life, with what others are to be told of it. A wake may be about nothing else.
 * `job` is the stored one, whose outbox the decision leaves as it is.
 */
export function withNotices(job: Job, event: JobEvent, decision: Decision): Decision {
  const { nowMs } = event;
  const isWake = event.type === 'wake' && job.outbox !== undefined && job.outbox.wakeAt <= nowMs;
  if (decision.refused) {
    if (!isWake || decision.refused === 'unknown-state') return decision;
    return { changes: kept(lifeWakeAt(job), rung(job.outbox as Outbox, nowMs)) };
  }
  const life = withoutOutbox(job);
  const next = applyChanges(life, decision.changes);
  // Nothing of a deleted job is told to its owner's receiver: nothing of it is left to be asked for, either.
  const forgotten = next.deletedAt === undefined ? {} : { webhook: undefined, deliveries: undefined };
  const told = applyChanges(next, forgotten);
  const notice = next.state === job.state ? undefined : noticeOf(told, nowMs);
  const outbox = pendingFor(job.outbox, told, notice, nowMs);
  const changes =
    next.deletedAt !== undefined && job.webhook ? { ...decision.changes, ...forgotten } : decision.changes;
  if (!outbox && !job.outbox) return { changes };
  return { changes: { ...changes, ...kept(next.wakeAt, outbox && isWake ? rung(outbox, nowMs) : outbox) } };
}

/** A job that is created in a state that is told; its document is not stored yet. */
export function bornWithNotice(job: Job): Job {
  const notice = noticeOf(job, job.createdAt);
  const outbox = notice && pendingFor(undefined, job, notice, job.createdAt);
  return outbox ? applyChanges(job, kept(job.wakeAt, outbox)) : job;
}

/**
 * A ring that failed counts for none: after an outage of the queue nobody waits the minutes until the one after it. `next`
 * is what was written of `job`; `isForWorker`: it was rung for its life, too.
 */
export function ringAgain(job: Job, next: Job, atMs: number, isForWorker: boolean): JobChanges {
  const soonMs = atMs + NOTICE_GRACE_MS;
  const atLife = lifeWakeAt(next);
  const wakeAt = isForWorker ? Math.min(soonMs, atLife ?? Number.POSITIVE_INFINITY) : atLife;
  const { outbox } = next;
  const again = outbox && { ...outbox, rings: job.outbox?.rings ?? 0, wakeAt: Math.min(soonMs, outbox.wakeAt) };
  return { rings: job.rings, ...(again ? kept(wakeAt, again) : { wakeAt }) };
}

/** The fields of a job that nobody holds or tells others of any more, as after the end of the only process. */
export function takenOver(job: Job, nowMs: number): JobChanges {
  const { outbox, leaseExpiresAt } = job;
  const life = leaseExpiresAt === null ? {} : { leaseExpiresAt: nowMs };
  const wakeAt = leaseExpiresAt === null ? lifeWakeAt(job) : nowMs;
  if (!outbox) return { ...life, wakeAt };
  const { token, ...free } = outbox;
  return { ...life, ...kept(wakeAt, token === undefined ? outbox : { ...free, dueAt: nowMs, wakeAt: nowMs }) };
}

/** What becomes of the outbox by those who work on it: see `events.ts`. */
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

function noticeOf(job: Job, nowMs: number): PendingNotice | undefined {
  const type = noticeTypeOf(job.state);
  if (!type) return undefined;
  const to: Audience[] = [];
  if (job.webhook?.events.includes(type)) to.push('webhook');
  if (job.announced) to.push('topic');
  return to.length === 0 ? undefined : { type, version: job.version, happenedAt: nowMs, to };
}

/** What a job that came to this state is told as; nothing, for the one that it begins with. */
function noticeTypeOf(state: JobState): NoticeType | undefined {
  if (state === 'pending') return undefined;
  return state === 'processing' ? 'started' : state;
}

/** The outbox after a change of its job; a new notice is due at once, and begins the schedule anew for all of them. */
function pendingFor(
  outbox: Outbox | undefined,
  job: Job,
  notice: PendingNotice | undefined,
  nowMs: number,
): Outbox | undefined {
  const before = job.webhook ? (outbox?.notices ?? []) : without(outbox?.notices ?? [], 'webhook', () => true);
  const notices = notice ? [...before, notice] : before;
  if (notices.length === 0) return undefined;
  const fresh = { notices, tries: 0, rings: 0, dueAt: nowMs, wakeAt: nowMs + NOTICE_GRACE_MS, lifeWakeAt: null };
  if (!outbox) return fresh;
  if (!notice) return { ...outbox, notices };
  // Whoever is at it sees the new one when they are done.
  return outbox.token !== undefined && outbox.dueAt > nowMs ? { ...outbox, notices, tries: 0 } : fresh;
}

function lifeWakeAt(job: Job): number | null {
  return withoutOutbox(job).wakeAt;
}

/** The fields of a job that keeps this outbox, and whose life has to be looked at then. */
function kept(lifeWakeAt: number | null, outbox: Outbox | undefined): JobChanges {
  if (!outbox) return { outbox: undefined, wakeAt: lifeWakeAt };
  return { outbox: { ...outbox, lifeWakeAt }, wakeAt: Math.min(lifeWakeAt ?? Number.POSITIVE_INFINITY, outbox.wakeAt) };
}

function rung(outbox: Outbox, nowMs: number): Outbox {
  const pauseMs = backoffMs(outbox.rings, RING_PAUSE_LEAST_MS, RING_PAUSE_MOST_MS);
  return { ...outbox, rings: outbox.rings + 1, wakeAt: nowMs + pauseMs };
}

/** Somebody is going to tell; the try is counted before it is made. One too many, and all of them are given up. */
function takeNotices(job: Job, { nowMs, token, leaseMs }: EventOf<'take-notices'>): Decision {
  const { outbox } = job;
  if (!outbox) return { refused: 'done' };
  if (outbox.dueAt > nowMs) return { refused: outbox.token === undefined ? 'not-due' : 'leased' };
  if (outbox.tries >= NOTICE_TRIES_MOST) return { changes: kept(lifeWakeAt(job), undefined) };
  const untilMs = nowMs + leaseMs;
  const taken = { token, tries: outbox.tries + 1, rings: 0, dueAt: untilMs, wakeAt: untilMs };
  return { changes: kept(lifeWakeAt(job), { ...outbox, ...taken }) };
}

/** What became of a try. What came meanwhile is due at once. */
function told(job: Job, event: EventOf<'told'>): Decision {
  const { nowMs, token, delivered, tried, retryAfterMs = 0, isGone = false, random } = event;
  const { outbox } = job;
  if (outbox?.token !== token) return { refused: 'lease-lost' };
  const newest = Math.max(0, ...delivered.webhook);
  const isOver = (version: number) => version <= newest || isGone;
  const published = without(outbox.notices, 'topic', (version) => delivered.topic.includes(version));
  const notices = without(published, 'webhook', isOver).map((notice) => refusedBy(notice, tried));
  const deliveries = [...(job.deliveries ?? []), ...tried].slice(-DELIVERIES_KEPT);
  const log = tried.length > 0 ? { deliveries } : {};
  if (notices.length === 0) return { changes: { ...kept(lifeWakeAt(job), undefined), ...log } };
  const { token: _, ...free } = outbox;
  const hasNew = outbox.tries === 0;
  const pause = NOTICE_PAUSES_MS[outbox.tries - 1];
  if (!hasNew && pause === undefined) return { changes: { ...kept(lifeWakeAt(job), undefined), ...log } };
  const pauseMs = Math.ceil((pause ?? 0) * (1 + random * JITTER));
  const askedMs = Math.min(retryAfterMs, RETRY_AFTER_MOST_MS);
  const dueAt = nowMs + Math.max(pauseMs, askedMs);
  const wakeAt = hasNew && askedMs === 0 ? nowMs + NOTICE_GRACE_MS : dueAt;
  return { changes: { ...kept(lifeWakeAt(job), { ...free, notices, rings: 0, dueAt, wakeAt }), ...log } };
}

/** The owner wants the newest notice sent again, whatever became of it: the schedule begins anew. */
function tellAgain(job: Job, { nowMs }: EventOf<'tell-again'>): Decision {
  const newest = newestNotice(job);
  if (!job.webhook || !newest) return { refused: 'done' };
  const { notices = [] } = job.outbox ?? {};
  const same = notices.find(({ version }) => version === newest.version);
  const to: Audience[] = [...new Set<Audience>([...(same?.to ?? []), 'webhook'])];
  const again = [...notices.filter((notice) => notice !== same), { ...newest, to }];
  const isLeased = job.outbox?.token !== undefined && job.outbox.dueAt > nowMs;
  const fresh = { tries: 0, rings: 0, dueAt: nowMs, wakeAt: nowMs + NOTICE_GRACE_MS, lifeWakeAt: null };
  const outbox = isLeased ? { ...(job.outbox as Outbox), notices: again, tries: 0 } : { ...fresh, notices: again };
  return { changes: kept(lifeWakeAt(job), outbox) };
}

function refusedBy(notice: PendingNotice, tried: readonly Delivery[]): PendingNotice {
  const isRefused = tried.some(
    ({ version, failure, status = 0 }) =>
      version === notice.version && failure === 'status' && status >= 400 && status < 500 && status !== 429,
  );
  return isRefused ? { ...notice, refusals: (notice.refusals ?? 0) + 1 } : notice;
}

/** Those that somebody has to be told still, once these notices are no longer for this audience. */
function without(
  notices: readonly PendingNotice[],
  audience: Audience,
  isOver: (version: number) => boolean,
): PendingNotice[] {
  return notices.flatMap((notice) => {
    if (!isOver(notice.version)) return notice;
    const to = notice.to.filter((other) => other !== audience);
    return to.length > 0 ? { ...notice, to } : [];
  });
}
