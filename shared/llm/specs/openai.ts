/** OpenAI's models: today's, and those that the seed documents name. */
import { specsOf } from './spec.ts';

export const openaiSpecs = specsOf('openai', [
  ['26ed3a75-6c57-455c-bb19-197013987914', 'GPT-4o mini', 'gpt-4o-mini'],
  ['80674665-bb87-4c44-a939-81c8257c68b9', 'GPT-4o', 'gpt-4o'],
  ['1a97ccb9-2e49-44b1-869c-e82054a05243', 'GPT-4', 'gpt-4'],
  ['aa233b4e-9df5-4cf2-b3b4-4c44cd7586ae', 'GPT-4 Turbo Preview', 'gpt-4-turbo-preview', 'gpt-4o'],
  ['6d0f1f76-8159-4333-8d51-b5d5353d3804', 'GPT-3.5 Turbo', 'gpt-3.5-turbo', 'gpt-4o-mini'],
  ['36c44b7c-bb98-47b8-b0ea-391756fcac01', 'GPT-4.1', 'gpt-4.1'],
  ['1693416c-a7d8-4210-95e9-485b5507eaa3', 'GPT-4.1 mini', 'gpt-4.1-mini'],
  ['f3f85e7b-e0ce-49b0-8cf9-f7cb830376e3', 'o1', 'o1'],
  ['7a4e5a3c-42fc-45d2-a5cf-74fb4c61546c', 'o3', 'o3'],
  ['c9501ed5-ac1d-4320-a3c3-e729f2ef3164', 'o4-mini', 'o4-mini'],
  ['28c551cd-8312-4ac1-8b4e-cd177d1f1c40', 'GPT-5', 'gpt-5'],
  ['f7ecf9ef-da5b-450a-a3fa-8d660a401aa5', 'GPT-5 mini', 'gpt-5-mini'],
  ['0da25374-171d-4912-8b35-81373f6b500b', 'GPT-5 nano', 'gpt-5-nano'],
  ['c0fbea8d-9006-4832-b26f-9d60ebce5bda', 'GPT-5.1', 'gpt-5.1'],
  ['971f66ad-9501-468b-aaa8-cb4d820556a6', 'GPT-5.2', 'gpt-5.2'],
  ['5478963a-8a82-4a74-b9b5-fd6ca1e15216', 'GPT-5.4', 'gpt-5.4'],
  ['7b02a1d8-6253-4c9b-a467-447ca2a64378', 'GPT-5.4 mini', 'gpt-5.4-mini'],
  ['c4518047-0b3c-4b03-96d2-882b88a584a6', 'GPT-5.4 nano', 'gpt-5.4-nano'],
  ['6feff958-c521-4e75-875f-9f1195c0613a', 'GPT-5.5', 'gpt-5.5'],
  ['789d6134-3423-478d-9a37-0835bcec7c6e', 'GPT-6 Sol', 'gpt-6-sol'],
  ['2e0eedb8-a7a1-498a-9407-f90ba9dd5c84', 'GPT-6 Luna', 'gpt-6-luna'],
  ['53101083-b832-42e0-ab40-af61f3e0fc1e', 'GPT-6 Astra', 'gpt-6-astra'],
]);
