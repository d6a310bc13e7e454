/**
 * One call through OpenAI's SDK, for both of its protocols: what the SDK does about streams, and what it leaves undone.
 */
import OpenAI from 'openai';
import { Stream } from 'openai/core/streaming';
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart } from '../../core/llm.ts';
import { limitedFetch } from './limited-fetch.ts';
import { classifyOpenaiError, failureOf, type WireError } from './openai-errors.ts';

export type OpenaiClientOptions = { apiKey?: string | undefined; baseUrl?: string | undefined };

export function openaiClient({ apiKey, baseUrl }: OpenaiClientOptions): OpenAI {
  return new OpenAI({
    // Servers without keys exist, but the SDK insists on one.
    apiKey: apiKey ?? 'none',
    ...(baseUrl ? { baseURL: baseUrl } : {}),
    maxRetries: 0,
    fetch: limitedFetch(fetch),
    // The SDK prints frames that it cannot parse: answers do not belong in logs.
    logLevel: 'off',
  });
}

export type OpenaiCall<Event, Whole> = {
  client: OpenAI;
  signal: AbortSignal;
  /** The key, which must not get into an error's text. */
  secret: string | undefined;
  /** Sends the request and resolves with the response as soon as its headers are here. */
  send(client: OpenAI, signal: AbortSignal): Promise<Response>;
  partsOfEvent(event: Event): Iterable<LlmPart>;
  partsOfWhole(whole: Whole): Iterable<LlmPart>;
};

/** Content types that tell somebody what stands at a wrong address. */
const SHOWN_TYPES = ['text/html', 'text/plain', 'text/xml', 'application/xml', 'application/octet-stream'];

/** A header may hold anything: only what is known is shown. */
function typeName(contentType: string): string {
  if (contentType === '') return 'no content type';
  return SHOWN_TYPES.find((type) => contentType.startsWith(type)) ?? 'another content type';
}

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
      const whole = (await response.json()) as (Whole & { error?: WireError | null }) | null;
      // Gateways answer 200 with an error inside.
      if (whole === null || whole.error) throw failureOf(whole?.error, call.secret);
      yield* call.partsOfWhole(whole);
    } else {
      throw new ServiceError('provider_error', `The provider answered with ${typeName(type)}, not with JSON.`);
    }
  } catch (error) {
    call.signal.throwIfAborted();
    throw classifyOpenaiError(error, call.secret);
  } finally {
    call.signal.removeEventListener('abort', stop);
    // A consumer that stops reading must not leave the provider writing, and charging.
    abort.abort();
  }
  // The SDK ends an aborted stream as if it were complete.
  call.signal.throwIfAborted();
}
