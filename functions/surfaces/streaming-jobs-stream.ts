/** `GET /jobs/{id}/stream`: the tokens of a job, for readers who come at any time. */
import type { Job } from '../../shared/core/job.ts';
import { attemptOf, type StreamEvent } from '../../shared/core/stream.ts';
import type { ServerSentEvent } from '../../shared/http/sse.ts';
import { metricsOf, renderFailure, textOf } from './streaming-jobs-view.ts';

/** How much of which attempt's text a reader has been sent. */
type Sent = { attempt: number; length: number };

/**
 * The events of a job in this contract's words. Whenever a reader comes, its tokens since the last `reset` joined are the
 * result. Nobody knows what one who comes back has; a text that is sent anew is a `reset` for it.
 */
export async function* renderEvents(
  events: AsyncIterable<StreamEvent>,
  { comesBack }: { comesBack: boolean },
): AsyncIterable<ServerSentEvent> {
  let sent: Sent | undefined = comesBack ? undefined : { attempt: 0, length: 0 };
  let cursor: number | undefined;
  /** The reader begins anew, and what it was shown had no text: one that lies in parts comes with the end. */
  let isOwed = false;

  /** The part of the whole text that the reader has not. */
  function* missing({ attempt }: Job, text: string): Iterable<ServerSentEvent> {
    const continues = sent && (sent.length === 0 || sent.attempt === attempt) && sent.length <= text.length;
    const token = continues ? text.slice(sent?.length) : text;
    if (!continues) yield { event: 'reset', data: { attempt } };
    sent = { attempt, length: text.length };
    if (token !== '') yield tokenEvent(token, cursor);
  }

  for await (const event of events) {
    if ('id' in event && event.type !== 'done') cursor = event.id;
    switch (event.type) {
      case 'snapshot': {
        const text = event.text ?? textOf(event.seen.job);
        isOwed = text === undefined;
        if (text !== undefined) yield* missing(event.seen.job, text);
        break;
      }
      case 'delta':
        if (sent) sent = { attempt: attemptOf(event.id), length: sent.length + event.text.length };
        yield tokenEvent(event.text, event.id);
        break;
      case 'reset':
        sent = { attempt: event.attempt, length: 0 };
        yield { event: 'reset', id: event.id, data: { attempt: event.attempt } };
        break;
      case 'done': {
        const { job } = event.seen;
        const text = textOf(job);
        // Also of a job whose text was not kept as it came.
        if ((sent || isOwed) && text !== undefined) yield* missing(job, text);
        const metrics = metricsOf(job);
        if (metrics) yield { event: 'metrics', id: event.id, data: metrics };
        else yield { event: 'error', id: event.id, data: renderFailure(job) };
      }
    }
  }
}

function tokenEvent(token: string, id: number | undefined): ServerSentEvent {
  return { ...(id === undefined ? {} : { id }), data: { token } };
}
