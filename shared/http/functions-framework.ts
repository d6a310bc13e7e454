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
 * Keeps the framework's body parsers away from JSON: they would answer a malformed body themselves, as an HTML page
 * with a stack trace. Shown another type, they keep the raw bytes; our handler reads the true type from the raw headers.
 */
export function keepBodiesRaw(): void {
  subscribe('http.server.request.start', (message) => {
    const { request } = message as { request: IncomingMessage };
    if (request.headers['content-type']) request.headers['content-type'] = 'application/octet-stream';
  });
}
