/**
 * A provider of our own behind a real socket, for what `aimock` cannot do: broken frames, clean ends without a last
 * event, errors within a stream, bytes cut anywhere. The test writes each answer.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Exchange = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
  response: ServerResponse;
  /** Starts a stream of server-sent events. */
  stream(): void;
  /** Writes text, byte by byte when `slowly`, so that every character is cut somewhere. */
  write(text: string, slowly?: boolean): Promise<void>;
  /** One JSON document. */
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  /** Resets the connection. */
  cut(): void;
};

export type Script = (exchange: Exchange) => void | Promise<void>;

export type ScriptedProvider = {
  url: string;
  requests: { method: string; path: string; headers: IncomingHttpHeaders; body: unknown }[];
  /** How many connections the client gave up. */
  abandoned(): number;
  answerWith(script: Script): void;
  stop(): Promise<void>;
};

export async function startScriptedProvider(): Promise<ScriptedProvider> {
  let script: Script = ({ json }) => json(404, {});
  let abandoned = 0;
  const requests: ScriptedProvider['requests'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    response.on('close', () => {
      if (!response.writableFinished) abandoned += 1;
    });
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString() || 'null');
      const path = request.url ?? '';
      const { method = '' } = request;
      requests.push({ method, path, headers: request.headers, body });
      void script({
        method,
        path,
        headers: request.headers,
        body,
        response,
        stream: () =>
          void response.writeHead(200, {
            ...{ 'content-type': 'text/event-stream', 'x-request-id': 'req-7', 'request-id': 'req-7' },
          }),
        write: (text, slowly = false) => write(response, text, slowly),
        json: (status, value, headers = {}) =>
          void response
            .writeHead(status, { 'content-type': 'application/json', ...headers })
            .end(JSON.stringify(value)),
        cut: () => void response.socket?.resetAndDestroy(),
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    abandoned: () => abandoned,
    answerWith: (next) => {
      script = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function write(response: ServerResponse, text: string, slowly: boolean): Promise<void> {
  if (!slowly) {
    response.write(text);
    return;
  }
  for (const byte of Buffer.from(text)) {
    response.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
