/** `fetch` as a provider may use it: bounded, and never to another host than the one that was configured. */
import { ServiceError } from '../../core/errors.ts';
import { type Pass, type Take, withoutRepeatedText } from './repeated-text.ts';

/** The largest answer in deltas of a few tokens each, which are mostly frame; nothing of it is kept. */
const STREAM_BYTES_MOST = 512 * 1024 * 1024;
/** Of what an SDK gathers in memory: a document, or an error. The largest answer in escapes takes 24 MiB. */
export const GATHERED_BYTES_MOST = 64 * 1024 * 1024;
/** The last events of some protocols repeat the whole answer, each in one line. */
const EVENT_BYTES_MOST = 32 * 1024 * 1024;

export type FetchLimits = {
  /** Hears of a refusal, for SDKs that hide what `fetch` throws. */
  onRefusal?: (error: ServiceError) => void;
  /** Of a stream of events, for an SDK that keeps them all. */
  streamBytesMost?: number;
};

/**
 * Follows no redirect, which would carry the prompt (and all but one kind of key) elsewhere, as a call that nobody
 * recorded; and ends a body beyond a size with an error, for an SDK that gathers whole bodies must not fill the memory.
 */
export function limitedFetch(
  fetchAny: typeof fetch,
  { onRefusal = () => {}, streamBytesMost = STREAM_BYTES_MOST }: FetchLimits = {},
): typeof fetch {
  const refuse = (code: 'provider_error' | 'response_too_large', sentence: string): never => {
    const error = new ServiceError(code, sentence);
    onRefusal(error);
    throw error;
  };
  return async (url, init) => {
    const refuseRedirect = () =>
      refuse('provider_error', 'The provider redirects to another address; set its base URL to that one.');
    const response = await fetchAny(url, { ...init, ...UNCOPIED }).catch((error: unknown) =>
      isRedirect(error) ? refuseRedirect() : Promise.reject(error),
    );
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      refuseRedirect();
    }
    const isStream = response.ok && Boolean(response.headers.get('content-type')?.includes('text/event-stream'));
    const bytesMost = isStream ? streamBytesMost : GATHERED_BYTES_MOST;
    let bytes = 0;
    const { take, flush } = isStream ? wholeEvents(refuse) : asItIs;
    const unrepeated = isStream ? withoutRepeatedText(take) : take;
    const limited = (chunk: Uint8Array, pass: Pass) => {
      bytes += chunk.byteLength;
      if (bytes > bytesMost) refuse('response_too_large', 'The answer is too large on the wire.');
      unrepeated(chunk, pass);
    };
    return new Response(response.body && through(response.body, { take: limited, flush }, init?.signal), response);
  };
}

/** Of a request that may neither follow a redirect nor ask a user, Node's `fetch` makes no copy: a tenth of a call. */
const UNCOPIED = { redirect: 'error', window: null } as const;

/** Node's `fetch` tells it in words alone. */
function isRedirect(error: unknown): boolean {
  return error instanceof TypeError && error.cause instanceof Error && error.cause.message === 'unexpected redirect';
}

/** Of an answer that comes as fast as it is read, Node reads up to 2 MB before others have their turn. */
const IN_A_ROW_BYTES = 128 * 1024;

type Filter = { take: Take; flush(pass: Pass): void };

const asItIs: Filter = { take: (chunk, pass) => pass(chunk), flush: () => {} };

/**
 * The body, through a filter: two `TransformStream`s in a row took a tenth of what a job costs. It hears of `signal` itself:
 * Node's `fetch` holds on to its end of it weakly, and once that was collected the provider went on writing, and charging.
 */
function through(
  body: ReadableStream<Uint8Array>,
  { take, flush }: Filter,
  signal?: AbortSignal | null,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const stop = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener('abort', stop);
  const leave = () => signal?.removeEventListener('abort', stop);
  let taken = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let passed = 0;
        const pass = (piece: Uint8Array) => {
          passed += 1;
          controller.enqueue(piece);
        };
        try {
          while (passed === 0) {
            const { done, value } = await reader.read();
            signal?.throwIfAborted();
            if (done) {
              leave();
              flush(pass);
              controller.close();
              return;
            }
            taken += value.byteLength;
            if (taken > IN_A_ROW_BYTES) {
              taken = 0;
              await new Promise((resolve) => setImmediate(resolve));
              signal?.throwIfAborted();
            }
            take(value, pass);
          }
        } catch (error) {
          leave();
          // Who refuses an answer leaves nobody writing it.
          void reader.cancel(error).catch(() => {});
          throw error;
        }
      },
      cancel(reason) {
        leave();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Passes on whole events alone, and few at once: the SDKs join the pieces of one in quadratic time (16 MB blocked the process
 * for 2 s), and copy all that is left of a piece for each event in it. What holds no event they keep until one comes: comments
 * without end filled the memory.
 */
function wholeEvents(refuse: (code: 'response_too_large', sentence: string) => never): Filter {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const flush = (pass: Pass) => {
    const [only] = held;
    const block = held.length > 1 ? Buffer.concat(held) : only;
    if (block && (block.every(isLineEnd) || !isSilent(block))) passInPieces(block, pass);
    held = [];
    heldBytes = 0;
  };
  const hold = (piece: Uint8Array) => {
    if (piece.byteLength === 0) return;
    heldBytes += piece.byteLength;
    if (heldBytes > EVENT_BYTES_MOST) refuse('response_too_large', 'An event of the answer is too large on the wire.');
    held.push(piece);
  };
  let before: [number, number] = [0, 0];
  return {
    take(chunk, pass) {
      const end = endOfEvents(chunk, before);
      if (end > 0) {
        hold(chunk.subarray(0, end));
        flush(pass);
      }
      hold(chunk.subarray(end));
      before = [chunk.at(-2) ?? before[1], chunk.at(-1) ?? before[1]];
    },
    flush,
  };
}

/** Cut where an event ends, as far as its events are smaller than that. */
function passInPieces(block: Uint8Array, pass: Pass): void {
  let start = 0;
  for (let bytes = PIECE_BYTES; start + bytes < block.length; ) {
    const end = endOfEvents(block.subarray(start, start + bytes), [0, 0]);
    if (end > 0) pass(block.subarray(start, start + end));
    start += end;
    bytes = end > 0 ? PIECE_BYTES : 2 * bytes;
  }
  pass(block.subarray(start));
}
const PIECE_BYTES = 4 * 1024;

/** Is there nothing in it but comments, and fields that make no event? What is none of the protocol is passed on. */
function isSilent(block: Uint8Array): boolean {
  for (let at = 0; at < block.length; at = nextLine(block, at)) {
    const isIt = (start: Uint8Array) => start.every((byte, index) => block[at + index] === byte);
    if (!isLineEnd(block[at]) && !SILENT.some(isIt)) return false;
  }
  return true;
}

function nextLine(block: Uint8Array, from: number): number {
  let at = from;
  while (at < block.length && !isLineEnd(block[at])) at += 1;
  return at + 1;
}

const SILENT = [':', 'id:', 'retry:'].map((start) => Buffer.from(start));
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const isLineEnd = (byte: number | undefined) => byte === NEWLINE || byte === RETURN;

/** Where the last empty line of a chunk ends, and with it an event; 0 when there is none. `before`: the last two bytes. */
function endOfEvents(chunk: Uint8Array, before: readonly [number, number]): number {
  const at = (index: number) => (index < 0 ? before[index + 2] : chunk[index]);
  for (let index = chunk.length - 1; index >= 0; index--) {
    if (!isLineEnd(chunk[index])) continue;
    const isPair = chunk[index] === NEWLINE && at(index - 1) === RETURN;
    if (isLineEnd(at(isPair ? index - 2 : index - 1))) return index + 1;
  }
  return 0;
}

/** Google's servers put an error into a list of one, in which OpenAI's SDK does not find it. */
export function unlistedErrors(fetchAny: typeof fetch): typeof fetch {
  return async (url, init) => {
    const response = await fetchAny(url, init);
    if (response.ok || !response.headers.get('content-type')?.includes('json')) return response;
    const text = await response.text();
    const { status, statusText, headers } = response;
    return new Response(onlyItemOf(text) ?? text, { status, statusText, headers });
  };
}

function onlyItemOf(json: string): string | undefined {
  try {
    const document: unknown = JSON.parse(json);
    return Array.isArray(document) && document.length === 1 ? JSON.stringify(document[0]) : undefined;
  } catch {
    return undefined;
  }
}
