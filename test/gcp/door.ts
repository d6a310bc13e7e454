/** A local door to a deployment, for tests that know nothing of keys and limits: it adds the one and waits for the other. */

import * as http from 'node:http';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';

const TOO_MANY = 429;
/** Two hundred writes at once are fifty more than a key may have; the last of them comes again often. */
const TRIES = 30;

/** Passes every request on to `url` with `key`, byte for byte, and again after the pause that a 429 asks for. */
export async function startDoor(url: string, key: string | undefined): Promise<{ url: string; stop(): Promise<void> }> {
  const target = new URL(url);
  const { request: send } = target.protocol === 'https:' ? https : http;

  function pass(request: IncomingMessage, body: Buffer, response: ServerResponse, tries: number): void {
    const headers: http.OutgoingHttpHeaders = { ...request.headers, host: target.host };
    if (key !== undefined) headers.authorization = `Bearer ${key}`;
    const { method, url: path } = request;
    const { hostname, port } = target;
    const sent = send({ ...{ hostname, port, method, path, headers } }, (answer) => {
      if (answer.statusCode === TOO_MANY && tries > 1) {
        answer.resume();
        const pauseMs = Number(answer.headers['retry-after'] ?? 1) * 1_000;
        setTimeout(() => pass(request, body, response, tries - 1), pauseMs);
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    sent.on('error', () => response.destroy());
    response.once('close', () => sent.destroy());
    sent.end(body.length > 0 ? body : undefined);
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => pass(request, Buffer.concat(chunks), response, TRIES));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
