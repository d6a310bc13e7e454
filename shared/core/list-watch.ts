/**
 * What this process knows of lists without asking: one listener per list, shared by everybody here who looks at it, and
 * kept for a moment for who comes back. It costs a read for each job that it begins with, and one for each change.
 *
 * A listener may fall silent without a word, so a list of which nothing was heard for `LIST_WATCHDOG_MS` is looked after:
 * one read for its newest job, and one for each that is not over. A list of which nothing happens costs 12 reads an hour.
 */
import { describeError, ServiceError } from './errors.ts';
import { isTerminal, type Job } from './job.ts';
import { LINGER_MS } from './known-job.ts';
import { type News, news } from './news.ts';
import type { Clock, JobStore, Log, NewestQuery, StoredJob } from './ports.ts';

/** The jobs of a list, without their payloads, and the store's time now. */
export type KnownList = { jobs: readonly Job[]; nowMs: number };

/** One reader's share in what is known of a list. */
export type WatchedList = {
  /** The list; asks the store where its listener takes long. Throws `store_unavailable`. */
  first(): Promise<KnownList>;
  /** The list as it is known here; empty where nothing is known yet. */
  known(): KnownList;
  /** Told when the list has changed. */
  news: News;
  /** Must nobody wait any more, because the process ends? */
  isClosed(): boolean;
  leave(): void;
};

export type ListWatch = {
  /** Joins those who look at the list. Throws `rate_limited` where its owner looks at too many different ones. */
  join(query: NewestQuery): WatchedList;
  /** How many listeners are open. */
  listeners(): number;
  /** Lets everybody go who waits, for good. */
  close(): void;
};

export type ListWatchOptions = { store: JobStore; clock: Clock; log: Log };

/** A listener that says nothing for so long is looked after. */
export const LIST_WATCHDOG_MS = 300_000;
/** So long a new listener has for its first word; a look costs as much as the listener itself. */
const FIRST_WORD_MS = 2_000;
/** So many lists of one owner are listened to here: each holds its jobs in memory, inputs and all, whoever thinks of filters. */
export const LISTS_MOST = 50;

type Entry = {
  query: NewestQuery;
  jobs: readonly Job[] | undefined;
  /** When the store read what is known, by its own time. */
  readAtMs: number;
  /** The store's time when something was last heard, … */
  storeMs: number;
  /** … and when that was, by our monotonic clock. */
  heardMs: number;
  readers: number;
  news: News;
  stopListening: () => void;
  /** Of the watchdog, and of the end of an entry that nobody looks at. */
  cancelGuard: () => void;
  cancelLinger: () => void;
};

export function listWatch({ store, clock, log }: ListWatchOptions): ListWatch {
  const entries = new Map<string, Entry>();
  let isClosed = false;

  const isKept = (entry: Entry) => entries.get(nameOf(entry.query)) === entry;
  const nowMs = (entry: Entry) => entry.storeMs + Math.floor(clock.monotonicMs() - entry.heardMs);

  function entryOf(query: NewestQuery): Entry {
    const name = nameOf(query);
    const known = entries.get(name);
    if (known) return known;
    makeRoom(query);
    const entry: Entry = {
      // What our own clock says is no time of the store's.
      ...{ query, jobs: undefined, readAtMs: 0, storeMs: 0, heardMs: clock.monotonicMs(), readers: 0 },
      ...{ news: news(clock), stopListening() {}, cancelGuard() {}, cancelLinger() {} },
    };
    entries.set(name, entry);
    listen(entry);
    return entry;
  }

  /** Who holds places that nobody uses gives one up. */
  function makeRoom({ tenant, user }: NewestQuery): void {
    const theirs = [...entries.values()].filter(({ query }) => query.tenant === tenant && query.user === user);
    if (theirs.length < LISTS_MOST) return;
    const idle = theirs.find(({ readers }) => readers === 0);
    const sentence = `${LISTS_MOST} different lists are followed here already: leave one of them, then try again.`;
    if (!idle) throw new ServiceError('rate_limited', sentence, { retryAfterMs: LINGER_MS });
    forget(idle);
  }

  function hear(entry: Entry, found: readonly StoredJob[]): void {
    // An empty list brings no time.
    const readAtMs = found.reduce((latest, stored) => Math.max(latest, stored.readAtMs), 0);
    // The first word of a slow listener, older than what a look has found since.
    if (found.length > 0 && readAtMs < entry.readAtMs) return;
    entry.readAtMs = Math.max(readAtMs, entry.readAtMs);
    // The time that is shown does not go back.
    entry.storeMs = Math.max(readAtMs, nowMs(entry));
    entry.heardMs = clock.monotonicMs();
    entry.jobs = found.map(({ job }) => withoutPayloads(job));
    guard(entry);
    entry.news.tell();
  }

  function listen(entry: Entry): void {
    if (isClosed) return;
    let isListening = true;
    const stop = store.watchList(entry.query, (found) => {
      if (isListening) hear(entry, found);
    });
    entry.stopListening = () => {
      isListening = false;
      stop();
    };
    guard(entry);
  }

  function guard(entry: Entry): void {
    entry.cancelGuard();
    if (!isKept(entry)) return;
    entry.cancelGuard = clock.setTimer(() => void check(entry), LIST_WATCHDOG_MS);
  }

  async function check(entry: Entry): Promise<void> {
    const { heardMs } = entry;
    const isBehind = await findsMore(entry).catch((error: unknown) => {
      log('warning', 'watchdog-unread', { error: describeError(error) });
      return false;
    });
    if (!isKept(entry) || entry.heardMs !== heardMs) return;
    if (!isBehind) return guard(entry);
    log('warning', 'listener-silent', { tenant: entry.query.tenant });
    entry.stopListening();
    listen(entry);
  }

  /** Does the store have a newer state of the list? */
  async function findsMore({ query, jobs }: Entry): Promise<boolean> {
    if (!jobs) return true;
    const unfinished = jobs.filter(({ state }) => !isTerminal(state));
    const newest = await store.list({ ...query, limit: 1, offset: 0 });
    const now = unfinished.length > 0 ? await store.getMany(unfinished) : [];
    const versions = new Map(jobs.map(({ id, version }) => [id, version]));
    return [...newest, ...now].some((found) => found && found.job.version > (versions.get(found.job.id) ?? 0));
  }

  async function first(entry: Entry): Promise<KnownList> {
    if (!entry.jobs && !isClosed) await entry.news.changed(0, FIRST_WORD_MS);
    if (!entry.jobs && !isClosed) {
      const found = await store.list({ ...entry.query, offset: 0 });
      // What the listener said meanwhile is newer.
      if (!entry.jobs) hear(entry, found);
    }
    return known(entry);
  }

  const known = (entry: Entry): KnownList => ({ jobs: entry.jobs ?? [], nowMs: nowMs(entry) });

  function forget(entry: Entry): void {
    entry.stopListening();
    entry.cancelGuard();
    entry.cancelLinger();
    entries.delete(nameOf(entry.query));
  }

  return {
    listeners: () => entries.size,

    join(query) {
      const entry = entryOf(query);
      entry.readers += 1;
      entry.cancelLinger();
      let hasLeft = false;
      return {
        news: entry.news,
        first: () => first(entry),
        known: () => known(entry),
        isClosed: () => isClosed,
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          entry.readers -= 1;
          if (entry.readers > 0 || isClosed) return;
          if (entry.jobs) entry.cancelLinger = clock.setTimer(() => forget(entry), LINGER_MS);
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

/** Lists say the same in whatever order their filters come. */
function nameOf(query: NewestQuery): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return JSON.stringify(given.sort(([left], [right]) => (left < right ? -1 : 1)));
}

function withoutPayloads({ result: _, rejectedText: __, ...job }: Job): Job {
  return job;
}
