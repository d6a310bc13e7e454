/** A job as it happens: server-sent events over `fetch`, taken up again where they broke off; long polls where nothing streams. */
import { LlmJobsError } from './errors.ts';
import { persist, type Tried, type Try } from './persisting.ts';
import { isPassing, notOurs, onAbort, type Pace, type Send, within } from './requests.ts';
import { eventParser, FIRST_MS, type ServerSentEvent, SILENCE_MS } from './sse.ts';
import type { EndedJob, JobView } from './views.ts';
import type { VisibilitySource } from './visibility.ts';
import { longPoll, viewIn, WAIT_MS, waitTimeout } from './waiting.ts';

export type StreamOptions = {
  /** Stops the stream; the job goes on. */
  signal?: AbortSignal;
  /** How long to follow the job (10 minutes); `Infinity`: as long as it takes. Then `wait_timeout`; the job goes on. */
  timeoutMs?: number;
  /** The `id` of the last event that one has: what came before it does not come again, and is not in `soFar`. */
  startingAfter?: number;
};

/** `soFar` is all of the answer's text up to here. */
export type JobEvent<Result = unknown> =
  /** The job as it is. Also later, where what was missed is no longer there: `soFar` replaces all text. */
  | { type: 'snapshot'; id: number; job: JobView<Result>; soFar: string }
  | { type: 'delta'; id: number; text: string; soFar: string }
  /** Another attempt begins: the text so far does not count. */
  | { type: 'reset'; id: number; attempt: number; soFar: '' }
  | { type: 'status'; job: JobView<Result> }
  | { type: 'progress'; progress: number; message: string }
  /** The last event. */
  | { type: 'done'; job: EndedJob<Result> };

/** After so many connections that brought no event something in between does not let them through. */
const FRUITLESS_MOST = 3;

/**
 * The events of a job until it is over. Leaving the loop closes the connection at once, also by `return()` while an event
 * is waited for.
 */
export function streamOf<Result>(
  send: Send,
  visibility: VisibilitySource,
  jobId: string,
  { signal, timeoutMs = WAIT_MS, startingAfter }: StreamOptions,
): AsyncGenerator<JobEvent<Result>, void, undefined> {
  const leaving = new AbortController();

  async function* events(): AsyncGenerator<JobEvent<Result>, void, undefined> {
    const waiting: JobEvent<Result>[] = [];
    let failed: { error: unknown } | undefined;
    let wake = () => {};
    const tell = (event: JobEvent<Result>) => {
      waiting.push(event);
      wake();
    };
    signal?.throwIfAborted();
    const unheard = onAbort(signal, () => leaving.abort(signal?.reason));
    const timedOut = (cause?: LlmJobsError) => waitTimeout(jobId, cause);
    const following = follow(send, jobId, startingAfter, tell);
    persist(following, { signal: leaving.signal, timeoutMs, visibility, timedOut }).then(
      (job) => tell({ type: 'done', job }),
      (error) => {
        failed = { error };
        wake();
      },
    );
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (leaving.signal.aborted) return;
        const event = waiting.shift();
        if (event) yield event;
        if (event?.type === 'done') return;
        if (!event && failed) throw failed.error;
        if (waiting.length > 0 || failed) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      // Also by `throw()`.
      leaving.abort();
      unheard();
    }
  }

  const told = events();
  const end = told.return.bind(told);
  return Object.assign(told, {
    // By itself it would wait for the next event, and the connection would stay open.
    return(value: undefined) {
      leaving.abort();
      return end(value);
    },
  });
}

/** One connection after the other, from the last event on; long polls once it shows that nothing streams here. */
function follow<Result>(
  send: Send,
  jobId: string,
  startingAfter: number | undefined,
  tell: (event: JobEvent<Result>) => void,
): Try<EndedJob<Result>> {
  const poll = longPoll<Result>(send, jobId, (job) => tell({ type: 'status', job }));
  let cursor = startingAfter;
  let soFar = '';
  let fruitless = 0;
  let isStreaming = true;

  /** Tells of an event; answers the job when that was the last. */
  function take({ event, data, id }: ServerSentEvent, response: Response): EndedJob<Result> | undefined {
    const body = jsonIn(data) as Record<string, unknown> | undefined;
    const at = id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined;
    const isPlaced = at !== undefined || !['snapshot', 'delta', 'reset'].includes(event);
    const isWhole = typeof body === 'object' && body !== null && (event !== 'delta' || typeof body.text === 'string');
    if (!isPlaced || !isWhole) throw notOurs(jobId, response);
    const view = () => viewIn<Result>(body, response, jobId);
    const last = { id: at as number };
    if (event === 'snapshot') {
      const { partial_result, ...job } = view() as JobView<Result> & { partial_result?: string };
      // A completed job has its result instead.
      const text = partial_result ?? (job.result_data as { result?: unknown } | undefined)?.result;
      soFar = typeof text === 'string' ? text : '';
      tell({ type: event, ...last, job: job as JobView<Result>, soFar });
    } else if (event === 'delta') {
      soFar += body.text;
      tell({ type: event, ...last, text: body.text as string, soFar });
    } else if (event === 'reset') {
      soFar = '';
      tell({ type: event, ...last, attempt: body.attempt as number, soFar: '' });
    } else if (event === 'status') {
      tell({ type: event, job: view() });
    } else if (event === 'progress') {
      tell({ type: event, progress: body.progress as number, message: body.message as string });
    } else if (event === 'done') {
      const job = view();
      if (!job.is_complete) throw notOurs(jobId, response);
      return job as EndedJob<Result>;
    }
    cursor = at ?? cursor;
    return undefined;
  }

  async function connect(stop: AbortSignal, pace: Pace): Promise<Tried<EndedJob<Result>>> {
    const parser = eventParser();
    const path = `/api/llm/jobs/${jobId}/stream/${cursor === undefined ? '' : `?starting_after=${cursor}`}`;
    let heard = 0;
    /** Could the server not even be asked? */
    let isRefused = false;

    async function read(limited: AbortSignal, extend: (ms: number) => void): Promise<Tried<EndedJob<Result>>> {
      const asked = { path, headers: { Accept: 'text/event-stream' }, jobId };
      const response = await send(asked, limited, pace).catch((error) => {
        isRefused = !limited.aborted;
        throw error;
      });
      const isStream = /^text\/event-stream/i.test(response.headers.get('content-type') ?? '');
      const reader = isStream ? response.body?.getReader() : undefined;
      // Also where the end has been seen: 204.
      if (!reader) {
        isStreaming = false;
        return { againAfterMs: undefined };
      }
      try {
        for (;;) {
          const { done, value } = await reader.read();
          // There are implementations of `fetch` that know no signals.
          limited.throwIfAborted();
          if (done) break;
          extend(SILENCE_MS);
          for (const event of parser.push(value)) {
            const job = take(event, response);
            heard += 1;
            if (!job) continue;
            if (!isApart(job)) return { done: job };
            isStreaming = false;
            return { againAfterMs: 0 };
          }
        }
      } catch (cause) {
        limited.throwIfAborted();
        if (cause instanceof LlmJobsError) throw cause;
        throw brokenOff(cause);
      } finally {
        reader.cancel().catch(() => {});
      }
      throw brokenOff();
    }

    const brokenOff = (cause?: unknown) => new LlmJobsError('no_answer', 'The stream broke off.', { cause, jobId });

    try {
      return await within(FIRST_MS, stop, jobId, read);
    } catch (error) {
      const retryMs = parser.retryMs();
      if (retryMs !== undefined) pace(retryMs);
      if (isRefused || !isPassing(error)) throw error;
      const isFruitful = heard > 0 && error.code === 'no_answer';
      fruitless = isFruitful ? 0 : fruitless + 1;
      if (fruitless >= FRUITLESS_MOST) isStreaming = false;
      if (isFruitful) return { againAfterMs: retryMs };
      throw error;
    }
  }

  return (stop, pace) => (isStreaming ? connect(stop, pace) : poll(stop, pace));
}

/** Does the job have a result that is too large for an event? */
function isApart({ result_data, result_bytes, payloads_removed_at }: JobView): boolean {
  return result_data === undefined && result_bytes !== undefined && payloads_removed_at === undefined;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
