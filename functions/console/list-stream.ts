/** The newest jobs as they come and change, while somebody looks. */
import { type Send, within } from '../../shared/client/requests.ts';
import { FIRST_MS } from '../../shared/client/sse.ts';
import { followEvents } from './event-stream.ts';
import type { ListHearer } from './list/live-list.ts';
import { type Changes, LIVE_JOBS, type Snapshot } from './list/merging.ts';

/** Follows the newest jobs that `filters` (a query) names until the signal fires; rejects with what cannot pass by itself. */
export function followList(send: Send, filters: string, hearer: ListHearer, signal: AbortSignal): Promise<never> {
  const path = `/api/llm/jobs/stream/?limit=${LIVE_JOBS}${filters && `&${filters}`}`;
  const event = (name: string, data: unknown) => {
    if (name === 'snapshot') hearer.snapshot(data as Snapshot);
    else if (name === 'jobs') hearer.changes(data as Changes);
  };
  return followEvents(send, path, { event, stream: hearer.stream }, signal);
}

/** What that begins with; then it is closed. */
export async function firstOfList(send: Send, signal: AbortSignal): Promise<Snapshot> {
  return within(FIRST_MS, signal, undefined, (limited) => {
    const nothing = () => {};
    return new Promise((snapshot, reject) => {
      followList(send, '', { snapshot, changes: nothing, stream: nothing }, limited).catch(reject);
    });
  });
}
