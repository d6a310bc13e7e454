/** What functions-framework needs of us and keeps from us: handlers as Node functions, whole requests, a way to stop. */
import { subscribe } from 'node:diagnostics_channel';
import domain from 'node:domain';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { getRequestListener } from '@hono/node-server';
import type { Log } from '../core/ports.ts';
import { logFailure, logStray } from './stray-failures.ts';

export type NodeFunction = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Requests that are being answered. */
let underWay = 0;

/** What was hidden from the framework, to be given back to our handler. */
const hidden = new WeakMap<IncomingMessage, IncomingHttpHeaders>();
const HIDDEN = ['content-type', 'content-encoding'] as const;

/**
 * Keeps the framework from opening a domain for each request: the first one has every promise of the process followed from
 * its making to its collection, for good, which took a seventh of a function's time. To a failure that strays in one the
 * framework would answer 500, though the call goes on, and print the error, whose message may hold anything. Not for a
 * function that is called with events, for whose answers the framework needs the domain.
 */
export function runWithoutDomains(): void {
  const none = { on: () => none, run: (work: () => unknown) => work() };
  domain.create = () => none as unknown as domain.Domain;
}

/** Leaves the domain in which the framework runs a call with an event. To be called before anything else is. */
export function leaveDomain(): void {
  (process as { domain?: { exit(): void } | null }).domain?.exit();
}

/** What answers requests, once it is there. */
export type Handle = (request: Request) => Response | Promise<Response>;

export type LoadedFunction = {
  /** Called once: by the first request, or before it. */
  load: () => Promise<Handle>;
  log: Log;
  /** Does it answer `GET /health`? Whoever asks is not kept waiting for everything else to be loaded. */
  hasHealth?: boolean;
};

/** The handler as a Node function, and a way to load it before the first request. */
export function nodeFunction({ load, log, hasHealth = false }: LoadedFunction) {
  let isLoaded = false;
  let loading: Promise<ReturnType<typeof getRequestListener>> | undefined;
  const loaded = () => {
    loading ??= loadListener(load).then(
      (listener) => {
        isLoaded = true;
        return listener;
      },
      (error: unknown) => {
        // Another try would find the same files.
        logFailure(log, 'cannot-load', error);
        process.exit(1);
      },
    );
    return loading;
  };
  const answer: NodeFunction = async (request, response) => {
    Object.assign(request.headers, hidden.get(request));
    if (hasHealth && !isLoaded && request.method === 'GET' && request.url === '/health') {
      response.writeHead(200, HEALTHY).end('{"status":"ok"}');
      return;
    }
    underWay += 1;
    response.once('close', () => {
      underWay -= 1;
    });
    const listener = await loaded();
    await listener(request, response);
  };
  return { answer, loaded };
}

const HEALTHY = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
};

async function loadListener(load: () => Promise<Handle>) {
  const [{ getRequestListener }, handle] = await Promise.all([import('@hono/node-server'), load()]);
  return getRequestListener(handle);
}

/** The framework listens once it has loaded our module, before the next turn of the event loop. */
const AFTER_START_MS = 250;

/**
 * Calls this soon after the server listens. Not at once: the request for which the platform started the process comes then, and
 * loads what it needs itself. An instance that was started ahead of its requests uses the time.
 */
export function soonAfterStart(warm: () => Promise<unknown>, log: Log): void {
  setImmediate(() => {
    const timer = setTimeout(() => {
      warm().catch((error: unknown) => logFailure(log, 'warm-failed', error));
    }, AFTER_START_MS);
    timer.unref();
  });
}

/** Does the framework call the function with events, whose requests it has to read itself? Its command line counts first. */
export function isCalledWithEvents(signatureType: string): boolean {
  const said = process.argv.findLast((word) => word.startsWith('--signature-type='))?.split('=')[1];
  return (said ?? signatureType) === 'cloudevent';
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

/** Between two looks at whether the last answer has gone out. */
const LOOK_MS = 20;

/** An answer that was written goes out a moment later. */
const LAST_ANSWERS_MS = 500;

/**
 * Takes the end of the process out of the framework's hands, which would exit at once on SIGTERM, on a rejection that
 * nobody handles and on an exception that nobody catches, with other requests under way. Here SIGTERM lets what is under
 * way end: who waits for news is answered by `letGo`, jobs have `drain`, which is bounded itself, other requests `graceMs`.
 * A stray failure is logged and hurts nobody else. To be called while the function's module loads: the framework adds its listeners after that.
 */
export function endByOurselves({
  log,
  letGo,
  drain,
  graceMs,
}: {
  log: Log;
  letGo?: () => void;
  drain?: () => Promise<void>;
  graceMs: number;
}): void {
  let isEnding = false;
  const end = async () => {
    if (isEnding) return;
    isEnding = true;
    letGo?.();
    await drain?.();
    const untilMs = performance.now() + (drain ? LAST_ANSWERS_MS : graceMs);
    while (underWay > 0 && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    setTimeout(() => process.exit(0), LOOK_MS);
  };
  const logIt = logStray(log);
  const stray = (error: unknown) => {
    logIt(error);
    // A server that cannot listen is no server.
    if ((error as { syscall?: string } | undefined)?.syscall !== 'listen') return;
    log('error', 'cannot-listen', { code: (error as { code?: string }).code });
    process.exit(1);
  };
  const ours = { SIGTERM: end, SIGINT: end, unhandledRejection: stray, uncaughtException: stray };
  for (const [event, listener] of Object.entries(ours)) process.on(event, listener);
  process.on('newListener', (event, listener) => {
    const own = ours[event as keyof typeof ours] as unknown;
    if (own !== undefined && own !== listener) process.nextTick(() => process.removeListener(event, listener as never));
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
