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
import type { Background, LlmPart } from '../../core/llm.ts';
import { callIds } from '../transformers/call-ids.ts';
import { type Transformer, transformed } from '../transformers/transformer.ts';
import { openaiDocument, type RequestOptions } from './openai-call.ts';
import { responsesAnswer } from './responses-answer.ts';

/** What of a client is used. */
export type BackgroundClient = {
  responses: {
    create(body: ResponseCreateParamsNonStreaming, options: RequestOptions): PromiseLike<unknown>;
    retrieve(id: string, query: undefined, options: RequestOptions): PromiseLike<unknown>;
    cancel(id: string, options: RequestOptions): PromiseLike<unknown>;
  };
};

/** The longest id that is kept; OpenAI's have 53 characters. */
const ID_CHARACTERS_MOST = 256;

export function responsesBackground(
  client: BackgroundClient,
  transform: Transformer<ResponseCreateParamsStreaming>,
): Background {
  const { responses } = client;

  /** A document about the answer of this id; `undefined`: there is none. */
  async function about(
    send: (options: RequestOptions) => PromiseLike<unknown>,
    signal: AbortSignal,
  ): Promise<WholeResponse | undefined> {
    try {
      const { document } = await openaiDocument({ client, signal, send });
      return document as WholeResponse;
    } catch (error) {
      if (isServiceError(error) && error.provider?.status === 404) return undefined;
      throw error;
    }
  }

  return {
    async start(request, { signal }) {
      const { body } = transformed(transform, request);
      const asked = { ...body, background: true, store: true, stream: false } as const;
      const send = (each: RequestOptions) => responses.create(asked, each);
      const { document, ...head } = await openaiDocument({ client, signal, send });
      const { id } = document as Partial<WholeResponse>;
      if (typeof id === 'string' && id !== '' && id.length <= ID_CHARACTERS_MOST) return { id, ...head };
      throw new ServiceError('provider_error', 'The provider named no answer to look for.');
    },

    async look(id, request, { signal }) {
      const response = await about((each) => responses.retrieve(id, undefined, each), signal);
      if (!response) return { gone: true };
      if (response.status === 'queued' || response.status === 'in_progress') return { pending: true };
      const { warnings } = transformed(transform, request);
      return { parts: partsOf(response, warnings, callIds(request)) };
    },

    async cancel(id, { signal }) {
      const response = await about((each) => responses.cancel(id, each), signal);
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
