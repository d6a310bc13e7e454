/**
 * The invariant checker of a chaos run: compares what clients were told, what is stored and what the provider was asked.
 * Pure, so that a test can show that each rule can be broken.
 */
import { ATTEMPTS_KEPT } from '../shared/core/attempt-record.ts';
import { isTerminal, type Job, type JobState } from '../shared/core/job.ts';
import { withoutOutbox } from '../shared/core/outbox.ts';
import { LOSSES_MOST } from '../shared/core/waking.ts';
import { type Tellable, wrongTold } from '../test/support/told-check.ts';
import type { Receipt } from '../test/support/webhook-receiver.ts';
import type { Told, View } from './chaos-ledger.ts';
import type { ProviderCall } from './chaos-provider.ts';

/** A job as it is stored, and the mark in its input. */
export type Document = { job: Job; mark: string | undefined };

export type Evidence = {
  told: readonly Told[];
  documents: readonly Document[];
  calls: readonly ProviderCall[];
  /** What the webhooks of jobs were told. */
  receipts: readonly Receipt[];
  /** What was found wrong on the way: answers, leaks, crashes. */
  wrong: readonly string[];
  /** The run was broken off: jobs that are not over had no time to be. */
  isInterrupted: boolean;
};

export type Verdict = {
  accepted: number;
  states: Record<JobState, number>;
  calls: number;
  recordedCalls: number;
  /** Accepted, and not over or not there. */
  lost: string[];
  /** Completed or called more often than recorded, or two documents for one submission. */
  doubled: string[];
  /** Everything else that must not be. */
  violations: string[];
  /** Accepted, and not over when the run was broken off. */
  open: number;
};

const RANKS: Record<string, number> = { pending: 0, processing: 1, completed: 2, failed: 2, cancelled: 2 };
/** So many calls that failed end a job, by the retry policy. */
const FAILURES_MOST = 5;

export function verdictOf({ told, documents, calls, receipts, wrong, isInterrupted }: Evidence): Verdict {
  const lost: string[] = [];
  const doubled: string[] = [];
  const hooked = documents.flatMap(({ job }) => (job.webhook ? tellable(job) : []));
  const violations = [...wrong, ...wrongTold({ jobs: hooked, receipts })];
  const states: Verdict['states'] = { pending: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 };
  let recordedCalls = 0;
  let open = 0;
  const callsOf = groupBy(calls, ({ mark }) => mark);
  const byId = new Map(documents.map((document) => [document.job.id, document]));

  for (const [mark, same] of groupBy(documents, (document) => document.mark)) {
    const ids = same.map(({ job }) => job.id).join(' and ');
    if (mark === undefined) violations.push(`nobody submitted ${ids}`);
    else if (same.length > 1) doubled.push(`one submission became ${ids}`);
  }
  for (const { job, mark = '' } of documents) {
    states[job.state] += 1;
    const made = callsOf.get(mark) ?? [];
    const recorded = job.attempts.reduce((sum, attempt) => sum + attempt.calls, 0);
    recordedCalls += recorded;
    if (job.attempt <= ATTEMPTS_KEPT && made.length > recorded) {
      doubled.push(`${job.id}: ${made.length} calls were made, ${recorded} are recorded`);
    }
    const completed = job.attempts.filter(({ outcome }) => outcome === 'completed').length;
    if (completed > 1) doubled.push(`${job.id}: ${completed} attempts completed`);
    violations.push(...wrongIn(job, made).map((what) => `${job.id}: ${what}`));
  }
  const known = new Set(documents.map(({ mark }) => mark));
  for (const mark of callsOf.keys()) if (!known.has(mark)) violations.push(`a call was made for ${mark}, no job's`);
  for (const one of told) {
    const { job } = byId.get(one.id) ?? {};
    if (!job) lost.push(`${one.id}: accepted (${one.via}), and not there`);
    else if (!isTerminal(job.state)) {
      if (isInterrupted) open += 1;
      else lost.push(`${one.id}: accepted (${one.via}), and ${job.state}: ${briefly(job)}`);
    }
    violations.push(...wrongShown(one, job).map((what) => `${one.id}: ${what}`));
  }
  return { accepted: told.length, states, calls: calls.length, recordedCalls, lost, doubled, violations, open };
}

/** Nobody waits for an outbox: what is in it still has its time. */
function tellable({ id, state: status, version, attempt, outbox }: Job): Tellable {
  const pending = (outbox?.notices ?? []).map(({ type }) => `job.${type}`);
  return { id, status, version, wasStarted: attempt > 0, pending };
}

/** What is wrong with a document, given the calls that were made for it. */
function wrongIn(job: Job, made: readonly ProviderCall[]): string[] {
  const { attempts, attempt, state, error } = job;
  const wrong: string[] = [];
  const first = attempt - Math.min(attempt, ATTEMPTS_KEPT) + 1;
  const numbers = attempts.map(({ n }) => n).join();
  const expected = Array.from({ length: attempt - first + 1 }, (_, index) => first + index).join();
  if (numbers !== expected) wrong.push(`its attempts are ${numbers}, not ${expected}`);
  if (!isTerminal(state)) return wrong;
  if (attempts.some(({ outcome, endedAt }) => outcome === undefined || endedAt === undefined)) {
    wrong.push(`it is ${state}, and an attempt has no end`);
  }
  if (withoutOutbox(job).wakeAt !== null || job.leaseExpiresAt !== null)
    wrong.push(`it is ${state}, and has a lease or a time to wake`);
  const at = attempts.findIndex(({ outcome }) => outcome === 'completed');
  if (state !== 'completed' && at >= 0) wrong.push(`it is ${state}, and attempt ${attempts[at]?.n} completed`);
  if (state !== 'completed' && job.result !== undefined) wrong.push(`it is ${state}, and has a result`);
  if (state === 'completed') {
    if (at < 0) wrong.push('it is completed, and no attempt is');
    else if (at < attempts.length - 1) wrong.push('an attempt was made after the one that completed');
    const { result } = (job.result ?? {}) as { result?: unknown };
    const answer = made.find(({ text }) => text === result);
    if (answer?.end !== 'answered') {
      wrong.push(`its result is no answer of its calls: ${JSON.stringify(result)?.slice(0, 60)}`);
    }
  }
  if (state === 'failed' && !isExplained(job, made)) wrong.push(`it failed with ${error?.code}: ${briefly(job)}`);
  return wrong;
}

/** Did the provider, or the death of its workers, give a job enough reason to fail? */
function isExplained({ error, attempts }: Job, made: readonly ProviderCall[]): boolean {
  if (error?.code === 'crash_loop') return attempts.filter(({ outcome }) => outcome === 'lost').length >= LOSSES_MOST;
  const failed = made.filter(({ end }) => end === 'cut' || end === 'overloaded').length;
  return ['network', 'overloaded'].includes(error?.code ?? '') && failed >= FAILURES_MOST;
}

/** What its client was told and must not have been. */
function wrongShown({ sightings, cancel, firstEnd, lastEnd }: Told, job: Job | undefined): string[] {
  const wrong: string[] = [];
  for (const [index, later] of sightings.entries()) {
    const earlier = sightings[index - 1];
    if (!earlier) continue;
    if (later.version < earlier.version) wrong.push(`a reader saw version ${earlier.version}, then ${later.version}`);
    const [from = 0, to = 0] = [RANKS[earlier.status], RANKS[later.status]];
    const isChange = from === to && earlier.status !== later.status;
    if (to < from || isChange) wrong.push(`a reader saw it ${earlier.status}, then ${later.status}`);
  }
  if (firstEnd !== lastEnd) wrong.push(`its end was read as ${firstEnd}, then as ${lastEnd}`);
  if (!job) return wrong;
  if (cancel && isTerminal(job.state) && job.state !== 'cancelled') {
    wrong.push(`its cancel was answered (${cancel}), and it ended ${job.state}`);
  }
  if (lastEnd !== undefined) {
    const { status, version } = JSON.parse(lastEnd) as View;
    if (status !== job.state || version !== job.version) {
      wrong.push(`it was read as ${status}, version ${version}; it is ${job.state}, version ${job.version}`);
    }
  }
  return wrong;
}

function briefly({ attempts, ...job }: Job): string {
  const { stage, leaseExpiresAt, nextAttemptAt, wakeAt, rings, losses, version } = job;
  const ends = attempts.map(({ n, outcome = 'open', errorCode = '' }) => `${n} ${outcome} ${errorCode}`.trim());
  return JSON.stringify({ stage, leaseExpiresAt, nextAttemptAt, wakeAt, rings, losses, version, attempts: ends });
}

/** `Map.groupBy`, which Node 20 does not have. */
function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
