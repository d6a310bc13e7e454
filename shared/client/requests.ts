/** One request to the API, and what its answer means: an answer, or an error that says whether trying again may help. */
import { invalid, LlmJobsError } from './errors.ts';

export type ClientOptions = {
  /** Where the API is, like `https://jobs.example.com`; in a page its own origin when absent. */
  baseUrl?: string;
  /**
   * Sent as `Authorization: Bearer`: an ID token, an API key, or the token of one job. A function is asked before each
   * request, and once more, with `isRefused`, when the server does not know what it said. An empty one is none.
   */
  token?: string | ((asked: { isRefused: boolean }) => string | undefined | Promise<string | undefined>);
  /** Sent with each request, beside what it needs: an `X-CSRFToken`, a `traceparent`. */
  headers?: Record<string, string> | (() => Record<string, string>);
  /** Whether cookies go with requests to another origin. */
  credentials?: 'omit' | 'same-origin' | 'include';
  fetch?: typeof fetch;
};

export type ApiRequest = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** From the API's root, with its query: `/api/llm/jobs/`. */
  path: string;
  /** JSON, as text. */
  body?: string;
  headers?: Record<string, string>;
  /** The job that it is about. */
  jobId?: string;
  /** Goes out also where the page is closed meanwhile. */
  keepalive?: boolean;
};

/** Hears how long the server wants to be left alone, counted from now, as soon as it is known. */
export type Pace = (afterMs: number) => void;

/** Sends a request once. The signal breaks it off, at whatever point it is, with the signal's own reason. */
export type Send = (request: ApiRequest, signal: AbortSignal, pace?: Pace) => Promise<Response>;

/** Sends as the options say; an answer that is no 2xx (or 304) is thrown as an error. */
export function sender(options: ClientOptions): Send {
  const root = rootOf(options.baseUrl);
  const { token, headers, credentials } = options;

  async function once(request: ApiRequest, signal: AbortSignal, isRefused: boolean): Promise<Response> {
    const bearer = typeof token === 'function' ? await token({ isRefused }) : token;
    const sent = headersIn({
      ...(request.body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}),
      ...(typeof headers === 'function' ? headers() : headers),
      ...request.headers,
    });
    signal.throwIfAborted();
    try {
      return await (options.fetch ?? fetch)(`${root}${request.path}`, {
        method: request.method ?? 'GET',
        headers: sent,
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(credentials === undefined ? {} : { credentials }),
        ...(request.keepalive && { keepalive: true }),
        cache: 'no-store',
        signal,
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw new LlmJobsError('no_answer', 'The server cannot be reached.', { cause, jobId: request.jobId });
    }
  }

  return async (request, signal, pace) => {
    let response = await once(request, signal, false);
    if (response.status === 401 && typeof token === 'function') {
      response.body?.cancel().catch(() => {});
      response = await once(request, signal, true);
    }
    // Also where the rest of the answer never comes.
    pace?.(hintIn(response).retryAfterMs ?? 0);
    if (response.ok || response.status === 304) return response;
    throw await refusal(response, request.jobId, signal);
  };
}

/**
 * Runs something with a signal that also fires when it takes too long: then the error is `no_answer`. It ends when the signal
 * fires, whatever runs; `extend` begins to count anew.
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal,
  jobId: string | undefined,
  run: (signal: AbortSignal, extend: (ms: number) => void) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const limited = AbortSignal.any([signal, limit.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const extend = (limitMs: number) => {
    clearTimeout(timer);
    if (limited.aborted) return;
    const sentence = `The server did not answer within ${Math.round(limitMs / 1_000)} s.`;
    timer = setTimeout(() => limit.abort(new LlmJobsError('no_answer', sentence, { jobId })), limitMs);
  };
  extend(ms);
  try {
    return await orStopped(limited, (resolve, reject) => void run(limited, extend).then(resolve, reject));
  } finally {
    clearTimeout(timer);
    // Whatever still runs has been given up.
    limit.abort();
  }
}

/** Waits for what `begin` begins; rejects with the signal's reason when it fires first. */
export function orStopped<T>(
  stop: AbortSignal,
  begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
): Promise<T> {
  let stopped = () => {};
  return new Promise<T>((resolve, reject) => {
    stop.throwIfAborted();
    stopped = () => reject(stop.reason);
    stop.addEventListener('abort', stopped);
    begin(resolve, reject);
  }).finally(() => stop.removeEventListener('abort', stopped));
}

type Hearers = { all: Set<() => void>; tell: () => void };
const hearersOf = new WeakMap<AbortSignal, Hearers>();

/**
 * Calls back when a caller's signal fires; answers what undoes that. In Node 20 `AbortSignal.any` leaves something behind in
 * a signal that outlives it, and more than ten listeners are warned of: there is one, as long as it is needed.
 */
export function onAbort(signal: AbortSignal | undefined, callBack: () => void): () => void {
  if (!signal) return () => {};
  const { all, tell } = hearersOf.get(signal) ?? hearers();
  hearersOf.set(signal, { all, tell });
  all.add(callBack);
  signal.addEventListener('abort', tell);
  return () => {
    all.delete(callBack);
    if (all.size === 0) signal.removeEventListener('abort', tell);
  };
}

function hearers(): Hearers {
  const all = new Set<() => void>();
  const tell = () => {
    for (const each of all) each();
  };
  return { all, tell };
}

/** What may pass by itself: too many requests, a server that is overloaded, starting, or not there; an answer that is none. */
export function isPassing(error: unknown): error is LlmJobsError {
  if (!(error instanceof LlmJobsError)) return false;
  if (error.code === 'no_answer' || error.code === 'bad_answer') return true;
  // It says which key to set; that takes a person.
  if (error.code === 'model_unavailable') return false;
  return error.status !== undefined && (error.status >= 500 || [408, 425, 429].includes(error.status));
}

/** The JSON object that an answer holds. */
export async function objectIn(response: Response, signal: AbortSignal, jobId?: string): Promise<object> {
  try {
    const body: unknown = await response.json();
    if (typeof body === 'object' && body !== null) return body;
  } catch (cause) {
    signal.throwIfAborted();
    throw notOurs(jobId, response, cause);
  }
  throw notOurs(jobId, response);
}

/** An answer that this API does not give. */
export function notOurs(jobId: string | undefined, response: Response, cause?: unknown): LlmJobsError {
  const sentence = `What answers at ${response.url || 'this address'} is not this API, or it was cut off.`;
  return new LlmJobsError('bad_answer', sentence, { cause, jobId, status: response.status, ...hintIn(response) });
}

/** When the server wants to be asked again: seconds or a date, as RFC 9110 has it. */
function hintIn(response: Response): { retryAfterMs?: number } {
  const text = response.headers.get('retry-after');
  if (text === null) return {};
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowAt(response);
  return Number.isFinite(ms) ? { retryAfterMs: Math.max(0, ms) } : {};
}

/** By the clock by which a date was set, where it is told. */
function nowAt(response: Response): number {
  return Date.parse(response.headers.get('date') ?? '') || Date.now();
}

async function refusal(response: Response, jobId: string | undefined, signal: AbortSignal): Promise<LlmJobsError> {
  const { status } = response;
  const body = (await objectIn(response, signal).catch(() => ({}))) as Record<string, unknown>;
  signal.throwIfAborted();
  const [code, error] = [textOf(body.code), textOf(body.error)];
  return new LlmJobsError(code ?? `http_${status}`, error ?? `The server answered ${status}.`, {
    ...{ status, jobId: textOf(body.job_id) ?? jobId, ...hintIn(response) },
    requestId: textOf(body.request_id) ?? response.headers.get('x-request-id') ?? undefined,
    details: Array.isArray(body.details) ? body.details : undefined,
    reason: textOf(body.reason),
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function rootOf(baseUrl: string | undefined): string {
  const root = baseUrl ?? globalThis.location?.origin;
  // A path is put behind it, and `fetch` takes no passwords in it.
  if (root !== undefined && URL.canParse(root) && /^https?:\/\/[^/?#@]+(\/[^?#]*)?$/i.test(root)) {
    return root.replace(/\/+$/, '');
  }
  throw invalid([{ path: 'baseUrl', message: 'must be the http or https URL of the API' }]);
}

/** Of two that differ in case only, the later one. */
function headersIn(given: Record<string, string>): Record<string, string> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    try {
      headers.set(name, value);
    } catch {
      throw invalid([{ path: `headers.${name}`, message: 'cannot be sent' }]);
    }
  }
  return Object.fromEntries(headers);
}
