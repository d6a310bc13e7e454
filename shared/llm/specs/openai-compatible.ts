/** The models of an OpenAI-compatible server, which only its operator knows: named by a setting. */
import { createHash } from 'node:crypto';
import { uuidV8 } from '../../core/ids.ts';
import type { ModelSpec } from './spec.ts';

/** One spec per name; the id is a UUID (version 8) derived from the name, so that it is the same in every process. */
export function openaiCompatibleSpecs(names: readonly string[]): ModelSpec[] {
  return names.map((model) => ({
    id: uuidV8(createHash('sha256').update(`openai-compatible/${model}`).digest()),
    name: model,
    provider: 'openai-compatible',
    model,
  }));
}
