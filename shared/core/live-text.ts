/**
 * The text of a job's newest attempt as this process knows it: its chunks from the first on, without gaps. All readers
 * of the job share it.
 */
import { describeError } from './errors.ts';
import type { JobKey } from './job.ts';
import { FIRST_WORD_MS } from './known-job.ts';
import { news } from './news.ts';
import type { Chunk, ChunkStore, Clock, Log } from './ports.ts';

export type LiveText = {
  /** Turns to the newest attempt, and resolves when what there was of it is known: up to now, with `anew`. */
  follow(attempt: number, anew: boolean): Promise<AttemptText>;
  stop(): void;
};

/** The chunk n stands at n - 1; it grows. */
export type AttemptText = { attempt: number; texts: readonly string[] };

export type LiveTextOptions = { chunks: ChunkStore; clock: Clock; log: Log; watchdogMs: number };

export function liveText(
  { chunks, clock, log, watchdogMs }: LiveTextOptions,
  key: JobKey,
  onNews: () => void,
): LiveText {
  let current: { attempt: number; texts: string[]; loaded: Promise<void> } | undefined;
  /** A look under way, and the one after it. */
  let looking: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let stopListening = () => {};
  let cancelWatchdog = () => {};
  /** Lets those go who wait for the first word of a listener that is stopped. */
  let stopWaiting = () => {};

  function add(found: readonly Chunk[]): void {
    if (!current) return;
    const before = current.texts.length;
    for (const { attempt, n, text } of found) {
      if (attempt === current.attempt && n === current.texts.length + 1) current.texts.push(text);
    }
    if (current.texts.length > before) onNews();
  }

  async function load(attempt: number): Promise<void> {
    const afterN = current?.texts.length ?? 0;
    try {
      add(await chunks.list(key, attempt, afterN));
    } catch (error) {
      log('warning', 'chunks-unread', { job_id: key.id, attempt, error: describeError(error) });
    }
  }

  /** A look that begins after now, one for all who ask meanwhile. */
  function loadAnew(attempt: number): Promise<void> {
    next ??= (looking ?? Promise.resolve()).then(() => {
      next = undefined;
      looking = load(attempt).finally(() => {
        looking = undefined;
      });
      return looking;
    });
    return next;
  }

  /** A listener may fall silent without a word: who hears nothing looks, and listens anew when there was something. */
  function guard(attempt: number): void {
    cancelWatchdog();
    cancelWatchdog = clock.setTimer(async () => {
      const before = current?.texts.length ?? 0;
      await load(attempt);
      if (current?.attempt !== attempt) return;
      if (current.texts.length > before) listen(attempt, current.texts.length);
      guard(attempt);
    }, watchdogMs);
  }

  function listen(attempt: number, afterN: number, onWord = () => {}): void {
    stopListening();
    stopListening = chunks.watch(key, attempt, afterN, (found) => {
      if (current?.attempt !== attempt) return;
      guard(attempt);
      if ((found[0]?.n ?? 0) > current.texts.length + 1) void load(attempt);
      else add(found);
      onWord();
    });
  }

  /** A listener says first what there is: to ask for it would be paid for twice. Where it says nothing soon, it is asked for. */
  async function start(attempt: number): Promise<void> {
    const words = news(clock);
    stopWaiting = words.tell;
    listen(attempt, 0, words.tell);
    guard(attempt);
    await words.changed(0, FIRST_WORD_MS);
    if (words.count() === 0) await load(attempt);
  }

  function stop(): void {
    stopListening();
    cancelWatchdog();
    stopWaiting();
    stopListening = () => {};
    cancelWatchdog = () => {};
  }

  return {
    async follow(attempt, anew) {
      // Another reader knows of a newer attempt already; this one will in a moment.
      if (current && current.attempt > attempt) return { attempt, texts: [] };
      if (current?.attempt !== attempt) {
        stop();
        const begun = { attempt, texts: [] as string[], loaded: Promise.resolve() };
        current = begun;
        begun.loaded = start(attempt);
        await begun.loaded;
        return begun;
      }
      const followed = current;
      await followed.loaded;
      if (anew && current === followed) await loadAnew(attempt);
      return followed;
    },

    stop() {
      stop();
      current = undefined;
    },
  };
}
