import { ServiceError } from '../../../shared/core/errors.ts';
import { type LlmProvider, textOf } from '../../../shared/core/llm.ts';
import { registerProvider, registerSpecs, registerTransformer } from '../../../shared/llm/provider-registry.ts';
import { codeOfStatus, failure } from '../../../shared/llm/providers/failures.ts';
import type { Transformer } from '../../../shared/llm/transformers/transformer.ts';

type AcmeBody = { model: string; prompt: string; temperature?: number | undefined };
type AcmeAnswer = { text: string; in: number; out: number };
type Access = { baseUrl: string; apiKey: string };

const toAcmeBody: Transformer<AcmeBody> = ({ model, messages, temperature }) => ({
  body: { model, prompt: messages.map(textOf).join('\n\n'), temperature },
  warnings: [],
});

function acmeProvider({ baseUrl, apiKey }: Access, transform: Transformer<AcmeBody> = toAcmeBody): LlmProvider {
  return {
    async *generate(request, { signal }) {
      const { body, warnings } = transform(request);
      try {
        const response = await fetch(`${baseUrl}/v1/ask`, {
          method: 'POST',
          headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
          signal,
        });
        if (!response.ok) throw failure(codeOfStatus(response.status));
        yield { type: 'accepted' };
        for (const message of warnings) yield { type: 'warning', message };
        const { text, in: inputTokens, out: outputTokens } = (await response.json()) as AcmeAnswer;
        yield { type: 'text-delta', text };
        yield { type: 'usage', usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
        yield { type: 'finish', reason: 'stop' };
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof ServiceError ? error : failure('network', { cause: error });
      }
    },
  };
}

/** Adds Acme to this process; the answer takes it back. */
export function addAcme(access: Access): () => void {
  const added = [
    registerProvider('acme', {
      secret: () => access.apiKey,
      load: async (_settings, { transform }) => acmeProvider(access, transform),
    }),
    registerSpecs([
      {
        modelName: 'acme-large',
        provider: 'acme',
        capabilities: { supportsStreaming: true },
        parameters: [{ name: 'temperature', type: 'float', minValue: 0, maxValue: 1 }],
      },
    ]),
  ];
  return () => {
    for (const takeBack of added) takeBack();
  };
}

/** Has every prompt begin with these words: what Acme is sent comes from here, not from `toAcmeBody`. */
export function addAcmePreamble(words: string): () => void {
  const transform: Transformer<AcmeBody> = (request) => {
    const { body, warnings } = toAcmeBody(request);
    return { body: { ...body, prompt: `${words}\n\n${body.prompt}` }, warnings };
  };
  return registerTransformer('acme', transform);
}
