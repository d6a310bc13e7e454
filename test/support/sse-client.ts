/** A reader of server-sent events over a real socket. */
import { EventSourceParserStream } from 'eventsource-parser/stream';

// biome-ignore lint/suspicious/noExplicitAny: what an event holds is what the tests ask
export type Heard = { event: string; id: number | undefined; data: any };

export type OpenedStream = {
  response: Response;
  /** The next event; `undefined` when the answer has ended. */
  next(): Promise<Heard | undefined>;
  /** Goes away in the middle. */
  leave(): void;
};

/** Opens a stream, after a cursor when one is given. */
export async function openStream(
  baseUrl: string,
  id: string,
  cursor?: number,
  headers: Record<string, string> = {},
): Promise<OpenedStream> {
  const leaving = new AbortController();
  const response = await fetch(`${baseUrl}/api/llm/jobs/${id}/stream/`, {
    headers: {
      Accept: 'text/event-stream',
      ...(cursor === undefined ? {} : { 'Last-Event-ID': `${cursor}` }),
      ...headers,
    },
    signal: leaving.signal,
  });
  const events = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  return {
    response,
    async next() {
      const step = await events?.read();
      if (!step || step.done) return undefined;
      const { event = 'message', id: heardId, data } = step.value;
      return { event, id: heardId === undefined ? undefined : Number(heardId), data: JSON.parse(data) };
    },
    leave: () => leaving.abort(),
  };
}

/** All events of a stream, up to its end or to the one that is wanted. */
export async function readStream(
  baseUrl: string,
  id: string,
  { cursor, until = () => false }: { cursor?: number; until?: (heard: Heard) => boolean } = {},
): Promise<Heard[]> {
  const stream = await openStream(baseUrl, id, cursor);
  const heard: Heard[] = [];
  for (let one = await stream.next(); one; one = await stream.next()) {
    heard.push(one);
    if (until(one)) break;
  }
  stream.leave();
  return heard;
}
