/**
 * OpenAI's models: today's, and those that the seed documents name. Which model takes which effort and verbosity was
 * measured against the API by others, model by model; where nobody says, a family takes what its nearest one takes.
 *
 * @see https://github.com/enricoros/big-AGI/issues/944 reasoning.effort
 * @see https://github.com/enricoros/big-AGI/issues/1159 reasoning.effort of newer models
 * @see https://github.com/enricoros/big-AGI/issues/947 text.verbosity
 * @see https://developers.openai.com/api/docs/models capabilities
 */
import { DEFAULT_TEMPERATURE, DEFAULT_TOP_P } from '../constants.ts';
import {
  type EnumParameter,
  type ModelCapabilities,
  type ModelFamily,
  type ParameterSpec,
  specsOf,
} from './model-spec.ts';

/** Of all: the Responses API searches files, calls functions and works in the background for each. */
const COMMON = {
  ...{ supportsStreaming: true, supportsFileSearch: true, supportsTools: true, supportsBackground: true },
} satisfies ModelCapabilities;
/** The API refuses a smaller `max_output_tokens`, and one above what the model can say. */
const maxTokens = (maxValue: number): ParameterSpec => ({ name: 'max_tokens', type: 'int', minValue: 16, maxValue });
const SAMPLING: readonly ParameterSpec[] = [
  { name: 'temperature', type: 'float', minValue: 0, maxValue: 2, defaultValue: DEFAULT_TEMPERATURE },
  { name: 'top_p', type: 'float', minValue: 0, maxValue: 1, defaultValue: DEFAULT_TOP_P },
];
/** Older models answer "Supported values are: 'medium'" to any other. */
const ONE_VERBOSITY: EnumParameter = {
  name: 'text.verbosity',
  type: 'enum',
  allowedValues: ['medium'],
  defaultValue: 'medium',
};
const VERBOSITY: ParameterSpec = { ...ONE_VERBOSITY, allowedValues: ['low', 'medium', 'high'] };

function effort(allowedValues: readonly string[], defaultValue?: string): ParameterSpec {
  return { name: 'reasoning.effort', type: 'enum', allowedValues, ...(defaultValue ? { defaultValue } : {}) };
}

/** Text alone; an answer of a schema came with GPT-4o. */
const TEXT: ModelFamily = { capabilities: COMMON, parameters: [...SAMPLING, maxTokens(8_192), ONE_VERBOSITY] };

function chat(outputTokensMost: number): ModelFamily {
  return {
    capabilities: { ...COMMON, supportsVision: true, supportsStructuredOutput: true },
    parameters: [...SAMPLING, maxTokens(outputTokensMost), ONE_VERBOSITY],
  };
}
const GPT_4O = chat(16_384);
const GPT_4_1 = chat(32_768);

/** They reason, and refuse `temperature` and `top_p`. */
const O_SERIES: ModelFamily = {
  capabilities: { ...GPT_4O.capabilities, supportsReasoning: true },
  parameters: [maxTokens(100_000), effort(['low', 'medium', 'high'], 'medium'), ONE_VERBOSITY],
};

function reasoning(efforts: ParameterSpec): ModelFamily {
  return {
    capabilities: { ...O_SERIES.capabilities, supportsVerbosity: true },
    parameters: [maxTokens(128_000), efforts, VERBOSITY],
  };
}
const GPT_5 = reasoning(effort(['minimal', 'low', 'medium', 'high'], 'medium'));
/**
 * From here on `temperature` and `top_p` are taken with effort `none` alone: here they are not, for a spec says nothing of
 * how parameters depend on each other.
 */
const GPT_5_1 = reasoning(effort(['none', 'low', 'medium', 'high'], 'none'));
const GPT_5_2 = reasoning(effort(['none', 'low', 'medium', 'high', 'xhigh'], 'none'));
/** What these take by default is not known for all of them. */
const GPT_5_5 = reasoning(effort(['none', 'low', 'medium', 'high', 'xhigh']));
/** Their own list may be longer. */
const GPT_6 = GPT_5_5;

export const openaiSpecs = specsOf('openai', [
  ['26ed3a75-6c57-455c-bb19-197013987914', 'GPT-4o mini', 'gpt-4o-mini', GPT_4O],
  ['80674665-bb87-4c44-a939-81c8257c68b9', 'GPT-4o', 'gpt-4o', GPT_4O],
  ['1a97ccb9-2e49-44b1-869c-e82054a05243', 'GPT-4', 'gpt-4', TEXT],
  ['aa233b4e-9df5-4cf2-b3b4-4c44cd7586ae', 'GPT-4 Turbo Preview', 'gpt-4-turbo-preview', GPT_4O, 'gpt-4o'],
  ['6d0f1f76-8159-4333-8d51-b5d5353d3804', 'GPT-3.5 Turbo', 'gpt-3.5-turbo', GPT_4O, 'gpt-4o-mini'],
  ['36c44b7c-bb98-47b8-b0ea-391756fcac01', 'GPT-4.1', 'gpt-4.1', GPT_4_1],
  ['1693416c-a7d8-4210-95e9-485b5507eaa3', 'GPT-4.1 mini', 'gpt-4.1-mini', GPT_4_1],
  ['f3f85e7b-e0ce-49b0-8cf9-f7cb830376e3', 'o1', 'o1', O_SERIES],
  ['7a4e5a3c-42fc-45d2-a5cf-74fb4c61546c', 'o3', 'o3', O_SERIES],
  ['c9501ed5-ac1d-4320-a3c3-e729f2ef3164', 'o4-mini', 'o4-mini', O_SERIES],
  ['28c551cd-8312-4ac1-8b4e-cd177d1f1c40', 'GPT-5', 'gpt-5', GPT_5],
  ['f7ecf9ef-da5b-450a-a3fa-8d660a401aa5', 'GPT-5 mini', 'gpt-5-mini', GPT_5],
  ['0da25374-171d-4912-8b35-81373f6b500b', 'GPT-5 nano', 'gpt-5-nano', GPT_5],
  ['c0fbea8d-9006-4832-b26f-9d60ebce5bda', 'GPT-5.1', 'gpt-5.1', GPT_5_1],
  ['971f66ad-9501-468b-aaa8-cb4d820556a6', 'GPT-5.2', 'gpt-5.2', GPT_5_2],
  ['5478963a-8a82-4a74-b9b5-fd6ca1e15216', 'GPT-5.4', 'gpt-5.4', GPT_5_2],
  ['7b02a1d8-6253-4c9b-a467-447ca2a64378', 'GPT-5.4 mini', 'gpt-5.4-mini', GPT_5_2],
  ['c4518047-0b3c-4b03-96d2-882b88a584a6', 'GPT-5.4 nano', 'gpt-5.4-nano', GPT_5_2],
  ['6feff958-c521-4e75-875f-9f1195c0613a', 'GPT-5.5', 'gpt-5.5', GPT_5_5],
  ['789d6134-3423-478d-9a37-0835bcec7c6e', 'GPT-6 Sol', 'gpt-6-sol', GPT_6],
  ['2e0eedb8-a7a1-498a-9407-f90ba9dd5c84', 'GPT-6 Luna', 'gpt-6-luna', GPT_6],
  ['53101083-b832-42e0-ab40-af61f3e0fc1e', 'GPT-6 Astra', 'gpt-6-astra', GPT_6],
]);
