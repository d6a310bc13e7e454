/**
 * Keeps the answer of one attempt in chunks, as it comes. One write at a time, and a chunk keeps its number and its text
 * while it is tried again: a reader who saw it must not see it otherwise.
 */
import { describeError } from './errors.ts';
import type { Job } from './job.ts';
import { UNREAD_MS } from './payloads.ts';
import { type ChunkStore, type Clock, type Log, sleep } from './ports.ts';
import { within } from './within.ts';

export type ChunkWriterOptions = {
  chunks: ChunkStore;
  clock: Clock;
  log: Log;
  /** The least time between two writes, unless much text comes. */
  flushMs: number;
};

export type ChunkWriter = {
  /** Text that the model said next; it may end within a character. */
  add(text: string): void;
  /**
   * Writes what is left, for so long at most while the store gives no answer. How many chunks the text has; `undefined`
   * when it is not known that all of them are there.
   */
  end(patienceMs: number): Promise<number | undefined>;
};

/** So much text is written at once. */
const FLUSH_CHARACTERS = 1_024;
/** 256 KiB, as a unit of a string takes three bytes at most: Firestore takes no document over 1 MiB. */
const CHUNK_CHARACTERS_MOST = Math.floor((256 * 1_024) / 3);
const RETRY_PAUSE_MS = 250;
/** Readers who come back later find the result. */
const KEPT_MS = 86_400_000;
/** An attempt is over by then. */
const ATTEMPT_MS = 600_000;

export function chunkWriter(
  { chunks, clock, log, flushMs }: ChunkWriterOptions,
  { tenant, id, store, attempt }: Pick<Job, 'tenant' | 'id' | 'store' | 'attempt'>,
): ChunkWriter {
  // Where the sweeper cannot remove what a lost worker wrote, it goes by itself.
  const keptMs = store === false ? UNREAD_MS + ATTEMPT_MS : KEPT_MS;
  let pending = '';
  let written = 0;
  let lastMs = -Infinity;
  let giveUpAtMs = Infinity;
  let isEnding = false;
  /** Answers whether it was written. */
  let writing: Promise<boolean> | undefined;
  let cancelTimer = () => {};

  /** A chunk is complete but for a half of a pair of surrogates at its end, which waits for the other. */
  function take(): string {
    const most = pending.slice(0, CHUNK_CHARACTERS_MOST);
    const isParted = (!isEnding || most.length < pending.length) && /[\ud800-\udbff]$/.test(most);
    const text = isParted ? most.slice(0, -1) : most;
    pending = pending.slice(text.length);
    return text.toWellFormed();
  }

  function schedule(): void {
    cancelTimer();
    if (writing || isEnding) return;
    const waitMs = pending.length >= FLUSH_CHARACTERS ? 0 : lastMs + flushMs - clock.monotonicMs();
    if (waitMs > 0) {
      cancelTimer = clock.setTimer(schedule, waitMs);
      return;
    }
    const text = take();
    if (text === '') return;
    lastMs = clock.monotonicMs();
    writing = put(text).then((isWritten) => {
      writing = undefined;
      if (pending !== '') schedule();
      return isWritten;
    });
  }

  async function put(text: string): Promise<boolean> {
    while (clock.monotonicMs() < giveUpAtMs) {
      try {
        await chunks.put({ tenant, id }, { attempt, n: written + 1, text }, clock.nowMs() + keptMs);
        written += 1;
        return true;
      } catch (error) {
        log('warning', 'chunk-unwritten', { job_id: id, attempt, n: written + 1, error: describeError(error) });
        await sleep(clock, RETRY_PAUSE_MS);
      }
    }
    return false;
  }

  /** After a chunk that could not be written there is a gap, which nothing may follow. */
  async function finish(): Promise<number | undefined> {
    if (writing && !(await writing)) return undefined;
    for (let text = take(); text !== ''; text = take()) if (!(await put(text))) return undefined;
    return written;
  }

  return {
    add(text) {
      pending += text;
      schedule();
    },

    async end(patienceMs) {
      isEnding = true;
      cancelTimer();
      giveUpAtMs = clock.monotonicMs() + patienceMs;
      return within(clock, patienceMs, finish());
    },
  };
}
