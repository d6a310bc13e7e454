/**
 * Server-sent events: a source of events as an answer that stays open, shows that it is alive, and ends by itself before
 * the platform would cut it.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { invalidRequest } from '../core/errors.ts';
import { CURSOR_MOST } from '../core/stream.ts';
import type { HttpEnv } from './env.ts';

/** One without a name is a client's `message`; one without an id leaves the client's cursor where it is. */
export type ServerSentEvent = { event?: string; id?: number; data: unknown };

export type SseOptions = {
  /** Aborted by us when the client has gone or the time is over; whoever makes the events stops then. */
  stop: AbortController;
  /** How long the answer stays open; the client comes back with its cursor. */
  lifeMs: number;
  heartbeatMs?: number;
  /** How long the last event may take to go out, to a client that reads slowly. */
  lastEventMs?: number;
};

/** After how long a client comes back. */
const RETRY_MS = 2_000;
/** Proxies close what is silent; a comment is no event. */
const HEARTBEAT_MS = 15_000;
const LAST_EVENT_MS = 5_000;

/** Answers with events until their source ends, the client goes, or the time is over. */
export function respondWithEvents(
  context: Context<HttpEnv>,
  events: AsyncIterable<ServerSentEvent>,
  { stop, lifeMs, heartbeatMs = HEARTBEAT_MS, lastEventMs = LAST_EVENT_MS }: SseOptions,
): Response {
  const { body } = streamSSE(context, async (stream) => {
    stream.onAbort(() => stop.abort());
    const life = setTimeout(() => stop.abort(), lifeMs);
    // A client that reads nothing holds our last write: it is not waited for.
    const end = setTimeout(() => stream.abort(), lifeMs + lastEventMs);
    const heartbeat = setInterval(() => void stream.write(': alive\n\n'), heartbeatMs);
    try {
      await stream.write(`retry: ${RETRY_MS}\n\n`);
      for await (const { event, id, data } of events) {
        await stream.writeSSE({
          ...(event === undefined ? {} : { event }),
          data: JSON.stringify(data),
          ...(id === undefined ? {} : { id: String(id) }),
        });
      }
    } finally {
      clearTimeout(life);
      clearTimeout(end);
      clearInterval(heartbeat);
      stop.abort();
    }
  });
  // Nothing between us and the client may keep or change what goes by.
  context.header('Cache-Control', 'no-store, no-transform');
  context.header('X-Accel-Buffering', 'no');
  // Anew: the answer that hono made has its own `Cache-Control`, and took its headers before these.
  return context.body(body as ReadableStream);
}

/** Answers with the events that `open` opens; without any to whom has seen the end, or asks for the headers alone. */
export async function answerStream<E>(
  context: Context<HttpEnv>,
  open: (signal: AbortSignal) => Promise<{ events: AsyncIterable<E> } | { over: true }>,
  render: (events: AsyncIterable<E>) => AsyncIterable<ServerSentEvent>,
  streamMs: number,
): Promise<Response> {
  const stop = new AbortController();
  const stream = await open(stop.signal);
  if ('over' in stream) return context.body(null, 204);
  // It does not outlive the credentials that it was opened with.
  const lifeMs = Math.min(streamMs, context.get('leftMs') ?? streamMs);
  if (context.req.method !== 'HEAD') return respondWithEvents(context, render(stream.events), { stop, lifeMs });
  stop.abort();
  return context.body(null, 200, { 'Content-Type': 'text/event-stream' });
}

/** What an `EventSource` that comes back heard last. A header that is no cursor is none, for a browser cannot mend it. */
export function heardCursor(context: Context<HttpEnv>): number | undefined {
  return toCursor(context.req.header('last-event-id'));
}

/**
 * Where a client goes on: what it heard last, or what its URL says, where one that is no cursor is an error.
 */
export function cursorOf(context: Context<HttpEnv>): number | undefined {
  const asked = context.req.query('starting_after');
  const cursor = toCursor(asked);
  if (asked !== undefined && cursor === undefined) {
    const message = `must be the id of an event, a whole number from 0 to ${CURSOR_MOST}`;
    throw invalidRequest([{ path: 'starting_after', message }]);
  }
  return heardCursor(context) ?? cursor;
}

function toCursor(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number(text) <= CURSOR_MOST ? Number(text) : undefined;
}
