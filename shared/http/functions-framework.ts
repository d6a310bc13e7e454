/** A `Request → Response` handler as the Node function that functions-framework calls. */
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';

export type NodeFunction = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What was hidden from the framework, to be given back to our handler. */
const hidden = new WeakMap<IncomingMessage, IncomingHttpHeaders>();
const HIDDEN = ['content-type', 'content-encoding'] as const;

/** The handler as a Node function. */
export function nodeFunction(handle: (request: Request) => Response | Promise<Response>): NodeFunction {
  const listener = getRequestListener(handle, { overrideGlobalObjects: false });
  return async (request, response) => {
    Object.assign(request.headers, hidden.get(request));
    await listener(request, response);
  };
}

/**
 * Keeps the framework away from what requests hold: its parsers would read a body of up to 1 GB before us, and answer a
 * malformed body or path themselves, as an HTML page with a stack trace. A body without a type they leave alone.
 */
export function handleRequestsWhole(): void {
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage };
    const kept: IncomingHttpHeaders = {};
    for (const name of HIDDEN) {
      if (request.headers[name] !== undefined) kept[name] = request.headers[name];
      delete request.headers[name];
    }
    hidden.set(request, kept);
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
