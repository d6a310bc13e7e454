/** A local HTTP server for a `fetch` handler. */
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';

export type Listening = {
  /** As it can be pasted into a command. */
  baseUrl: string;
  /** Takes no more requests and lets answers under way go out. */
  close(): Promise<void>;
};

const CLOSE_IDLE_MS = 50;

/** Resolves when it listens; rejects when it cannot. */
export async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  const server = serve({ fetch, port, hostname: host });
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const bound = (server.address() as AddressInfo).port;
  const everywhere = host === '0.0.0.0' || host === '::';
  const shown = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return {
    baseUrl: `http://${shown}:${bound}`,
    async close() {
      const closeIdle = () => 'closeIdleConnections' in server && server.closeIdleConnections();
      closeIdle();
      // A connection whose last answer went out after that is kept for seconds, in case another request comes.
      const closing = setInterval(closeIdle, CLOSE_IDLE_MS);
      await new Promise((resolve) => server.close(resolve));
      clearInterval(closing);
    },
  };
}
