/**
 * One call through OpenAI's SDK, for both of its protocols: what the SDK does about streams, and what it leaves undone.
 */
import OpenAI from 'openai';
import { Stream } from 'openai/core/streaming';
import { LEFT, orAborted, untilAborted } from '../../core/aborted.ts';
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart, ProviderLimits } from '../../core/llm.ts';
import type { Transformer } from '../transformers/transformer.ts';
import { endsSoon } from './after-end.ts';
import { withRequestId } from './failures.ts';
import { isHttpResponse } from './http-response.ts';
import { limitedFetch, unlistedErrors } from './limited-fetch.ts';
import { classifyOpenaiError, failureOf, type WireError } from './openai-errors.ts';
import { rateLimitsOf } from './rate-limit-headers.ts';
import { traceHeaders } from './trace-headers.ts';

/** What a provider is made with that speaks through OpenAI's SDK. */
export type OpenaiOptions<Client, Body> = {
  /** A key, or what brings one before each call and throws a `ServiceError` when it cannot. */
  apiKey?: string | (() => Promise<string>) | undefined;
  baseUrl?: string | undefined;
  /** A ready client, or what answers like one: a stream of events, or a whole answer. Its key and address are its own. */
  client?: Client | undefined;
  /** The file's own when absent. */
  transform?: Transformer<Body> | undefined;
};

/** What goes with each request: whoever made the client, its own retries are off, for nobody would record them. */
export type RequestOptions = { signal: AbortSignal; maxRetries: 0; headers?: { traceparent: string } };

/** A client of the SDK as this project makes it. */
export function openaiClient({ apiKey, baseUrl }: OpenaiOptions<unknown, unknown>): OpenAI {
  return new OpenAI({
    // Servers without keys exist, but the SDK insists on one.
    apiKey: apiKey ?? 'none',
    ...(baseUrl ? { baseURL: baseUrl } : {}),
    maxRetries: 0,
    fetch: unlistedErrors(limitedFetch(fetch)),
    // The SDK prints frames that it cannot parse: answers do not belong in logs.
    logLevel: 'off',
  });
}

let silent: OpenAI | undefined;
/** The SDK logs as its client says: a user's may log frames, and without any it writes to the console. */
function silentClient(): OpenAI {
  silent ??= openaiClient({});
  return silent;
}

export type OpenaiCall<Event, Whole> = {
  /** Its key must not get into an error's text. */
  client: object;
  signal: AbortSignal;
  traceparent?: string | undefined;
  /** What of the request the protocol could not express. */
  warnings: readonly string[];
  /** Sends the request. */
  send(options: RequestOptions): PromiseLike<unknown>;
  partsOfEvent(event: Event): Iterable<LlmPart>;
  partsOfWhole(whole: Whole): Iterable<LlmPart>;
  /** Was all told that there is to tell? */
  isComplete(): boolean;
};

/** Makes the call and yields its parts; errors are classified. */
export function openaiCall<Event, Whole>(call: OpenaiCall<Event, Whole>): AsyncIterable<LlmPart> {
  return answered(call, async function* (answer, reading) {
    yield { type: 'accepted', ...headOf(answer) };
    for (const message of call.warnings) yield { type: 'warning', message };
    yield* isHttpResponse(answer) ? partsOfResponse(answer, call, reading) : partsOfReady(answer, call);
  });
}

/** One JSON document that a client answered, and what its headers say. */
export type OpenaiDocument = Head & { document: object };
type Head = { providerRequestId: string | undefined; limits: ProviderLimits | undefined };

function headOf(answer: unknown): Head {
  const limits = isHttpResponse(answer) ? rateLimitsOf(answer.headers, Date.now()) : undefined;
  return { providerRequestId: requestIdOf(answer), limits };
}

/** Sends a request that is answered with one document; errors are classified, also one that the document tells. */
export async function openaiDocument(call: Sending): Promise<OpenaiDocument> {
  const documents = answered<OpenaiDocument>(call, async function* (answer) {
    const document = isHttpResponse(answer) ? await documentIn(answer) : answer;
    if (!isObject(document)) throw failureOf(undefined, keyOf(call.client));
    // Gateways answer 200 with an error inside. Of an answer that failed it is a part.
    const { error, id } = document as { error?: WireError | null; id?: unknown };
    if (error && !id) throw failureOf(error, keyOf(call.client));
    yield { document, ...headOf(answer) };
  });
  for await (const document of documents) return document;
  throw failureOf(undefined, keyOf(call.client));
}

type Sending = Pick<OpenaiCall<never, never>, 'client' | 'signal' | 'traceparent' | 'send'>;

/** What ends the connection, and whether that is seen to. */
type Reading = { abort: AbortController; isOver: boolean };

async function* answered<Part>(
  call: Sending,
  read: (answer: unknown, reading: Reading) => AsyncIterable<Part>,
): AsyncIterable<Part> {
  call.signal.throwIfAborted();
  // The SDK leaves a listener on the signal it is given, and ends the stream's connection through a controller.
  const abort = new AbortController();
  const stop = () => abort.abort(call.signal.reason);
  call.signal.addEventListener('abort', stop);
  let requestId: string | undefined;
  const reading: Reading = { abort, isOver: false };
  try {
    const sent = call.send({ signal: abort.signal, maxRetries: 0, ...traceHeaders(call.traceparent) });
    const answer = await orAborted(isFromSdk(sent) ? sent.asResponse() : sent, call.signal);
    requestId = requestIdOf(answer);
    yield* read(answer, reading);
    reading.isOver = true;
  } catch (error) {
    call.signal.throwIfAborted();
    throw withRequestId(classifyOpenaiError(error, keyOf(call.client)), requestId);
  } finally {
    call.signal.removeEventListener('abort', stop);
    // A consumer that stops reading must not leave the provider writing, and charging.
    if (!reading.isOver) abort.abort(LEFT);
  }
  // The SDK ends an aborted stream as if it were complete.
  call.signal.throwIfAborted();
}

/** The SDK answers a promise that has more to it: the response as soon as its headers are here. */
function isFromSdk(sent: object): sent is { asResponse(): Promise<Response> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

/** The key as the client holds it now: one that is brought before each call is there, too. */
function keyOf(client: object): string | undefined {
  return 'apiKey' in client && typeof client.apiKey === 'string' ? client.apiKey : undefined;
}

function requestIdOf(answer: unknown): string | undefined {
  if (isHttpResponse(answer)) return answer.headers.get('x-request-id') ?? undefined;
  const id = isObject(answer) && '_request_id' in answer ? answer._request_id : undefined;
  return typeof id === 'string' ? id : undefined;
}

type Reader<Event, Whole> = Pick<
  OpenaiCall<Event, Whole>,
  'client' | 'signal' | 'partsOfEvent' | 'partsOfWhole' | 'isComplete'
>;

async function* partsOfResponse<Event, Whole>(
  response: Response,
  call: Reader<Event, Whole>,
  reading: Reading,
): AsyncIterable<LlmPart> {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/event-stream')) {
    const stream = Stream.fromSSEResponse<Event>(response, reading.abort, silentClient());
    const events = stream[Symbol.asyncIterator]();
    try {
      for (let step = await events.next(); !step.done; step = await events.next()) yield* call.partsOfEvent(step.value);
    } finally {
      // A connection that is broken off serves no other call, and to break it off takes a fifth of what a call costs.
      // Nobody waits for its end.
      if (call.isComplete()) {
        reading.isOver = true;
        void endsSoon(events).then((ended) => ended || reading.abort.abort(LEFT));
      }
    }
  } else {
    yield* partsOfDocument<Whole>(await documentIn(response), call);
  }
}

function documentIn(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('json')) return response.json();
  throw new ServiceError('provider_error', `The provider answered with ${typeName(type)}, not with JSON.`);
}

/** What a client answered that is not the SDK's own: events, or a whole answer. */
async function* partsOfReady<Event, Whole>(answer: unknown, call: Reader<Event, Whole>): AsyncIterable<LlmPart> {
  if (isEvents<Event>(answer)) {
    for await (const event of untilAborted(answer, call.signal)) yield* call.partsOfEvent(event);
  } else {
    yield* partsOfDocument<Whole>(answer, call);
  }
}

/** One JSON document; what it holds is the vendor's word alone. Gateways answer 200 with an error inside. */
function partsOfDocument<Whole>(
  document: unknown,
  { client, partsOfWhole }: Pick<OpenaiCall<never, Whole>, 'client' | 'partsOfWhole'>,
): Iterable<LlmPart> {
  if (!isObject(document)) throw failureOf(undefined, keyOf(client));
  const { error } = document as { error?: WireError | null };
  if (error) throw failureOf(error, keyOf(client));
  return partsOfWhole(document as Whole);
}

function isEvents<Event>(answer: unknown): answer is AsyncIterable<Event> {
  return isObject(answer) && Symbol.asyncIterator in answer;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Content types that tell somebody what stands at a wrong address. */
const SHOWN_TYPES = ['text/html', 'text/plain', 'text/xml', 'application/xml', 'application/octet-stream'];

/** A header may hold anything: only what is known is shown. */
function typeName(contentType: string): string {
  if (contentType === '') return 'no content type';
  return SHOWN_TYPES.find((type) => contentType.startsWith(type)) ?? 'another content type';
}
