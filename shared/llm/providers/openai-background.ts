/**
 * The background mode of OpenAI's Responses API: an answer that OpenAI works on whether anybody is connected or not. It
 * has to be stored there until it was looked for.
 *
 * @see https://platform.openai.com/docs/guides/background
 */
import type {
  ResponseCreateParamsNonStreaming,
  ResponseCreateParamsStreaming,
  Response as WholeResponse,
} from 'openai/resources/responses/responses';
import { isServiceError, ServiceError } from '../../core/errors.ts';
import type { Background, CallOptions, LlmPart } from '../../core/llm.ts';
import { callIds } from '../transformers/call-ids.ts';
import { type Transformer, transformed } from '../transformers/transformer.ts';
import { openaiDocument } from './openai-call.ts';
import { responsesAnswer } from './responses-answer.ts';
import type { RequestOptions } from './sdk-call.ts';

/** What of a client is used. */
export type BackgroundClient = {
  responses: {
    create(body: ResponseCreateParamsNonStreaming, options: RequestOptions): PromiseLike<unknown>;
    retrieve(id: string, query: undefined, options: RequestOptions): PromiseLike<unknown>;
    cancel(id: string, options: RequestOptions): PromiseLike<unknown>;
  };
};

/** Ids that can be kept, and stand in an address; OpenAI's have 53 characters. */
const ID_PATTERN = /^[A-Za-z0-9][\w.:~-]{0,255}$/;

/** How an answer is over. Any other word means that it is not: to ask anew would be paid twice. */
const ENDS: readonly unknown[] = ['completed', 'incomplete', 'failed', 'cancelled'];

export function responsesBackground(
  client: BackgroundClient,
  transform: Transformer<ResponseCreateParamsStreaming>,
): Background {
  const { responses } = client;

  /** A document about the answer of this id; `undefined`: there is none. */
  async function about(
    send: (options: RequestOptions) => PromiseLike<unknown>,
    { signal, traceparent }: CallOptions,
  ): Promise<WholeResponse | undefined> {
    try {
      const { document } = await openaiDocument({ client, signal, traceparent, send });
      return document as WholeResponse;
    } catch (error) {
      if (isServiceError(error) && error.provider?.status === 404) return undefined;
      throw error;
    }
  }

  return {
    async start(request, { signal, traceparent }) {
      const { body, warnings } = transformed(transform, request);
      const asked = { ...body, background: true, store: true, stream: false } as const;
      const send = (each: RequestOptions) => responses.create(asked, each);
      const { document, ...head } = await openaiDocument({ client, signal, traceparent, send });
      const response = document as WholeResponse;
      // Servers exist that know no background, and answer when they are done.
      if (ENDS.includes(response.status)) return { parts: partsOf(response, warnings, callIds(request)), ...head };
      const id: unknown = response.id;
      if (typeof id === 'string' && ID_PATTERN.test(id)) return { id, ...head };
      throw new ServiceError('provider_error', 'The provider named no answer to look for.');
    },

    async look(id, request, options) {
      const response = await about((each) => responses.retrieve(id, undefined, each), options);
      if (!response) return { gone: true };
      if (response.status && !ENDS.includes(response.status)) return { pending: true };
      const { warnings } = transformed(transform, request);
      return { parts: partsOf(response, warnings, callIds(request)) };
    },

    async cancel(id, options) {
      const response = await about((each) => responses.cancel(id, each), options);
      if (!response) return {};
      for (const part of untilFailure(responsesAnswer(() => '').partsOfWhole(response))) {
        if (part.type === 'usage') return { usage: part.usage };
      }
      return {};
    },
  };
}

async function* partsOf(
  response: WholeResponse,
  warnings: readonly string[],
  nextId: () => string,
): AsyncIterable<LlmPart> {
  for (const message of warnings) yield { type: 'warning', message };
  yield* responsesAnswer(nextId).partsOfWhole(response);
}

/** What an answer holds up to what it failed with: one that was cancelled did. */
function* untilFailure(parts: Iterable<LlmPart>): Iterable<LlmPart> {
  try {
    yield* parts;
  } catch (error) {
    if (!isServiceError(error)) throw error;
  }
}
