/**
 * One call through OpenAI's SDK, for both of its protocols: what the SDK does about streams, and what it leaves undone.
 */
import OpenAI from 'openai';
import { Stream } from 'openai/core/streaming';
import { LEFT, untilAborted } from '../../core/aborted.ts';
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart, ProviderLimits } from '../../core/llm.ts';
import type { Transformer } from '../transformers/transformer.ts';
import { endsSoon, LATE, nextSoon } from './after-end.ts';
import { isHttpResponse } from './http-response.ts';
import { limitedFetch, unlistedErrors } from './limited-fetch.ts';
import { failureOf, type WireError } from './openai-errors.ts';
import { type Exchange, exchangeOf, keyOf, requestIdOf, type Sending } from './openai-exchange.ts';
import { rateLimitsOf } from './rate-limit-headers.ts';

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

export type OpenaiCall<Event, Whole> = Sending & {
  /** What of the request the protocol could not express. */
  warnings: readonly string[];
  partsOfEvent(event: Event): Iterable<LlmPart>;
  partsOfWhole(whole: Whole): Iterable<LlmPart>;
  /** Was its end told? What may still come, or never comes, is waited for only a moment. */
  isEnded?: () => boolean;
  /** Was all told that there is to tell? */
  isComplete(): boolean;
  /** What is known only when nothing more comes. */
  end?: () => Iterable<LlmPart>;
};

/**
 * Makes the call, as soon as its first part is asked for, and yields its parts; errors are classified. One generator, for
 * each one more makes four promises of each part.
 */
export async function* openaiCall<Event, Whole>(prepare: () => OpenaiCall<Event, Whole>): AsyncIterable<LlmPart> {
  const call = prepare();
  const exchange = exchangeOf(call);
  try {
    const answer = await exchange.answer();
    yield { type: 'accepted', ...headOf(answer) };
    for (const message of call.warnings) yield { type: 'warning', message };
    const source = sourceOf<Event>(answer, call, exchange);
    if (source) {
      const { events, leave } = source;
      try {
        for (;;) {
          const step = await (call.isEnded?.() ? nextSoon(events) : events.next());
          if (step === LATE) break;
          exchange.isOver = step.done === true;
          if (step.done) break;
          for (const part of call.partsOfEvent(step.value)) yield part;
          if (call.isComplete()) break;
        }
      } finally {
        leave();
      }
    } else {
      for (const part of partsOfDocument(await documentIn(answer), call)) yield part;
      exchange.isOver = true;
    }
    // The SDK ends an aborted stream as if it were complete.
    call.signal.throwIfAborted();
    for (const part of call.end?.() ?? []) yield part;
  } catch (error) {
    throw exchange.classified(error);
  } finally {
    exchange.end();
  }
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
  const exchange = exchangeOf(call);
  try {
    const answer = await exchange.answer();
    const document = await documentIn(answer);
    if (!isObject(document)) throw failureOf(undefined, keyOf(call.client));
    // Gateways answer 200 with an error inside. Of an answer that failed it is a part.
    const { error, id } = document as { error?: WireError | null; id?: unknown };
    if (error && !id) throw failureOf(error, keyOf(call.client));
    exchange.isOver = true;
    return { document, ...headOf(answer) };
  } catch (error) {
    throw exchange.classified(error);
  } finally {
    exchange.end();
  }
}

/** Events, and what is to be done when they are not read on. */
type Source<Event> = { events: AsyncIterator<Event>; leave(): void };

/** `undefined` for an answer that is no stream of events. */
function sourceOf<Event>(
  answer: unknown,
  { signal, isComplete }: Pick<OpenaiCall<Event, never>, 'signal' | 'isComplete'>,
  exchange: Exchange,
): Source<Event> | undefined {
  if (!isHttpResponse(answer)) {
    if (!isEvents<Event>(answer)) return undefined;
    const events = untilAborted(answer, signal)[Symbol.asyncIterator]();
    return { events, leave: () => void events.return?.() };
  }
  if (!answer.headers.get('content-type')?.includes('text/event-stream')) return undefined;
  const stream = Stream.fromSSEResponse<Event>(answer, exchange.abort, silentClient());
  const events = stream[Symbol.asyncIterator]();
  return {
    events,
    // A connection that is broken off serves no other call, and to break it off takes a fifth of what a call costs.
    // Nobody waits for its end.
    leave() {
      if (!isComplete()) return;
      exchange.isOver = true;
      void endsSoon(events).then((ended) => ended || exchange.abort.abort(LEFT));
    },
  };
}

/** A whole answer: as a client that is not the SDK's own gave it, or in the body of a response. */
async function documentIn(answer: unknown): Promise<unknown> {
  if (!isHttpResponse(answer)) return answer;
  const type = answer.headers.get('content-type') ?? '';
  if (type.includes('json')) return await answer.json();
  throw new ServiceError('provider_error', `The provider answered with ${typeName(type)}, not with JSON.`);
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
