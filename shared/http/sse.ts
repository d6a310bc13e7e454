/**
 * Server-sent events: a source of events as an answer that stays open, shows that it is alive, and ends by itself before
 * the platform would cut it.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { Context } from 'hono';
import { LEFT } from '../core/aborted.ts';
import { invalidRequest } from '../core/errors.ts';
import { CURSOR_MOST } from '../core/stream.ts';
import type { HttpEnv } from './env.ts';

/** One without a name is a client's `message`; one without an id leaves the client's cursor where it is. */
export type ServerSentEvent = { event?: string; id?: number } & (
  | { data: unknown }
  /** Data that is JSON text already. */
  | { json: string }
);

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

const encoder = new TextEncoder();
const OPENING = encoder.encode(`retry: ${RETRY_MS}\n\n`);
const ALIVE = encoder.encode(': alive\n\n');

/**
 * Answers with events until their source ends, the client goes, or the time is over. One stream without others behind it:
 * a thousand readers of hono's `streamSSE`, which has three, take half as much memory again.
 */
export function respondWithEvents(
  context: Context<HttpEnv>,
  events: AsyncIterable<ServerSentEvent>,
  { stop, lifeMs, heartbeatMs = HEARTBEAT_MS, lastEventMs = LAST_EVENT_MS }: SseOptions,
): Response {
  const source = events[Symbol.asyncIterator]();
  let isOver = false;
  let cancelTimers = () => {};
  const end = () => {
    isOver = true;
    cancelTimers();
    stop.abort(LEFT);
    // Nobody hears what it says at its end.
    source.return?.().catch(printed);
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(OPENING);
        const heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(ALIVE);
        }, heartbeatMs);
        let life = setTimeout(() => {
          stop.abort(LEFT);
          // A client that reads nothing holds our last event: it is not waited for.
          life = setTimeout(() => {
            end();
            controller.close();
          }, lastEventMs);
        }, lifeMs);
        cancelTimers = () => {
          clearInterval(heartbeat);
          clearTimeout(life);
        };
      },
      async pull(controller) {
        const next = await source.next().catch(printed);
        if (isOver) return;
        if (!next.done) return controller.enqueue(encoder.encode(textOf(next.value)));
        end();
        controller.close();
      },
      cancel: end,
    },
    // What is no event takes no room: the source begins before anybody reads, and is one event ahead of who reads slowly.
    { highWaterMark: 1, size: (bytes) => (bytes === OPENING || bytes === ALIVE ? 0 : 1) },
  );
  // Nothing between us and the client may keep or change what goes by.
  context.header('Cache-Control', 'no-store, no-transform');
  context.header('X-Accel-Buffering', 'no');
  context.header('Content-Type', 'text/event-stream');
  // Known to be without an end, an answer is not held back until there is some of it.
  context.header('Transfer-Encoding', 'chunked');
  context.header('Connection', 'keep-alive');
  return context.body(body);
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

/** JSON has no line of its own in it, so that an event's data is one line. */
function textOf({ event, id, ...rest }: ServerSentEvent): string {
  const name = event === undefined ? '' : `event: ${event}\n`;
  const data = 'json' in rest ? rest.json : JSON.stringify(rest.data);
  return `${name}data: ${data}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
}

/** A source that fails has ended: the client comes back, and is not told of our errors. */
function printed(error: unknown): IteratorReturnResult<undefined> {
  console.error(error);
  return { done: true, value: undefined };
}
