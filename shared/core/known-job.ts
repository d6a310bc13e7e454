/** What a process knows of one job, whoever tells it: newer replaces older, and the time it shows does not go back. */
import type { Seen } from './access.ts';
import { isTerminal } from './job.ts';
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
  /** How long ago something was heard. */
  ageMs(): number;
};

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
