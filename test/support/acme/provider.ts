/** Acme's API through `fetch`, streamed as lines of JSON. */
import { ServiceError } from '../../../shared/core/errors.ts';
import type { FinishReason, LlmPart, LlmProvider } from '../../../shared/core/llm.ts';
import { codeOfStatus, failure, isConnectionFailure, retryAfterOf } from '../../../shared/llm/providers/failures.ts';
import { limitedFetch } from '../../../shared/llm/providers/limited-fetch.ts';
import type { Transformer } from '../../../shared/llm/transformers/transformer.ts';
import { type AcmeBody, toAcmeBody } from './transformer.ts';

/** What is called of the vendor's SDK: a user of the library, or a test, may give another one. */
export type AcmeClient = { generate(body: AcmeBody, options: { signal: AbortSignal }): Promise<Response> };

export type AcmeOptions = {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
  client?: AcmeClient;
  transform?: Transformer<AcmeBody>;
};

export function acmeProvider({ client, transform = toAcmeBody, ...access }: AcmeOptions): LlmProvider {
  const acme = client ?? acmeClient(access);
  return {
    async *generate(request, { signal }) {
      signal.throwIfAborted();
      const { body, warnings } = transform(request);
      try {
        const response = await acme.generate(body, { signal });
        if (!response.ok) throw await refusalOf(response, access.apiKey);
        yield { type: 'accepted', providerRequestId: response.headers.get('x-request-id') ?? undefined };
        for (const message of warnings) yield { type: 'warning', message };
        for await (const event of eventsOf(response)) yield* partsOf(event);
      } catch (error) {
        // Ours, not what became of the call: the caller must see its own reason.
        signal.throwIfAborted();
        throw classified(error);
      }
    },
  };
}

/** A vendor's SDK stands here: made with `maxRetries: 0`, and with our `fetch` where it takes one. */
function acmeClient({ apiKey = '', baseUrl = 'https://api.acme.example' }: AcmeOptions): AcmeClient {
  const send = limitedFetch(fetch);
  return {
    generate: (body, { signal }) =>
      send(`${baseUrl}/v1/generate`, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal,
      }),
  };
}

/** A line of the answer; what stands on the wire may be anything. */
type AcmeEvent = { text?: string; done?: string; usage?: { in: number; out: number } };

async function* eventsOf(response: Response): AsyncIterable<AcmeEvent> {
  let rest = '';
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as AcmeEvent;
  }
}

const FINISH_REASONS = new Map<string, FinishReason>([
  ['end', 'stop'],
  ['limit', 'length'],
  ['blocked', 'content_filter'],
]);

function* partsOf({ text, done, usage }: AcmeEvent): Iterable<LlmPart> {
  if (text) yield { type: 'text-delta', text };
  if (usage) {
    const { in: inputTokens, out: outputTokens } = usage;
    yield { type: 'usage', usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
  }
  if (done === undefined) return;
  const reason = FINISH_REASONS.get(done);
  // An end that nobody knows is no success.
  if (!reason) throw new ServiceError('provider_error', 'Acme broke off its answer.');
  yield { type: 'finish', reason };
}

/** What Acme says when it refuses a request, in our classes. */
async function refusalOf(response: Response, secret: string | undefined): Promise<ServiceError> {
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  const retryAfterMs = retryAfterOf(response.headers, Date.now());
  return failure(codeOfStatus(response.status), { vendorText: error, secret, retryAfterMs });
}

function classified(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return failure(isConnectionFailure(error) ? 'network' : 'provider_error', { cause: error });
}
