/** What a surface may ask about jobs. Surfaces never see the store or the queue. */
import { type Batching, batching } from './batching.ts';
import { type Cancelling, cancelling } from './cancelling.ts';
import { jobWatch } from './job-watch.ts';
import type { ChunkStore } from './ports.ts';
import { type Reading, reading } from './reading.ts';
import { type Submitting, type SubmittingOptions, submitting } from './submitting.ts';

export type JobService = Submitting &
  Batching &
  Reading &
  Cancelling & {
    /** How many listeners are open for readers. */
    listeners(): number;
    /** Answers everybody who waits, and ends all streams: the process is about to end. */
    close(): void;
  };

export type JobServiceOptions = SubmittingOptions & { chunks: ChunkStore };

export function jobService(options: JobServiceOptions): JobService {
  const watch = jobWatch(options);
  const parts = { ...options, watch };
  const submits = submitting(options);
  return {
    ...submits,
    ...batching(options, submits),
    ...reading(parts),
    ...cancelling(parts),
    listeners: watch.listeners,
    close: watch.close,
  };
}
