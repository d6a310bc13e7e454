/** How far a job is, and when to look again: computed when somebody reads, from the time that such jobs usually take. Pure. */
import { isTerminal, type Job } from './job.ts';

/** While a call is under way its progress goes from the first towards the second, and never reaches it. */
const CALLING_FROM = 10;
const CALLING_TO = 95;
/** Where nothing is known: what a model needs for a page of text. */
const USUAL_MS = 15_000;

/**
 * From 0 to 100. Counted from the first claim on, whatever happened since, with an estimate that is in the document: it
 * never goes back. Two processes hear of one instant at different times: `shown` is what the reader was shown before.
 */
export function progressOf(job: Job, nowMs: number, shown = 0): number {
  if (isTerminal(job.state)) return 100;
  if (job.state === 'pending') return 0;
  const elapsedMs = Math.max(0, nowMs - (job.startedAt ?? nowMs));
  // Five sixths of the way at the usual end.
  const share = 1 - Math.exp((-1.8 * elapsedMs) / Math.max(1, job.usualMs ?? USUAL_MS));
  const reached = Math.floor(CALLING_FROM + (CALLING_TO - CALLING_FROM) * share);
  return Math.max(reached, Math.min(shown, CALLING_TO));
}

const LEAST_MS = 500;
const MOST_MS = 3_000;
/** Around its usual end a job is looked at this often, at most. */
const NEAR_MS = 900;
/** A job that is older than this is in no hurry: the pause grows with its age. */
const YOUNG_MS = 120_000;
const MOST_OLD_MS = 15_000;

/** How long a client does well to wait before it asks again; `undefined` when nothing will change any more. */
export function pollAfterMs(job: Job, nowMs: number): number | undefined {
  if (isTerminal(job.state)) return undefined;
  const ageMs = nowMs - job.createdAt;
  const mostMs = ageMs < YOUNG_MS ? MOST_MS : Math.min(ageMs / (YOUNG_MS / MOST_MS), MOST_OLD_MS);
  return Math.round(Math.min(Math.max(wishedMs(job, nowMs), LEAST_MS), mostMs));
}

function wishedMs({ createdAt, startedAt, usualMs, nextAttemptAt = 0 }: Job, nowMs: number): number {
  if (nextAttemptAt > nowMs) return nextAttemptAt - nowMs + LEAST_MS;
  const elapsedMs = nowMs - (startedAt ?? createdAt);
  if (usualMs === undefined) return elapsedMs / 8;
  const windowMs = Math.max(usualMs / 10, 1_000);
  const untilWindowMs = usualMs - windowMs - elapsedMs;
  if (untilWindowMs > 0) return untilWindowMs;
  const nearMs = Math.min(usualMs / 20, NEAR_MS);
  const overdueMs = elapsedMs - usualMs - windowMs;
  return overdueMs <= 0 ? nearMs : nearMs + overdueMs / 8;
}
