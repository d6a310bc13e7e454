/**
 * The outbox: what others were not told yet is a part of the job, written with the change that it tells of. How notices get
 * into it, and what it means for a job to have one. Pure.
 */
import type { Decision, JobEvent } from './events.ts';
import { applyChanges, type Job, type JobChanges, type JobState } from './job.ts';
import {
  type Audience,
  DELIVERIES_KEPT,
  type Delivery,
  type NoticeType,
  type Outbox,
  type PendingNotice,
} from './notices.ts';
import { backoffMs } from './retry.ts';

/** A doorbell is rung with each new notice; so long it has before the sweeper rings again. */
export const NOTICE_GRACE_MS = 30_000;
const RING_PAUSE_LEAST_MS = 60_000;
const RING_PAUSE_MOST_MS = 900_000;

/** Why a webhook is not called again. */
export const GONE = { failure: 'gone', message: 'It was not called: its answer to an earlier event was 410.' } as const;

/** An outbox, whatever the job's life wants. */
export type OutboxAlone = Omit<Outbox, 'lifeWakeAt'>;

/**
 * The job as the table of its life knows it: `wakeAt` says when its life has to be looked at. A worker of an older version
 * writes that alone, and leaves the outbox as it is.
 */
export function withoutOutbox(job: Job): Job {
  const { outbox, wakeAt } = job;
  if (!outbox || wakeAt !== earliest(outbox.lifeWakeAt, outbox.wakeAt)) return job;
  return { ...job, wakeAt: outbox.lifeWakeAt };
}

export function lifeWakeAt(job: Job): number | null {
  return withoutOutbox(job).wakeAt;
}

/** Has anybody to be told something now, and is nobody at it? */
export function hasDueNotices({ outbox }: Job, nowMs: number): boolean {
  return outbox !== undefined && outbox.dueAt <= nowMs;
}

/** Is somebody telling them? */
export function isBeingTold({ token, dueAt }: Outbox, nowMs: number): boolean {
  return token !== undefined && dueAt > nowMs;
}

/**
 * What the table decided about a job's life, with what others are to be told of it. A wake may be about nothing else.
 * `job` is the stored one, whose outbox the decision leaves as it is.
 */
export function withNotices(job: Job, event: JobEvent, decision: Decision): Decision {
  const { nowMs } = event;
  const isWake = event.type === 'wake' && job.outbox !== undefined && job.outbox.wakeAt <= nowMs;
  if (decision.refused) {
    if (!isWake) return decision;
    return { changes: kept(lifeWakeAt(job), rung(job.outbox as Outbox, nowMs)) };
  }
  const next = applyChanges(withoutOutbox(job), decision.changes);
  // Nothing of a deleted job is told to its owner's receiver: nothing of it is left to be asked for, either.
  const isForgotten = next.deletedAt !== undefined && job.webhook !== undefined;
  const forgotten = isForgotten ? { webhook: undefined, deliveries: undefined } : {};
  const told = applyChanges(next, forgotten);
  const { notice, untold } = next.state === job.state ? {} : newsOf(told, nowMs);
  const changes = { ...decision.changes, ...forgotten, ...(untold ? logged(told, [untold]) : {}) };
  const outbox = pendingFor(job.outbox, told, notice, nowMs);
  if (!outbox && !job.outbox) return { changes };
  // With a new notice the doorbell is rung anyway.
  return { changes: { ...changes, ...kept(next.wakeAt, outbox && isWake && !notice ? rung(outbox, nowMs) : outbox) } };
}

/** A job that is created in a state that is told; its document is not stored yet. */
export function bornWithNotice(job: Job): Job {
  const { notice } = newsOf(job, job.createdAt);
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
  const rings = job.outbox?.rings ?? 0;
  // One that waits for its next try was not rung, and goes on waiting.
  const again =
    outbox && (outbox.rings > rings ? { ...outbox, rings, wakeAt: Math.min(soonMs, outbox.wakeAt) } : outbox);
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

/** The fields of a job that keeps this outbox, and whose life has to be looked at then. */
export function kept(lifeWakeAt: number | null, outbox: OutboxAlone | undefined): JobChanges {
  if (!outbox) return { outbox: undefined, wakeAt: lifeWakeAt };
  return { outbox: { ...outbox, lifeWakeAt }, wakeAt: earliest(lifeWakeAt, outbox.wakeAt) };
}

function earliest(lifeWakeAt: number | null, noticesWakeAt: number): number {
  return Math.min(lifeWakeAt ?? Number.POSITIVE_INFINITY, noticesWakeAt);
}

/** When these are due, the earliest being `atMs`: what is not for the webhook does not wait for what that one asked. */
export function dueFrom(
  notices: readonly PendingNotice[],
  nowMs: number,
  atMs: number,
  patientUntil = 0,
): Pick<Outbox, 'dueAt' | 'wakeAt'> {
  const dueAt = notices.some(({ to }) => to.includes('topic')) ? atMs : Math.max(atMs, patientUntil);
  return { dueAt, wakeAt: dueAt > nowMs ? dueAt : nowMs + NOTICE_GRACE_MS };
}

/** Those that somebody has to be told still, once these notices are no longer for this audience. */
export function without(
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

/** The log of deliveries with these after it; a job that was deleted has none. */
export function logged({ webhook, deliveries = [] }: Job, more: readonly Delivery[]): JobChanges {
  return webhook && more.length > 0 ? { deliveries: [...deliveries, ...more].slice(-DELIVERIES_KEPT) } : {};
}

/** What others are to be told of a job that came to its state. `untold`: its webhook wanted to hear no more. */
function newsOf(job: Job, nowMs: number): { notice?: PendingNotice; untold?: Delivery } {
  const type = noticeTypeOf(job.state);
  if (!type) return {};
  const notice = { type, version: job.version, happenedAt: nowMs };
  const isWanted = job.webhook?.events.includes(type) ?? false;
  const isUntold = isWanted && isGone(job);
  const to: Audience[] = isWanted && !isUntold ? ['webhook'] : [];
  if (job.announced) to.push('topic');
  return {
    ...(to.length > 0 ? { notice: { ...notice, to } } : {}),
    ...(isUntold ? { untold: { ...notice, triedAt: nowMs, ms: 0, ...GONE } } : {}),
  };
}

/** Did its webhook answer that it wants no more, and has its owner not asked for another try since? */
function isGone({ deliveries, outbox }: Job): boolean {
  const isAsked = outbox?.notices.some(({ to }) => to.includes('webhook')) ?? false;
  return deliveries?.at(-1)?.failure === 'gone' && !isAsked;
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
): OutboxAlone | undefined {
  const before = job.webhook ? (outbox?.notices ?? []) : without(outbox?.notices ?? [], 'webhook', () => true);
  const notices = notice ? [...before, notice] : before;
  if (notices.length === 0) return undefined;
  if (outbox && !notice) return { ...outbox, notices };
  // Whoever is at it sees the new one when they are done.
  if (outbox && isBeingTold(outbox, nowMs)) return { ...outbox, notices, tries: 0 };
  const patientUntil = outbox?.patientUntil;
  return { notices, patientUntil, tries: 0, rings: 0, ...dueFrom(notices, nowMs, nowMs, patientUntil) };
}

function rung<O extends OutboxAlone>(outbox: O, nowMs: number): O {
  const pauseMs = backoffMs(outbox.rings, RING_PAUSE_LEAST_MS, RING_PAUSE_MOST_MS);
  return { ...outbox, rings: outbox.rings + 1, wakeAt: nowMs + pauseMs };
}
