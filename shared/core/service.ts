/** What a surface may ask about jobs. Surfaces never see the store or the queue. */
import { type AccountKeeping, accountKeeping } from './account-keeping.ts';
import type { AccountStore } from './accounts.ts';
import { type Batching, batching } from './batching.ts';
import { type Cancelling, cancelling } from './cancelling.ts';
import { type Deliveries, deliveries } from './deliveries.ts';
import { type Erasing, erasing } from './erasing.ts';
import { type InputReading, inputReading } from './input-reading.ts';
import { jobWatch } from './job-watch.ts';
import type { LeaderStore } from './leader-store.ts';
import { type ListStreaming, listStreaming } from './list-stream.ts';
import { listWatch } from './list-watch.ts';
import { type EndingOverdue, endingOverdue } from './overdue.ts';
import { payloadReads } from './payload-reads.ts';
import type { ChunkStore } from './ports.ts';
import { type Reading, reading } from './reading.ts';
import { type Redriving, redriving } from './redriving.ts';
import type { ResultCaching } from './result-cache.ts';
import { type Sharing, sharing } from './sharing.ts';
import { type Submitting, type SubmittingOptions, submitting } from './submitting.ts';
import { type UsageReporting, usageReporting } from './usage-report.ts';

export type JobService = Submitting &
  Sharing &
  Batching &
  Reading &
  InputReading &
  ListStreaming &
  Cancelling &
  Redriving &
  Erasing &
  Deliveries &
  EndingOverdue &
  UsageReporting & {
    accounts: AccountKeeping;
    /** How many listeners are open for readers. */
    listeners(): number;
    /** Answers everybody who waits, and ends all streams: the process is about to end. */
    close(): void;
  };

export type JobServiceOptions = SubmittingOptions &
  ResultCaching & {
    chunks: ChunkStore;
    /** Where equal jobs share answers. */
    leaders?: LeaderStore | undefined;
    /** Where credits are on. */
    accounts?: AccountStore | undefined;
  };

export function jobService(options: JobServiceOptions): JobService {
  const watch = jobWatch(options);
  const lists = listWatch(options);
  const parts = { ...options, watch };
  const payloads = { ...parts, reads: payloadReads(parts) };
  const { takeIn, ...submits } = submitting(options);
  const { removal, ...cancels } = cancelling(payloads);
  return {
    ...submits,
    ...sharing(options, submits),
    ...batching(options, submits),
    ...reading(payloads),
    ...inputReading(parts),
    ...listStreaming({ ...options, lists }),
    ...cancels,
    ...redriving({ ...parts, takeIn }),
    ...erasing({ ...parts, removal }),
    ...deliveries(options),
    ...endingOverdue(parts),
    ...usageReporting(options),
    accounts: accountKeeping(options.accounts && { accounts: options.accounts, log: options.log }),
    listeners: () => watch.listeners() + lists.listeners(),
    close() {
      watch.close();
      lists.close();
    },
  };
}
