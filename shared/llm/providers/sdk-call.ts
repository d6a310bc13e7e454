/** One call through a vendor's SDK: what the SDKs do about connections and the ends of streams, and what they leave undone. */
import { LEFT, orAborted, untilAborted } from '../../core/aborted.ts';
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart, ProviderLimits } from '../../core/llm.ts';
import { endsSoon, LATE, nextSoon } from './after-end.ts';
import { withRequestId } from './failures.ts';
import { isHttpResponse } from './http-response.ts';
import { rateLimitsOf } from './rate-limit-headers.ts';
import { traceHeaders } from './trace-headers.ts';

/** What goes with each request: whoever made the client, its own retries are off, for nobody would record them. */
export type RequestOptions = { signal: AbortSignal; maxRetries: 0; headers?: { traceparent: string } };

/** A request that is to be sent. */
export type Sending = {
  signal: AbortSignal;
  traceparent?: string | undefined;
  /** Sends the request. */
  send(options: RequestOptions): PromiseLike<unknown>;
};

/** How a vendor fails, and names its answers. */
export type Vendor = {
  classify(error: unknown): ServiceError;
  requestIdOf(answer: unknown): string | undefined;
};

/** A call for an answer. */
export type SdkCall<Event> = Sending & {
  vendor: Vendor;
  /** What of the request the protocol could not express. */
  warnings: readonly string[];
  /** As the SDK reads a stream; `abort` ends its connection. */
  eventsIn(response: Response, abort: AbortController): AsyncIterator<Event>;
  partsOfEvent(event: Event): Iterable<LlmPart>;
  /** Of an answer that came as one document. */
  partsOfDocument(document: unknown): Iterable<LlmPart>;
  /** Was its end told? What may still come, or never comes, is waited for only a moment, and cannot break the answer. */
  isEnded?: (() => boolean) | undefined;
  /** Was all told that there is to tell? */
  isComplete(): boolean;
  /** What is known only when nothing more comes. */
  end?: (() => Iterable<LlmPart>) | undefined;
};

/**
 * Makes the call, as soon as its first part is asked for, and yields its parts; errors are classified. One generator: each
 * one more around it makes promises of each part, and those of four were a quarter of all that a job made.
 */
export async function* partsOfCall<Event>(prepare: () => SdkCall<Event>): AsyncIterable<LlmPart> {
  const call = prepare();
  const exchange = exchangeOf(call, call.vendor);
  try {
    const answer = await exchange.answer();
    yield { type: 'accepted', ...headOf(answer, call.vendor) };
    for (const message of call.warnings) yield { type: 'warning', message };
    const source = sourceOf(answer, call, exchange);
    if (source) {
      const { events, leave } = source;
      try {
        while (!call.isComplete()) {
          const isEnded = call.isEnded?.();
          const step = await (isEnded ? nextSoon(events) : events.next());
          exchange.isOver = step !== LATE && step.done === true;
          if (step === LATE || step.done) break;
          try {
            for (const part of call.partsOfEvent(step.value)) yield part;
          } catch (error) {
            if (!isEnded) throw error;
            break;
          }
        }
      } finally {
        leave();
      }
    } else {
      for (const part of call.partsOfDocument(await documentIn(answer))) yield part;
      exchange.isOver = true;
    }
    // The SDKs end an aborted stream as if it were complete.
    call.signal.throwIfAborted();
    for (const part of call.end?.() ?? []) yield part;
  } catch (error) {
    throw exchange.classified(error);
  } finally {
    exchange.end();
  }
}

/** What the headers of an answer say. */
export type Head = { providerRequestId: string | undefined; limits: ProviderLimits | undefined };

export function headOf(answer: unknown, { requestIdOf }: Vendor): Head {
  const limits = isHttpResponse(answer) ? rateLimitsOf(answer.headers, Date.now()) : undefined;
  return { providerRequestId: requestIdOf(answer), limits };
}

/** A request and its answer. */
type Exchange = {
  /** Sends the request. */
  answer(): Promise<unknown>;
  /** Ends the connection. */
  abort: AbortController;
  /** Is there nothing more to come on it, or does somebody see to that? */
  isOver: boolean;
  /** The answer is whole, and what is left of its events is read without anybody who waits for it. */
  readOut(events: AsyncIterator<unknown>): void;
  /** What to throw for an error of it. */
  classified(error: unknown): unknown;
  /** A consumer that stops reading must not leave the provider writing, and charging. */
  end(): void;
};

/** Throws the signal's reason when it is aborted already. */
export function exchangeOf({ signal, traceparent, send }: Sending, { classify, requestIdOf }: Vendor): Exchange {
  signal.throwIfAborted();
  // The SDKs leave a listener on the signal they are given, and end a stream's connection through a controller.
  const abort = new AbortController();
  const stop = () => abort.abort(signal.reason);
  signal.addEventListener('abort', stop);
  let requestId: string | undefined;
  const exchange: Exchange = {
    abort,
    isOver: false,
    async answer() {
      const sent = send({ signal: abort.signal, maxRetries: 0, ...traceHeaders(traceparent) });
      const answer = await orAborted(isFromSdk(sent) ? sent.asResponse() : sent, signal);
      requestId = requestIdOf(answer);
      return answer;
    },
    // A connection that is broken off serves no other call, and to break it off takes a fifth of what a call costs.
    readOut(events) {
      exchange.isOver = true;
      void endsSoon(events).then((ended) => ended || abort.abort(LEFT));
    },
    classified: (error) => (signal.aborted ? signal.reason : withRequestId(classify(error), requestId)),
    end() {
      signal.removeEventListener('abort', stop);
      if (!exchange.isOver) abort.abort(LEFT);
    },
  };
  return exchange;
}

/** The SDKs answer a promise that has more to it: the response as soon as its headers are here. */
function isFromSdk(sent: object): sent is { asResponse(): Promise<Response> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

/** The key as the client holds it now: one that is brought before each call is there, too. */
export function keyOf(client: object): string | undefined {
  return 'apiKey' in client && typeof client.apiKey === 'string' ? client.apiKey : undefined;
}

/** Events, and what is to be done when they are not read on. */
type Source<Event> = { events: AsyncIterator<Event>; leave(): void };

/** `undefined` for an answer that is no stream of events. */
function sourceOf<Event>(
  answer: unknown,
  { signal, eventsIn, isComplete }: SdkCall<Event>,
  exchange: Exchange,
): Source<Event> | undefined {
  if (isHttpResponse(answer)) {
    if (!answer.headers.get('content-type')?.includes('text/event-stream')) return undefined;
    const events = eventsIn(answer, exchange.abort);
    return { events, leave: () => isComplete() && exchange.readOut(events) };
  }
  if (!isEvents<Event>(answer)) return undefined;
  const events = untilAborted(answer, signal)[Symbol.asyncIterator]();
  return { events, leave: () => void events.return?.() };
}

/** Of a client that is not an SDK's own. */
function isEvents<Event>(answer: unknown): answer is AsyncIterable<Event> {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;
}

/** A whole answer: as a client that is not an SDK's own gave it, or in the body of a response. */
export async function documentIn(answer: unknown): Promise<unknown> {
  if (!isHttpResponse(answer)) return answer;
  const type = answer.headers.get('content-type') ?? '';
  if (type.includes('json')) return await answer.json();
  throw new ServiceError('provider_error', `The provider answered with ${typeName(type)}, not with JSON.`);
}

/** Content types that tell somebody what stands at a wrong address. */
const SHOWN_TYPES = ['text/html', 'text/plain', 'text/xml', 'application/xml', 'application/octet-stream'];

/** A header may hold anything: only what is known is shown. */
function typeName(contentType: string): string {
  if (contentType === '') return 'no content type';
  return SHOWN_TYPES.find((type) => contentType.startsWith(type)) ?? 'another content type';
}
