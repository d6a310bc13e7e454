/** The models that need no key, no network and no money. */
import { specsOf } from './model-spec.ts';
import { ANYTHING } from './openai-compatible.ts';

/** They take whatever a request can say, file search and background mode included, so that everything can be tried. */
export const simulatedSpecs = specsOf('simulated', [
  [
    ...(['6e1b493d-10ca-4796-8088-6e8ec9e4f974', 'Simulated', 'simulated'] as const),
    { ...ANYTHING, capabilities: { ...ANYTHING.capabilities, supportsFileSearch: true, supportsBackground: true } },
  ],
]);
