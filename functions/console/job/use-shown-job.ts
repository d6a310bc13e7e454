/** Follows a job for as long as its page is shown. */
import { useEffect, useReducer, useState } from 'react';
import { errorOf } from '../../../shared/client/followed-job.ts';
import { jobs } from '../service.ts';
import { type Heard, type ShownJob, unheard, withHeard } from './shown-job.ts';

export type FollowedPage = {
  shown: ShownJob;
  /** With what was heard in another way, as in the answer to a cancel. */
  hear(heard: Heard): void;
  /** Follows it anew, after a problem. */
  again(): void;
};

/** A component that leaves closes the connection at once. */
export function useShownJob(jobId: string): FollowedPage {
  const [shown, hear] = useReducer(withHeard, jobId, unheard);
  const [round, setRound] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` follows anew
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const follow = async () => {
      // React's Strict Mode leaves, and comes back within the same turn.
      await Promise.resolve();
      if (signal.aborted) return;
      try {
        for await (const event of jobs.stream(jobId, { signal, timeoutMs: Number.POSITIVE_INFINITY })) {
          if (signal.aborted) return;
          hear({ event, atMs: Date.now() });
          const isLast = event.type === 'done' || (event.type === 'snapshot' && event.job.is_complete);
          if (!isLast) continue;
          // The answer that could not be used is shown only where one job is asked for.
          if (event.job.status === 'failed') hear({ view: await jobs.get(jobId, { signal }), atMs: Date.now() });
          // Of a job that was over the stream would now bring the result, however large.
          return;
        }
      } catch (cause) {
        if (!signal.aborted) hear({ problem: errorOf(cause, jobId) });
      }
    };
    void follow();
    return () => leaving.abort();
  }, [jobId, round]);

  return { shown, hear, again: () => setRound((before) => before + 1) };
}
