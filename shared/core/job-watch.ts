/**
 * What this process knows of jobs without asking: one listener per job, shared by everybody here who waits for it, and
 * jobs that ended a moment ago. A listener may fall silent without a word, so whoever hears nothing for a while looks.
 */
import type { Seen } from './access.ts';
import { describeError } from './errors.ts';
import { isTerminal, type JobKey, jobName } from './job.ts';
import { FIRST_WORD_MS, isFleeting, type KnownJob, knownJob, LINGER_MS, mayAnswer, WATCHDOG_MS } from './known-job.ts';
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

/** So many jobs that nobody waits for are kept; each may hold a result. */
const IDLE_MOST = 200;

type Entry = {
  key: JobKey;
  known: KnownJob;
  /** When something was last heard or asked for; the watchdog counts from it. */
  checkedMs: number;
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
  /** Those that nobody waits for, the longest idle first. */
  const idle = new Set<Entry>();
  let isClosed = false;

  function entryOf(key: JobKey): Entry {
    const known = entries.get(jobName(key));
    if (known) return known;
    const entry: Entry = {
      ...{
        key: { tenant: key.tenant, id: key.id },
        known: knownJob(clock),
        checkedMs: clock.monotonicMs(),
        readers: 0,
      },
      ...{ news: news(clock), text: undefined, looking: undefined, isListening: false },
      ...{ stopListening() {}, cancelGuard() {}, cancelLinger() {} },
    };
    entries.set(jobName(key), entry);
    return entry;
  }

  const isSure = ({ known, isListening }: Entry) => mayAnswer(known, isListening);

  function hear(entry: Entry, found: StoredJob | undefined): void {
    const heard = entry.known.hear(found);
    if (heard === 'outdated') return;
    entry.checkedMs = clock.monotonicMs();
    if (entry.known.isOver()) stopListening(entry);
    if (entry.known.isFleeting() && entry.readers === 0) forget(entry);
    if (heard === 'news') entry.news.tell();
  }

  async function look(entry: Entry): Promise<Seen | undefined> {
    hear(entry, await store.get(entry.key));
    return entry.known.seen();
  }

  function sharedLook(entry: Entry): Promise<Seen | undefined> {
    entry.looking ??= look(entry).finally(() => {
      entry.looking = undefined;
    });
    return entry.looking;
  }

  async function first(entry: Entry, leastVersion: number): Promise<Seen | undefined> {
    if (!entry.known.isKnown() && entry.isListening) await entry.news.changed(0, FIRST_WORD_MS);
    if (isSure(entry)) return entry.known.version() >= leastVersion ? entry.known.seen() : look(entry);
    const seen = await sharedLook(entry);
    // That look may have begun before this reader saw what it has seen.
    return (seen?.job.version ?? 0) >= leastVersion ? seen : look(entry);
  }

  function listen(entry: Entry): void {
    entry.cancelLinger();
    idle.delete(entry);
    if (isClosed || entry.known.isOver()) return;
    if (!entry.isListening) open(entry);
    guard(entry);
  }

  function open(entry: Entry): void {
    entry.isListening = true;
    const stop = store.watch(entry.key, (found) => {
      if (!entry.isListening) return;
      hear(entry, found);
      if (entry.isListening && entry.readers > 0) guard(entry);
    });
    if (entry.isListening) entry.stopListening = stop;
    else stop();
  }

  /** Counts from the last word on, not from the last reader who came: those may come all the time. */
  function guard(entry: Entry): void {
    entry.cancelGuard();
    const leftMs = entry.checkedMs + WATCHDOG_MS - clock.monotonicMs();
    entry.cancelGuard = clock.setTimer(() => void check(entry), Math.max(0, leftMs));
  }

  async function check(entry: Entry): Promise<void> {
    const before = entry.known.version();
    entry.checkedMs = clock.monotonicMs();
    await sharedLook(entry).catch((error: unknown) => {
      log('warning', 'watchdog-unread', { job_id: entry.key.id, error: describeError(error) });
    });
    if (entry.isListening && entry.known.version() > before) {
      log('warning', 'listener-silent', { job_id: entry.key.id });
      stopListening(entry);
      open(entry);
    }
    if (entry.isListening && entry.readers > 0) guard(entry);
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
    idle.add(entry);
    const [longest] = idle;
    if (idle.size > IDLE_MOST && longest) forget(longest);
  }

  function forget(entry: Entry): void {
    stopListening(entry);
    entry.cancelLinger();
    idle.delete(entry);
    entry.text?.stop();
    if (entries.get(jobName(entry.key)) === entry) entries.delete(jobName(entry.key));
  }

  function offer(found: StoredJob): Seen {
    let entry = entries.get(jobName(found.job));
    // What is over hardly changes any more: who asks next need not be told by the store.
    if (!entry && !isClosed && isTerminal(found.job.state) && !isFleeting(found.job)) {
      entry = entryOf(found.job);
      linger(entry);
    }
    if (entry) hear(entry, found);
    return entry?.known.seen() ?? { job: found.job, nowMs: found.readAtMs };
  }

  return {
    offer,
    listeners: () => [...entries.values()].filter(({ isListening }) => isListening).length,

    peek(key, leastVersion) {
      const entry = entries.get(jobName(key));
      return entry && isSure(entry) && entry.known.version() >= leastVersion ? entry.known.seen() : undefined;
    },

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
        seen: () => entry.known.seen(),
        look: () => look(entry),
        isClosed: () => isClosed,
        first: (leastVersion) => first(entry, leastVersion),
        async text(attempt, anew = false) {
          // Nobody would stop what this one started.
          if (hasLeft || isClosed) return { attempt, texts: [] };
          entry.text ??= liveText({ chunks, clock, log, watchdogMs: WATCHDOG_MS }, entry.key, entry.news.tell);
          return entry.text.follow(attempt, anew);
        },
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          entry.readers -= 1;
          if (entry.readers > 0) return;
          if (entry.known.seen() && !isClosed && !entry.known.isFleeting()) linger(entry);
          else forget(entry);
        },
      };
    },

    close() {
      isClosed = true;
      for (const entry of [...entries.values()]) {
        forget(entry);
        entry.news.tell();
      }
    },
  };
}
