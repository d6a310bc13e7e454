/**
 * The text of a job's newest attempt as this process knows it: its chunks from the first on, without gaps. All readers
 * of the job share it.
 */
import type { JobKey } from './job.ts';
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
  let stopListening = () => {};
  let cancelWatchdog = () => {};

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
      log('warning', 'chunks-unread', { job_id: key.id, attempt, error: String(error) });
    }
  }

  /** A listener may fall silent without a word: who hears nothing looks. */
  function guard(attempt: number): void {
    cancelWatchdog();
    cancelWatchdog = clock.setTimer(() => {
      void load(attempt).then(() => current?.attempt === attempt && guard(attempt));
    }, watchdogMs);
  }

  async function start(attempt: number): Promise<void> {
    await load(attempt);
    if (current?.attempt !== attempt) return;
    stopListening = chunks.watch(key, attempt, current.texts.length, (found) => {
      guard(attempt);
      const gap = current?.attempt === attempt && (found[0]?.n ?? 0) > current.texts.length + 1;
      if (gap) void load(attempt);
      else add(found);
    });
    guard(attempt);
  }

  function stop(): void {
    stopListening();
    cancelWatchdog();
    stopListening = () => {};
    cancelWatchdog = () => {};
  }

  return {
    async follow(attempt, anew) {
      // Another reader knows of a newer attempt already; this one will in a moment.
      if (current && current.attempt > attempt) return { attempt, texts: [] };
      if (current?.attempt !== attempt) {
        stop();
        const next = { attempt, texts: [] as string[], loaded: Promise.resolve() };
        current = next;
        next.loaded = start(attempt);
        await next.loaded;
        return next;
      }
      const followed = current;
      await followed.loaded;
      if (anew && current === followed) await load(attempt);
      return followed;
    },

    stop() {
      stop();
      current = undefined;
    },
  };
}
