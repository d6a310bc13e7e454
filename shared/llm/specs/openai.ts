/** OpenAI's models. An id never changes and is never given to another model: users store it. */
import type { ModelSpec } from './spec.ts';

export const openaiSpecs: readonly ModelSpec[] = [
  { id: '1a97ccb9-2e49-44b1-869c-e82054a05243', name: 'GPT-4', provider: 'openai', model: 'gpt-4' },
  { id: '80674665-bb87-4c44-a939-81c8257c68b9', name: 'GPT-4o', provider: 'openai', model: 'gpt-4o' },
  { id: '26ed3a75-6c57-455c-bb19-197013987914', name: 'GPT-4o mini', provider: 'openai', model: 'gpt-4o-mini' },
];
