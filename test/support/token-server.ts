/** A server that gives access tokens, as Google's token service and its metadata server do: forms in, JSON out. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Asked = { path: string; body: string };
type Reply = {
  json(status: number, body: unknown): void;
  /** Resets the connection. */
  cut(): void;
};

export type Script = (asked: Asked, reply: Reply) => void;

export type TokenServer = {
  url: string;
  requests: Asked[];
  answerWith(script: Script): void;
  stop(): Promise<void>;
};

export async function startTokenServer(): Promise<TokenServer> {
  let script: Script = (_, { json }) => json(404, {});
  const requests: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const asked = { path: request.url ?? '', body };
      requests.push(asked);
      script(asked, {
        // The metadata server says by this header that it is one.
        json: (status, answer) =>
          void response
            .writeHead(status, { 'content-type': 'application/json', 'metadata-flavor': 'Google' })
            .end(JSON.stringify(answer)),
        cut: () => void response.socket?.resetAndDestroy(),
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answerWith: (next) => {
      script = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
