/** Retries of failed jobs, one after the other, and what became of each. */
import { useEffect, useRef, useState } from 'react';
import type { JobView, LlmJobsError } from '../../../shared/client/client.ts';
import { jobs } from '../service.ts';

/** The id of the new job, or why there is none. */
export type Retried = { jobId: string } | { error: LlmJobsError };

export type Retries = {
  /** By the id of the job that was retried. */
  done: Readonly<Record<string, Retried>>;
  /** How many of how many, while they run. */
  running: { done: number; all: number } | undefined;
  /** Until all are retried, or somebody stops it, or the service does not answer. */
  retry(all: readonly JobView[]): Promise<void>;
  stop(): void;
};

/** Can it be retried, and was it not? */
export function isOpen({ done }: Retries, { job_id, urls, retried_as }: JobView): boolean {
  const before = done[job_id];
  return urls.retry !== undefined && retried_as === undefined && !(before && 'jobId' in before);
}

export function useRetries(): Retries {
  const [done, setDone] = useState<Retries['done']>({});
  const [running, setRunning] = useState<Retries['running']>();
  const stopping = useRef(new AbortController());
  useEffect(() => () => stopping.current.abort(), []);

  async function retry(all: readonly JobView[]): Promise<void> {
    stopping.current = new AbortController();
    const { signal } = stopping.current;
    for (const [index, { job_id }] of all.entries()) {
      setRunning({ done: index, all: all.length });
      const retried: Retried = await jobs.retry(job_id, { signal }).then(
        ({ job_id: jobId }) => ({ jobId }),
        (error: LlmJobsError) => ({ error }),
      );
      if (signal.aborted) break;
      setDone((before) => ({ ...before, [job_id]: retried }));
      if ('error' in retried && retried.error.code === 'no_answer') break;
    }
    setRunning(undefined);
  }

  return { done, running, retry, stop: () => stopping.current.abort() };
}
