/** The models of an OpenAI-compatible server, which only its operator knows: named by a setting. */
import { derivedSpecId, type ModelFamily, specsOf } from './model-spec.ts';

/**
 * What a model is taken to do of which nobody knows anything: whatever can be said in Chat Completions, for a refusal
 * would keep people from what works. It has no file search.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export const ANYTHING: ModelFamily = {
  capabilities: {
    ...{ supportsStreaming: true, supportsVision: true, supportsReasoning: true, supportsVerbosity: true },
    ...{ supportsTools: true, supportsStructuredOutput: true },
  },
  parameters: [
    { name: 'temperature', type: 'float' },
    { name: 'top_p', type: 'float' },
    { name: 'max_tokens', type: 'int' },
    { name: 'reasoning.effort', type: 'enum', allowedValues: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] },
    { name: 'text.verbosity', type: 'enum', allowedValues: ['low', 'medium', 'high'] },
  ],
};

/** One spec per name; the id is derived from the name, so that it is the same in every process. */
export function openaiCompatibleSpecs(names: readonly string[]) {
  const provider = 'openai-compatible';
  return specsOf(
    provider,
    names.map((name) => [derivedSpecId(provider, name), name, name, ANYTHING] as const),
  );
}
