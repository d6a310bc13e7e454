/** What a process knows of one job, whoever tells it: newer replaces older, and the time it shows does not go back. */
import type { Seen } from './access.ts';
import { isTerminal, type Job } from './job.ts';
import type { Clock, StoredJob } from './ports.ts';

export type KnownJob = {
  /** Takes in what the store said; `outdated` when more is known already. */
  hear(found: StoredJob | undefined): 'news' | 'same' | 'outdated';
  /** The job and the store's time now; `undefined` when there is none, or nothing was heard yet. */
  seen(): Seen | undefined;
  /** 0 when there is none, or nothing was heard yet. */
  version(): number;
  /** Was anything heard, be it that there is no such job? */
  isKnown(): boolean;
  isOver(): boolean;
  /** Is it over, and may nothing of it be kept in memory for those who come later (`store: false`)? */
  isFleeting(): boolean;
  /** How long ago something was heard. */
  ageMs(): number;
};

/** A listener that says nothing for so long is asked for, by a look of our own. */
export const WATCHDOG_MS = 15_000;
/** So long a new listener has for its first word. */
export const FIRST_WORD_MS = 500;
/** Kept after its last reader left: who polls comes back. */
export const LINGER_MS = 5_000;

/**
 * May memory answer? A listener must have been heard of; a job that is over does not change any more, but another
 * process may have deleted it, or made a new job of it. What goes when it was read, another process may have seen read.
 */
export function mayAnswer(known: KnownJob, isListening: boolean): boolean {
  if (!known.isKnown() || known.isFleeting()) return false;
  return isListening ? known.ageMs() <= WATCHDOG_MS : known.isOver() && known.ageMs() < LINGER_MS;
}

/** Is this a job that is over and leaves no payload in memory? */
export function isFleeting(job: Job): boolean {
  return job.store === false && isTerminal(job.state);
}

export function knownJob(clock: Clock): KnownJob {
  let found: StoredJob | undefined;
  let isKnown = false;
  let heardMs = 0;
  /** The store's time at that instant, as readers are shown it. */
  let shownMs = 0;

  const versionOf = (stored: StoredJob | undefined) => stored?.job.version ?? 0;
  const ageMs = () => clock.monotonicMs() - heardMs;
  const seen = () => found && { job: found.job, nowMs: shownMs + Math.floor(ageMs()) };

  return {
    seen,
    ageMs,
    version: () => versionOf(found),
    isKnown: () => isKnown,
    isOver: () => found !== undefined && isTerminal(found.job.state),
    isFleeting: () => found !== undefined && isFleeting(found.job),

    hear(next) {
      const ahead = versionOf(next) - versionOf(found);
      // That a job is not there, when it was, is no news either: a listener is behind.
      if (ahead < 0 || (ahead === 0 && next && found && next.readAtMs < found.readAtMs)) return 'outdated';
      const isNews = !isKnown || ahead > 0;
      // What is heard was true a moment ago; the time that was shown meanwhile stands.
      shownMs = Math.max(next?.readAtMs ?? 0, seen()?.nowMs ?? 0);
      heardMs = clock.monotonicMs();
      found = next;
      isKnown = true;
      return isNews ? 'news' : 'same';
    },
  };
}
