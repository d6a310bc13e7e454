/** One request through OpenAI's SDK and the connection of its answer, which the SDK would leave to itself. */
import { LEFT, orAborted } from '../../core/aborted.ts';
import { withRequestId } from './failures.ts';
import { isHttpResponse } from './http-response.ts';
import { classifyOpenaiError } from './openai-errors.ts';
import { traceHeaders } from './trace-headers.ts';

/** What goes with each request: whoever made the client, its own retries are off, for nobody would record them. */
export type RequestOptions = { signal: AbortSignal; maxRetries: 0; headers?: { traceparent: string } };

/** A request that is to be sent. */
export type Sending = {
  /** Its key must not get into an error's text. */
  client: object;
  signal: AbortSignal;
  traceparent?: string | undefined;
  /** Sends the request. */
  send(options: RequestOptions): PromiseLike<unknown>;
};

/** A request and its answer. */
export type Exchange = {
  /** Sends the request. */
  answer(): Promise<unknown>;
  /** Ends the connection. */
  abort: AbortController;
  /** That is seen to, or there is nothing more to come. */
  isOver: boolean;
  /** What to throw for an error of it. */
  classified(error: unknown): unknown;
  /** A consumer that stops reading must not leave the provider writing, and charging. */
  end(): void;
};

export function exchangeOf({ client, signal, traceparent, send }: Sending): Exchange {
  signal.throwIfAborted();
  // The SDK leaves a listener on the signal it is given, and ends the stream's connection through a controller.
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
    classified: (error) =>
      signal.aborted ? signal.reason : withRequestId(classifyOpenaiError(error, keyOf(client)), requestId),
    end() {
      signal.removeEventListener('abort', stop);
      if (!exchange.isOver) abort.abort(LEFT);
    },
  };
  return exchange;
}

/** The SDK answers a promise that has more to it: the response as soon as its headers are here. */
function isFromSdk(sent: object): sent is { asResponse(): Promise<Response> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

/** The key as the client holds it now: one that is brought before each call is there, too. */
export function keyOf(client: object): string | undefined {
  return 'apiKey' in client && typeof client.apiKey === 'string' ? client.apiKey : undefined;
}

export function requestIdOf(answer: unknown): string | undefined {
  if (isHttpResponse(answer)) return answer.headers.get('x-request-id') ?? undefined;
  const id = typeof answer === 'object' && answer !== null && '_request_id' in answer ? answer._request_id : undefined;
  return typeof id === 'string' ? id : undefined;
}
