/** The models that need no key, no network and no money. */
import type { ModelSpec } from './spec.ts';

export const simulatedSpecs: readonly ModelSpec[] = [
  { id: '6e1b493d-10ca-4796-8088-6e8ec9e4f974', name: 'Simulated', provider: 'simulated', model: 'simulated' },
];
