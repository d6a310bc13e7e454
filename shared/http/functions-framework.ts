/** A `Request → Response` handler as the Node function that functions-framework calls. */
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';

export type NodeFunction = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The handler as a Node function. */
export function nodeFunction(handle: (request: Request) => Response | Promise<Response>): NodeFunction {
  return getRequestListener(handle, { overrideGlobalObjects: false });
}

/**
 * Keeps the framework away from what requests hold: its parsers would read a body of up to 1 GB before us, and answer a
 * malformed body or path themselves, as an HTML page with a stack trace. Without a content type they leave a body alone;
 * our handler finds the true headers among the raw ones.
 */
export function handleRequestsWhole(): void {
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage };
    delete request.headers['content-type'];
    delete request.headers['content-encoding'];
    if (!isDecodable(request.url ?? '')) request.url = request.url?.replaceAll('%', '%25');
  });
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}
