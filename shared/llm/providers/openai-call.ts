/**
 * One call through OpenAI's SDK, for both of its protocols: what the SDK does about streams, and what it leaves undone.
 */
import OpenAI from 'openai';
import { Stream } from 'openai/core/streaming';
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart } from '../../core/ports.ts';
import { classifyOpenaiError } from './openai-errors.ts';

export type OpenaiClientOptions = { apiKey?: string | undefined; baseUrl?: string | undefined };

export function openaiClient({ apiKey, baseUrl }: OpenaiClientOptions): OpenAI {
  return new OpenAI({
    // Servers without keys exist, but the SDK insists on one.
    apiKey: apiKey ?? 'none',
    ...(baseUrl ? { baseURL: baseUrl } : {}),
    maxRetries: 0,
    fetch: limitedFetch,
    // The SDK prints frames that it cannot parse: answers do not belong in logs.
    logLevel: 'off',
  });
}

/** A streamed answer of the largest size that is stored takes about 30 MB on the wire. */
const WIRE_BYTES_MOST = 64 * 1024 * 1024;

/** `fetch`, whose bodies end with an error beyond a size: an SDK that gathers a whole body must not fill the memory. */
async function limitedFetch(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  let bytes = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > WIRE_BYTES_MOST) throw new ServiceError('response_too_large', 'The answer is too large on the wire.');
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body?.pipeThrough(limit) ?? null, response);
}

export type OpenaiCall<Event, Whole> = {
  client: OpenAI;
  signal: AbortSignal;
  /** Sends the request and resolves with the response as soon as its headers are here. */
  send(client: OpenAI, signal: AbortSignal): Promise<Response>;
  partsOfEvent(event: Event): Iterable<LlmPart>;
  partsOfWhole(whole: Whole): Iterable<LlmPart>;
};

/** Makes the call and yields its parts; errors are classified. */
export async function* openaiCall<Event, Whole>(call: OpenaiCall<Event, Whole>): AsyncIterable<LlmPart> {
  call.signal.throwIfAborted();
  // The SDK leaves a listener on the signal it is given, and ends the stream's connection through a controller.
  const abort = new AbortController();
  const stop = () => abort.abort(call.signal.reason);
  call.signal.addEventListener('abort', stop);
  try {
    const response = await call.send(call.client, abort.signal);
    yield { type: 'accepted', providerRequestId: response.headers.get('x-request-id') ?? undefined };
    const type = response.headers.get('content-type') ?? '';
    if (type.includes('text/event-stream')) {
      const events = Stream.fromSSEResponse<Event>(response, abort, call.client);
      for await (const event of events) yield* call.partsOfEvent(event);
    } else if (type.includes('json')) {
      yield* call.partsOfWhole((await response.json()) as Whole);
    } else {
      throw new ServiceError(
        'provider_error',
        `The provider answered with ${type || 'no content type'}, not with JSON.`,
      );
    }
  } catch (error) {
    call.signal.throwIfAborted();
    throw classifyOpenaiError(error);
  } finally {
    call.signal.removeEventListener('abort', stop);
    // A consumer that stops reading must not leave the provider writing, and charging.
    abort.abort();
  }
  // The SDK ends an aborted stream as if it were complete.
  call.signal.throwIfAborted();
}
