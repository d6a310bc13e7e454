/**
 * What this process knows of jobs without asking: one listener per job, shared by everybody here who waits for it, and
 * jobs that ended a moment ago. A listener may fall silent without a word, so whoever hears nothing for a while looks.
 */
import type { Seen } from './access.ts';
import { isTerminal, type JobKey } from './job.ts';
import { type AttemptText, type LiveText, liveText } from './live-text.ts';
import { type News, news } from './news.ts';
import type { ChunkStore, Clock, JobStore, Log, StoredJob } from './ports.ts';

/** One reader's share in what is known of a job. */
export type Watching = {
  /** The job as it is known here; `undefined` when there is none, or nothing is known yet. */
  seen(): Seen | undefined;
  /** The job, of at least this version if there is one; asks the store when memory does not have it. */
  first(leastVersion: number): Promise<Seen | undefined>;
  /** Asks the store, now. Throws `store_unavailable`. */
  look(): Promise<Seen | undefined>;
  /** The text of the newest attempt of a job that keeps chunks; asks the store once, and `anew` when it must be all. */
  text(attempt: number, anew?: boolean): Promise<AttemptText>;
  /** Told when the job or its text has changed. */
  news: News;
  /** Must nobody wait any more, because the process ends? */
  isClosed(): boolean;
  leave(): void;
};

export type JobWatch = {
  /** A job of at least this version, if memory has it. */
  peek(key: JobKey, leastVersion: number): Seen | undefined;
  /** Reads a job from the store. Throws `store_unavailable`. */
  look(key: JobKey): Promise<Seen | undefined>;
  /** What somebody here wrote, or read elsewhere. */
  offer(found: StoredJob): Seen;
  /** Joins those who wait for the job. */
  join(key: JobKey): Watching;
  /** How many listeners are open. */
  listeners(): number;
  /** Lets everybody go who waits, for good. */
  close(): void;
};

export type JobWatchOptions = { store: JobStore; chunks: ChunkStore; clock: Clock; log: Log };

/** A listener that says nothing for so long is asked for, by a look of our own. */
export const WATCHDOG_MS = 15_000;
/** So long a new listener has for its first word. */
const FIRST_WORD_MS = 500;
/** Kept after its last reader left: who polls comes back. */
const LINGER_MS = 5_000;
/** So many jobs that nobody waits for are kept; each may hold a result. */
const IDLE_MOST = 200;

type Entry = {
  key: JobKey;
  found: StoredJob | undefined;
  /** Something was heard, be it that there is no such job. */
  isKnown: boolean;
  heardMs: number;
  readers: number;
  news: News;
  text: LiveText | undefined;
  /** A look under way, for all who only want to know something. */
  looking: Promise<Seen | undefined> | undefined;
  isListening: boolean;
  stopListening: () => void;
  /** Of the watchdog, and of the end of an entry that nobody waits for. */
  cancelGuard: () => void;
  cancelLinger: () => void;
};

export function jobWatch({ store, chunks, clock, log }: JobWatchOptions): JobWatch {
  const entries = new Map<string, Entry>();
  let isClosed = false;

  function entryOf(key: JobKey): Entry {
    const name = nameOf(key);
    const known = entries.get(name);
    if (known) return known;
    const { tenant, id } = key;
    const entry: Entry = {
      ...{ key: { tenant, id }, found: undefined, isKnown: false, heardMs: 0, readers: 0, news: news(clock) },
      ...{ text: undefined, looking: undefined, isListening: false },
      ...{ stopListening: () => {}, cancelGuard: () => {}, cancelLinger: () => {} },
    };
    entries.set(name, entry);
    return entry;
  }

  function seenIn({ found, heardMs }: Entry): Seen | undefined {
    return found && { job: found.job, nowMs: found.readAtMs + Math.floor(clock.monotonicMs() - heardMs) };
  }

  /** Older than what is known is no news; that a job is not there, when it was, neither: the listener is behind. */
  function hear(entry: Entry, found: StoredJob | undefined): void {
    const known = entry.found;
    const ahead = (found?.job.version ?? 0) - (known?.job.version ?? 0);
    if (ahead < 0 || (known && found && ahead === 0 && found.readAtMs < known.readAtMs)) return;
    const isNews = !entry.isKnown || ahead > 0;
    Object.assign(entry, { found, isKnown: true, heardMs: clock.monotonicMs() });
    if (isOver(entry)) stopListening(entry);
    if (isNews) entry.news.tell();
  }

  async function look(entry: Entry): Promise<Seen | undefined> {
    hear(entry, await store.get(entry.key));
    return seenIn(entry);
  }

  function sharedLook(entry: Entry): Promise<Seen | undefined> {
    entry.looking ??= look(entry).finally(() => {
      entry.looking = undefined;
    });
    return entry.looking;
  }

  function listen(entry: Entry): void {
    entry.cancelLinger();
    if (isOver(entry)) return;
    if (!entry.isListening) {
      entry.isListening = true;
      entry.stopListening = store.watch(entry.key, (found) => {
        if (!entry.isListening) return;
        hear(entry, found);
        if (entry.isListening && entry.readers > 0) guard(entry);
      });
    }
    guard(entry);
  }

  function guard(entry: Entry): void {
    entry.cancelGuard();
    entry.cancelGuard = clock.setTimer(() => {
      const looked = sharedLook(entry).catch((error: unknown) => {
        log('warning', 'watchdog-unread', { job_id: entry.key.id, error: String(error) });
      });
      void looked.then(() => entry.isListening && entry.readers > 0 && guard(entry));
    }, WATCHDOG_MS);
  }

  function stopListening(entry: Entry): void {
    entry.isListening = false;
    entry.stopListening();
    entry.stopListening = () => {};
    entry.cancelGuard();
  }

  function linger(entry: Entry): void {
    entry.cancelGuard();
    entry.cancelLinger = clock.setTimer(() => forget(entry), LINGER_MS);
    const idle = [...entries.values()].filter(({ readers }) => readers === 0);
    if (idle.length > IDLE_MOST && idle[0]) forget(idle[0]);
  }

  function forget(entry: Entry): void {
    stopListening(entry);
    entry.cancelLinger();
    entry.text?.stop();
    entries.delete(nameOf(entry.key));
  }

  function offer(found: StoredJob): Seen {
    let entry = entries.get(nameOf(found.job));
    // What is over does not change: who asks next need not be told by the store.
    if (!entry && isTerminal(found.job.state)) {
      entry = entryOf(found.job);
      linger(entry);
    }
    if (entry) hear(entry, found);
    return (entry && seenIn(entry)) ?? { job: found.job, nowMs: found.readAtMs };
  }

  /** A job that is over may be deleted by another process, and then nobody tells: such knowledge does not keep. */
  function isFresh(entry: Entry): boolean {
    return !isOver(entry) || clock.monotonicMs() - entry.heardMs < LINGER_MS;
  }

  function peek(key: JobKey, leastVersion: number): Seen | undefined {
    const entry = entries.get(nameOf(key));
    if (!entry?.found || entry.found.job.version < leastVersion) return undefined;
    return isFresh(entry) && (entry.isListening || isOver(entry)) ? seenIn(entry) : undefined;
  }

  return {
    peek,
    offer,
    listeners: () => [...entries.values()].filter(({ isListening }) => isListening).length,

    async look(key) {
      const found = await store.get(key);
      return found && offer(found);
    },

    join(key) {
      const entry = entryOf(key);
      entry.readers += 1;
      listen(entry);
      let hasLeft = false;
      return {
        news: entry.news,
        seen: () => seenIn(entry),
        look: () => look(entry),
        isClosed: () => isClosed,
        async first(leastVersion) {
          if (!entry.isKnown) await entry.news.changed(0, FIRST_WORD_MS, new AbortController().signal);
          const isEnough =
            entry.isKnown && isFresh(entry) && (entry.found?.job.version ?? leastVersion) >= leastVersion;
          if (isEnough) return seenIn(entry);
          return entry.isKnown ? look(entry) : sharedLook(entry);
        },
        text(attempt, anew = false) {
          entry.text ??= liveText({ chunks, clock, log, watchdogMs: WATCHDOG_MS }, entry.key, entry.news.tell);
          return entry.text.follow(attempt, anew);
        },
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          entry.readers -= 1;
          if (entry.readers > 0) return;
          if (entry.found) linger(entry);
          else forget(entry);
        },
      };
    },

    close() {
      isClosed = true;
      for (const entry of [...entries.values()]) {
        entry.news.tell();
        forget(entry);
      }
    },
  };
}

function nameOf({ tenant, id }: JobKey): string {
  return `${tenant}~${id}`;
}

function isOver({ found }: Entry): boolean {
  return found !== undefined && isTerminal(found.job.state);
}
