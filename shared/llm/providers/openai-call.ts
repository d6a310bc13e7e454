/** Calls through OpenAI's SDK, for both of its protocols. */
import OpenAI from 'openai';
import { Stream } from 'openai/core/streaming';
import type { LlmPart } from '../../core/llm.ts';
import type { Transformer } from '../transformers/transformer.ts';
import { isHttpResponse } from './http-response.ts';
import { limitedFetch, unlistedErrors } from './limited-fetch.ts';
import { classifyOpenaiError, failureOf, type WireError } from './openai-errors.ts';
import {
  documentIn,
  exchangeOf,
  type Head,
  headOf,
  keyOf,
  partsOfCall,
  type SdkCall,
  type Sending,
  type Vendor,
} from './sdk-call.ts';

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

/** A request for an answer, or for a document about one. */
export type OpenaiSending = Sending & {
  /** Its key must not get into an error's text. */
  client: object;
};

export type OpenaiCall<Event, Whole> = OpenaiSending &
  Pick<SdkCall<Event>, 'warnings' | 'partsOfEvent' | 'isEnded' | 'isComplete' | 'end'> & {
    partsOfWhole(whole: Whole): Iterable<LlmPart>;
  };

/** Makes the call, as soon as its first part is asked for, and yields its parts; errors are classified. */
export function openaiCall<Event, Whole>(prepare: () => OpenaiCall<Event, Whole>): AsyncIterable<LlmPart> {
  return partsOfCall<Event>(() => {
    const { client, partsOfWhole, ...call } = prepare();
    return {
      ...call,
      vendor: vendorOf(client),
      eventsIn: (response, abort) =>
        Stream.fromSSEResponse<Event>(response, abort, silentClient())[Symbol.asyncIterator](),
      partsOfDocument(document) {
        const whole = objectIn(document, keyOf(client));
        if (whole.error) throw failureOf(whole.error, keyOf(client));
        // What else it holds is the vendor's word alone.
        return partsOfWhole(whole as Whole);
      },
    };
  });
}

/** One JSON document that a client answered, and what its headers say. */
export type OpenaiDocument = Head & { document: object };

/** Sends a request that is answered with one document; errors are classified, also one that the document tells. */
export async function openaiDocument({ client, ...sending }: OpenaiSending): Promise<OpenaiDocument> {
  const vendor = vendorOf(client);
  const exchange = exchangeOf(sending, vendor);
  try {
    const answer = await exchange.answer();
    const document = objectIn(await documentIn(answer), keyOf(client));
    // Of an answer that failed its error is a part.
    if (document.error && !document.id) throw failureOf(document.error, keyOf(client));
    exchange.isOver = true;
    return { document, ...headOf(answer, vendor) };
  } catch (error) {
    throw exchange.classified(error);
  } finally {
    exchange.end();
  }
}

/** Gateways answer 200 with an error inside. */
type WireDocument = { error?: WireError | null; id?: unknown };

function objectIn(document: unknown, secret: string | undefined): WireDocument {
  if (!isObject(document)) throw failureOf(undefined, secret);
  return document;
}

const vendorOf = (client: object): Vendor => ({
  classify: (error) => classifyOpenaiError(error, keyOf(client)),
  requestIdOf,
});

function requestIdOf(answer: unknown): string | undefined {
  if (isHttpResponse(answer)) return answer.headers.get('x-request-id') ?? undefined;
  const id = isObject(answer) && '_request_id' in answer ? answer._request_id : undefined;
  return typeof id === 'string' ? id : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
