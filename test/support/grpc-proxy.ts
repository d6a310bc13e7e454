/**
 * A gRPC proxy between a client and an emulator, at the HTTP/2 level: it keeps every request's message for counting, and
 * can let a call be applied and then answer UNAVAILABLE in its place, as a dropped connection would look, or nothing.
 * Listeners pass through it.
 */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';

export type ProxiedCall = { method: string; message: Buffer };
export type ProxiedAnswer = { method: string; messages: Buffer[] };

export type GrpcProxy = {
  /** `127.0.0.1:port`. */
  host: string;
  calls: ProxiedCall[];
  /** What was passed on to the client. */
  answers: ProxiedAnswer[];
  /** Lets the call that `matches` happen, then answers UNAVAILABLE; once. */
  loseAnswer(matches: (call: ProxiedCall) => boolean): void;
  /** Lets the call that `matches` happen, and never answers; once. */
  withholdAnswer(matches: (call: ProxiedCall) => boolean): void;
  /** How many answers were lost or withheld so far. */
  lost(): number;
  /** What was told on each stream of listeners, in the order in which they were opened. */
  listened: Buffer[][];
  /** How many targets were listened to. */
  targets(): number;
  close(): Promise<void>;
};

const FRAME_PREFIX_BYTES = 5;
/** In `ListenRequest`. */
const ADD_TARGET = 2;

export async function startGrpcProxy(upstreamHost: string): Promise<GrpcProxy> {
  const calls: ProxiedCall[] = [];
  const answers: ProxiedAnswer[] = [];
  const pending: { matches: (call: ProxiedCall) => boolean; isWithheld: boolean }[] = [];
  const listened: Buffer[][] = [];
  let targets = 0;
  let lost = 0;
  const upstream = http2.connect(`http://${upstreamHost}`);
  upstream.on('error', () => {});
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.once('close', () => sessions.delete(session));
  });

  server.on('stream', (client, headers) => {
    const chunks: Buffer[] = [];
    const forwarded = upstream.request(headers, { endStream: false });
    const answer: Buffer[] = [];
    let answered: http2.IncomingHttpHeaders | undefined;
    let trailers: http2.IncomingHttpHeaders | undefined;
    const call = (): ProxiedCall => ({
      method: String(headers[':path']).split('/').at(-1) ?? '',
      message: Buffer.concat(chunks).subarray(FRAME_PREFIX_BYTES),
    });
    if (call().method === 'Listen') {
      const told: Buffer[] = [];
      listened.push(told);
      const onAsked = (message: Buffer) => {
        targets += countField(message, ADD_TARGET);
      };
      return passThrough(client, forwarded, (message) => told.push(message), onAsked);
    }
    client.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      forwarded.write(chunk);
    });
    client.on('end', () => {
      calls.push(call());
      forwarded.end();
    });
    client.on('error', () => forwarded.close());
    client.on('close', () => forwarded.close());
    forwarded.on('error', () => client.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
    forwarded.on('response', (received) => {
      answered = received;
    });
    forwarded.on('data', (chunk: Buffer) => answer.push(chunk));
    forwarded.on('trailers', (received) => {
      trailers = received;
    });
    // Unary calls and short streams: the whole answer is known before any of it is passed on.
    forwarded.on('end', () => {
      if (client.destroyed || answered === undefined) return;
      const index = pending.findIndex(({ matches }) => matches(call()));
      const status = trailers?.['grpc-status'] ?? answered['grpc-status'];
      if (index >= 0 && status === '0') {
        const [found] = pending.splice(index, 1);
        lost += 1;
        if (found?.isWithheld) return;
        client.respond(
          {
            ':status': 200,
            'content-type': 'application/grpc',
            'grpc-status': '14',
            'grpc-message': 'lost by the test',
          },
          { endStream: true },
        );
        return;
      }
      const { ':status': httpStatus, ...rest } = answered;
      if (trailers === undefined) return client.respond({ ':status': httpStatus, ...rest }, { endStream: true });
      answers.push({ method: call().method, messages: messagesIn(Buffer.concat(answer)) });
      const last = trailers;
      client.respond({ ':status': httpStatus, ...rest }, { waitForTrailers: true });
      client.on('wantTrailers', () => client.sendTrailers(plain(last)));
      client.end(Buffer.concat(answer));
    });
  });

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    answers,
    loseAnswer: (matches) => void pending.push({ matches, isWithheld: false }),
    withholdAnswer: (matches) => void pending.push({ matches, isWithheld: true }),
    lost: () => lost,
    listened,
    targets: () => targets,
    async close() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Each message has a byte for its compression and four for its length before it. */
function messagesIn(stream: Buffer, rest: (bytes: Buffer) => void = () => {}): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  while (at + FRAME_PREFIX_BYTES <= stream.length) {
    const from = at + FRAME_PREFIX_BYTES;
    const to = from + stream.readUInt32BE(at + 1);
    if (to > stream.length) break;
    messages.push(stream.subarray(from, to));
    at = to;
  }
  rest(stream.subarray(at));
  return messages;
}

type OnMessage = (message: Buffer) => void;

/** A stream of listeners: its answers come as they are, and never end by themselves. */
function passThrough(
  client: http2.ServerHttp2Stream,
  forwarded: http2.ClientHttp2Stream,
  onTold: OnMessage,
  onAsked: OnMessage,
): void {
  forwarded.on('data', eachMessage(onTold));
  client.on('data', eachMessage(onAsked));
  client.pipe(forwarded);
  client.on('error', () => forwarded.close());
  client.on('close', () => forwarded.close());
  forwarded.on('error', () => client.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  let trailers: http2.OutgoingHttpHeaders = {};
  forwarded.on('trailers', (received) => {
    trailers = plain(received);
  });
  forwarded.on('response', (received) => {
    const { ':status': status, ...rest } = received;
    client.respond({ ':status': status, ...rest }, { waitForTrailers: true });
    client.on('wantTrailers', () => client.sendTrailers(trailers));
    forwarded.pipe(client);
  });
}

function eachMessage(onMessage: OnMessage): (chunk: Buffer) => void {
  let unread: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const messages = messagesIn(Buffer.concat([unread, chunk]), (rest) => {
      unread = rest;
    });
    for (const message of messages) onMessage(message);
  };
}

function plain(headers: http2.IncomingHttpHeaders): http2.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')));
}

/** How often a field of embedded type stands at the top level of a protobuf message. */
export function countField(message: Buffer, field: number): number {
  return embeddedIn(message, field).length;
}

/**
 * The messages that are the values of a field at the top level of a protobuf message.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function embeddedIn(message: Buffer, field: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = () => {
    const { value, next } = varintAt(message, at);
    at = next;
    return value;
  };
  while (at < message.length) {
    const tag = varint();
    const length = (tag & 7) === 2 ? varint() : 0;
    if (tag >> 3 === field) found.push(message.subarray(at, at + length));
    if ((tag & 7) === 2) at += length;
    else if ((tag & 7) === 0) varint();
    else at += (tag & 7) === 1 ? 8 : 4;
  }
  return found;
}

/** The numbers of a packed field. */
export function varintsIn(packed: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < packed.length; ) {
    const { value, next } = varintAt(packed, at);
    found.push(value);
    at = next;
  }
  return found;
}

function varintAt(bytes: Buffer, from: number): { value: number; next: number } {
  let value = 0;
  for (let at = from, weight = 1; ; at += 1, weight *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * weight;
    if (byte < 0x80) return { value, next: at + 1 };
  }
}
