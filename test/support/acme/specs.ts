/**
 * Acme's models.
 *
 * @see https://docs.acme.example/models
 */
import { DEFAULT_TEMPERATURE } from '../../../shared/llm/constants.ts';
import { type ModelFamily, specsOf } from '../../../shared/llm/specs/model-spec.ts';

const LARGE: ModelFamily = {
  capabilities: { supportsStreaming: true },
  parameters: [
    { name: 'temperature', type: 'float', minValue: 0, maxValue: 1, defaultValue: DEFAULT_TEMPERATURE },
    { name: 'max_tokens', type: 'int', minValue: 1, maxValue: 8192 },
  ],
};

export const acmeSpecs = specsOf('acme', [
  ['f4d0b1f6-4d54-4f0e-9a2b-0d5b8c6a1e77', 'Acme Large', 'acme-large', LARGE],
  ['0c1e7d52-6c1c-4a57-8a53-5c1f0f5b9b1d', 'Acme One', 'acme-1', LARGE, 'acme-large'],
]);
