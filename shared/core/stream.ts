/**
 * A job as a stream of events that a reader can leave and join again anywhere. Whatever a reader missed, in whichever
 * process it comes back: its cursor says what it has, the document and the chunks say what there is, and the difference
 * is what it gets. Nothing is kept per reader.
 */
import type { Seen } from './access.ts';
import type { Attempt } from './attempt-record.ts';
import { isTerminal, type Job } from './job.ts';
import type { Watching } from './job-watch.ts';
import { asShown } from './payloads.ts';
import { progressOf } from './progress.ts';
import { isGone } from './retention.ts';

/** What a reader gets. `id` is the cursor after the event; what has none is only shown to those who are there. */
export type StreamEvent =
  /** The job as it is, with the text so far: what comes after continues it. */
  | { type: 'snapshot'; id: number; seen: Seen; text: string | undefined }
  | { type: 'delta'; id: number; text: string }
  /** Another attempt begins: its text replaces all text so far. */
  | { type: 'reset'; id: number; attempt: number }
  | { type: 'status'; seen: Seen }
  | { type: 'progress'; seen: Seen }
  /** The job is over: the last event. */
  | { type: 'done'; id: number; seen: Seen };

/** Where a reader stands: after the nth chunk of an attempt. */
type Position = { attempt: number; n: number };

const IDS_PER_ATTEMPT = 1_000_000;
/** Of the last event; no attempt has so many chunks. */
const DONE_N = IDS_PER_ATTEMPT - 1;
/** Of the snapshot that comes before it, where the text is not all there. */
const CUT_N = DONE_N - 1;
/** The highest cursor that can be. */
export const CURSOR_MOST = Number.MAX_SAFE_INTEGER;
/** How often progress is shown, where nothing else happens. */
const PROGRESS_MS = 1_000;

/** Where a reader with this cursor goes on: `over` when it has seen the end, `undefined` when it must begin anew. */
export async function resume(watching: Watching, cursor: number): Promise<Position | 'over' | undefined> {
  const at = { attempt: attemptOf(cursor), n: cursor % IDS_PER_ATTEMPT };
  let seen = watching.seen();
  // The process that this reader comes from may know more than we do.
  if (seen && !(await isKnownHere(watching, seen.job, at, false))) {
    seen = await watching.look();
    if (seen && !(await isKnownHere(watching, seen.job, at, true))) return undefined;
  }
  if (at.n !== DONE_N) return at;
  return seen && isTerminal(seen.job.state) ? 'over' : undefined;
}

/** Has this process heard of all that the cursor stands for? */
async function isKnownHere(watching: Watching, job: Job, at: Position, anew: boolean): Promise<boolean> {
  if (at.attempt !== job.attempt) return at.attempt < job.attempt && at.n !== DONE_N;
  if (at.n === DONE_N) return isTerminal(job.state);
  if (isCut(job)) return true;
  return at.n === 0 || (Boolean(job.stream) && at.n <= (await countChunks(watching, job, anew)));
}

async function countChunks(watching: Watching, job: Job, anew: boolean): Promise<number> {
  return newest(job)?.chunks ?? (await watching.text(job.attempt, anew)).texts.length;
}

/** The events after a position, or from a snapshot on, up to the end of the job or until the signal is aborted. */
export async function* streamEvents(
  watching: Watching,
  from: Position | undefined,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  let at = from;
  /** Who comes back has seen the rest: the first event is one that continues. */
  let isSilent = from !== undefined && Boolean(watching.seen()?.job.stream);
  let shownVersion = from?.attempt === watching.seen()?.job.attempt ? watching.seen()?.job.version : 0;
  let shownProgress = 0;
  let shownAtMs = -Infinity;

  while (!signal.aborted && !watching.isClosed()) {
    const mark = watching.news.count();
    const known = watching.seen();
    if (!known) return;
    const seen = asShown(known);
    const { job } = seen;
    // Who is told 404 elsewhere is told nothing here.
    if (isGone(job, seen.nowMs)) return;
    if (!at) {
      const { text, n } = await textSoFar(watching, job);
      at = { attempt: job.attempt, n };
      shownVersion = job.version;
      shownProgress = progressOf(job, seen.nowMs);
      shownAtMs = seen.nowMs;
      yield { type: 'snapshot', id: idOf(at), seen, text };
      continue;
    }
    if (isCut(job) && at.attempt === job.attempt && at.n < CUT_N) {
      at = undefined;
      continue;
    }
    if (job.stream && at.attempt !== job.attempt) {
      const isReset = at.attempt > 0;
      at = { attempt: job.attempt, n: 0 };
      if (isReset) {
        isSilent = false;
        yield { type: 'reset', id: idOf(at), attempt: at.attempt };
      }
      continue;
    }
    if (job.stream) {
      const missing = await textAfter(watching, job, at.n);
      if (missing === 'gone') {
        at = undefined;
        continue;
      }
      for (const text of missing) {
        at.n += 1;
        isSilent = false;
        yield { type: 'delta', id: idOf(at), text };
      }
    }
    if (isTerminal(job.state)) {
      yield { type: 'done', id: idOf({ attempt: job.attempt, n: DONE_N }), seen };
      return;
    }
    const progress = progressOf(job, seen.nowMs);
    const isTime = progress > shownProgress && seen.nowMs - shownAtMs >= PROGRESS_MS;
    if (!isSilent && (job.version !== shownVersion || isTime)) {
      yield { type: job.version === shownVersion ? 'progress' : 'status', seen };
      shownProgress = Math.max(shownProgress, progress);
      shownAtMs = seen.nowMs;
    }
    shownVersion = job.version;
    await watching.news.changed(mark, PROGRESS_MS, signal);
  }
}

/** The attempt whose event has this id. */
export function attemptOf(id: number): number {
  return Math.floor(id / IDS_PER_ATTEMPT);
}

function idOf({ attempt, n }: Position): number {
  return attempt * IDS_PER_ATTEMPT + n;
}

function newest({ attempts, attempt }: Job): Attempt | undefined {
  return attempts.findLast(({ n }) => n === attempt);
}

/**
 * Is the text of a job that is over not all there? Its last attempt was lost, and nobody counted its chunks (its holder may
 * still write), or some of them could not be written.
 */
function isCut(job: Job): boolean {
  const attempt = newest(job);
  return Boolean(job.stream) && isTerminal(job.state) && attempt !== undefined && attempt.chunks === undefined;
}

/** How many chunks the newest attempt of a job can have, at most. */
function chunksMost(job: Job): number {
  const attempt = newest(job);
  return attempt ? (attempt.chunks ?? CUT_N) : 0;
}

/** The text up to now, for a snapshot; a completed job has its result instead. */
async function textSoFar(watching: Watching, job: Job): Promise<{ text: string | undefined; n: number }> {
  const most = chunksMost(job);
  if (!job.stream || most === 0) return { text: job.stream ? '' : undefined, n: 0 };
  if (job.state === 'completed' || isCut(job)) return { text: undefined, n: most };
  if (job.payloadsRemovedAt !== undefined) return { text: undefined, n: most };
  const { texts } = await watching.text(job.attempt);
  const known = texts.slice(0, most);
  // Those of a job that ended long ago are gone.
  if (isTerminal(job.state) && known.length < most) return { text: undefined, n: most };
  return { text: known.join(''), n: known.length };
}

/** The chunks after the nth; all of them, when the attempt has ended. */
async function textAfter(watching: Watching, job: Job, n: number): Promise<readonly string[] | 'gone'> {
  const most = chunksMost(job);
  const { chunks } = newest(job) ?? {};
  if (most <= n) return [];
  if (job.payloadsRemovedAt !== undefined) return 'gone';
  let { texts } = await watching.text(job.attempt);
  if (chunks !== undefined && texts.length < chunks) ({ texts } = await watching.text(job.attempt, true));
  if (chunks !== undefined && texts.length < chunks) return isTerminal(job.state) ? 'gone' : texts.slice(n);
  return texts.slice(n, most);
}
