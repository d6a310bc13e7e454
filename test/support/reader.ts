/** Readers of streams, as tests need them: one that takes some events and goes, and what a client makes of events. */
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import type { JobService } from '../../shared/core/service.ts';
import type { StreamEvent } from '../../shared/core/stream.ts';
import { ADA } from './core-world.ts';

/** Waits for a promise, letting time pass where time is virtual. */
export type Until = <T>(promise: Promise<T>) => Promise<T>;

export type Taken = { events: StreamEvent[]; isOver: boolean };

/** Joins a stream after a cursor, takes so many events at most, and goes. */
export async function take(
  service: JobService,
  { id }: Pick<Job, 'id'>,
  until: Until,
  { cursor, most = Infinity, as = ADA }: { cursor?: number | undefined; most?: number; as?: Principal } = {},
): Promise<Taken> {
  const stop = new AbortController();
  const stream = await until(service.stream(as, id, cursor, stop.signal));
  if ('over' in stream) return { events: [], isOver: true };
  const iterator = stream.events[Symbol.asyncIterator]();
  const events: StreamEvent[] = [];
  try {
    while (events.length < most) {
      const step = await until(iterator.next());
      if (step.done) break;
      events.push(step.value);
    }
  } finally {
    stop.abort();
    await iterator.return?.();
  }
  return { events, isOver: false };
}

/** The cursors of events, where they have one. */
export function idsOf(events: readonly StreamEvent[]): number[] {
  return events.flatMap((event) => ('id' in event ? [event.id] : []));
}

/** The text that a client shows at the end: it begins with a snapshot, and again with each reset. */
export function textOf(events: readonly StreamEvent[]): string {
  let text = '';
  for (const event of events) {
    if (event.type === 'snapshot') text = event.text ?? '';
    if (event.type === 'reset') text = '';
    if (event.type === 'delta') text += event.text;
  }
  return text;
}

/** The text in the result of a job. */
export function resultText({ result }: Job): string {
  return (result as { result: string }).result;
}
