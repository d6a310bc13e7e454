/** The models that need no key, no network and no money. */
import { type ModelFamily, specsOf } from './model-spec.ts';
import { ANYTHING } from './openai-compatible.ts';

/** They take whatever a request can say, file search and background mode included, so that everything can be tried. */
const EVERYTHING: ModelFamily = {
  ...ANYTHING,
  capabilities: { ...ANYTHING.capabilities, supportsFileSearch: true, supportsBackground: true },
};

/** Two, so that one can stand in for the other, and be compared with it. */
export const simulatedSpecs = specsOf('simulated', [
  ['6e1b493d-10ca-4796-8088-6e8ec9e4f974', 'Simulated', 'simulated', EVERYTHING],
  ['c1c3a2c6-3a34-4c5c-9a0e-2f7d6b1f5e08', 'Simulated 2', 'simulated-2', EVERYTHING],
]);
