/**
 * Google's Gemini models: today's, and retired ones that the seed documents name. Efforts are OpenAI's words; Google says
 * which budget or level of thinking each means.
 *
 * @see https://ai.google.dev/gemini-api/docs/thinking
 * @see https://ai.google.dev/gemini-api/docs/openai#thinking
 * @see https://ai.google.dev/api/generate-content#GenerationConfig
 */
import { DEFAULT_TEMPERATURE, DEFAULT_TOP_P } from '../constants.ts';
import { type ModelFamily, specsOf } from './model-spec.ts';

function thinking(allowedValues: readonly string[]): ModelFamily {
  return {
    capabilities: {
      ...{ supportsStreaming: true, supportsVision: true, supportsReasoning: true },
      ...{ supportsTools: true, supportsStructuredOutput: true },
    },
    parameters: [
      { name: 'temperature', type: 'float', minValue: 0, maxValue: 2, defaultValue: DEFAULT_TEMPERATURE },
      { name: 'top_p', type: 'float', minValue: 0, maxValue: 1, defaultValue: DEFAULT_TOP_P },
      { name: 'max_tokens', type: 'int', minValue: 1, maxValue: 65_536 },
      { name: 'reasoning.effort', type: 'enum', allowedValues },
    ],
  };
}

/** Its thinking cannot be turned off. */
export const PRO_2_5 = thinking(['minimal', 'low', 'medium', 'high']);
export const FLASH_2_5 = thinking(['none', 'minimal', 'low', 'medium', 'high']);
/** No thinking of the third generation can be turned off. */
export const FLASH_3 = thinking(['minimal', 'low', 'medium', 'high']);
/** Google names `minimal` as the one level that it does not have. */
export const PRO_3_1 = thinking(['low', 'medium', 'high']);

export const geminiSpecs = specsOf('gemini', [
  ['944c47a6-e0f9-41f1-9eb7-f8db15569a38', 'Gemini 2.5 Pro', 'gemini-2.5-pro', PRO_2_5],
  ['fd6f9a17-c075-4436-9aa1-0bcc91146369', 'Gemini 2.5 Flash', 'gemini-2.5-flash', FLASH_2_5],
  ['7318bbe9-7acb-4cdd-92d1-cca0e91851c0', 'Gemini 2.5 Flash-Lite', 'gemini-2.5-flash-lite', FLASH_2_5],
  ['b1858be5-2988-4cd3-91f8-630830bce58f', 'Gemini 3.5 Flash', 'gemini-3.5-flash', FLASH_3],
  ['933eb479-95e4-428c-aced-726c5e140fd8', 'Gemini 3.5 Flash-Lite', 'gemini-3.5-flash-lite', FLASH_3],
  ['9c0b20af-45bf-43d5-951f-2348bdae687d', 'Gemini 3.8 Flash', 'gemini-3.8-flash', FLASH_3],
  ['acc57ad1-b727-4830-b211-35fefee36632', 'Gemini 3.1 Pro Preview', 'gemini-3.1-pro-preview', PRO_3_1],
  ['80799fff-6f09-4691-adc0-c841de82bf24', 'Gemini Pro', 'gemini-pro', PRO_2_5, 'gemini-2.5-pro'],
  ['9e155033-2c13-4fe7-b226-aa750639daeb', 'Gemini 1.5 Pro', 'gemini-1.5-pro', PRO_2_5, 'gemini-2.5-pro'],
  ['7aa60f45-e43d-4a76-a7cd-23b51ad95730', 'Gemini 1.5 Flash', 'gemini-1.5-flash', FLASH_2_5, 'gemini-2.5-flash'],
  ['027e4eca-53db-4e16-8653-9aa123d60aa3', 'Gemini 2.0 Flash', 'gemini-2.0-flash', FLASH_2_5, 'gemini-2.5-flash'],
]);
