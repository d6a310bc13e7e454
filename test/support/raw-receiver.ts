/** A receiver of webhooks on a real socket that answers byte by byte what a test wants, or nothing; and keeps what it got. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { CERTIFICATE, KEY } from './certificate.ts';

export type Received = { text: string; headers: { [name: string]: string }; body: string };

export type RawReceiver = {
  port: number;
  /** How many came, whatever they sent. */
  connections: () => number;
  /** How many of them are still there. */
  open: () => number;
  /** Resolves when none is. */
  gone: () => Promise<void>;
  received: Received[];
  /** What it does with the next whole request. */
  answers: (answer: (socket: Socket) => void) => void;
  /** How often a whole request was there; resolves at the next. */
  next: () => Promise<void>;
  close: () => Promise<void>;
};

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

export async function rawReceiver({ host = '127.0.0.1', tls = false, port = 0 } = {}): Promise<RawReceiver> {
  const sockets = new Set<Socket>();
  const received: Received[] = [];
  let connections = 0;
  let answer = (socket: Socket): unknown => socket.end(OK);
  let wake = () => {};

  function serve(socket: Socket): void {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const request = whole(text);
      if (!request) return;
      text = '';
      received.push(request);
      answer(socket);
      wake();
    });
  }
  function keep(socket: Socket): void {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  }

  const server = tls ? createTlsServer({ key: KEY, cert: CERTIFICATE }, serve) : createServer(serve);
  server.on('connection', keep);
  server.on('tlsClientError', () => {});
  if (tls) server.on('secureConnection', (socket: Socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    open: () => sockets.size,
    gone: () => until(() => sockets.size === 0),
    received,
    answers: (next) => {
      answer = next;
    },
    next: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** An answer of this status with these headers, and no body. */
export function head(status: number, ...lines: string[]): string {
  return `${[`HTTP/1.1 ${status} Answer`, 'content-length: 0', ...lines].join('\r\n')}\r\n\r\n`;
}

/** Resolves when it holds, in real time. */
export async function until(holds: () => boolean): Promise<void> {
  for (let waits = 0; !holds(); waits++) {
    if (waits > 2_000) throw new Error('It does not come to that.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function whole(text: string): Received | undefined {
  const [head = '', body] = text.split(/\r\n\r\n(.*)/s);
  const [, ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  if (body === undefined || body.length < Number(headers['content-length'])) return undefined;
  return { text, headers, body: Buffer.from(body, 'latin1').toString() };
}
