/** Google's Gemini models: today's, and retired ones that the seed documents name. */
import { specsOf } from './spec.ts';

export const geminiSpecs = specsOf('gemini', [
  ['944c47a6-e0f9-41f1-9eb7-f8db15569a38', 'Gemini 2.5 Pro', 'gemini-2.5-pro'],
  ['fd6f9a17-c075-4436-9aa1-0bcc91146369', 'Gemini 2.5 Flash', 'gemini-2.5-flash'],
  ['7318bbe9-7acb-4cdd-92d1-cca0e91851c0', 'Gemini 2.5 Flash-Lite', 'gemini-2.5-flash-lite'],
  ['b1858be5-2988-4cd3-91f8-630830bce58f', 'Gemini 3.5 Flash', 'gemini-3.5-flash'],
  ['933eb479-95e4-428c-aced-726c5e140fd8', 'Gemini 3.5 Flash-Lite', 'gemini-3.5-flash-lite'],
  ['9c0b20af-45bf-43d5-951f-2348bdae687d', 'Gemini 3.8 Flash', 'gemini-3.8-flash'],
  ['acc57ad1-b727-4830-b211-35fefee36632', 'Gemini 3.1 Pro Preview', 'gemini-3.1-pro-preview'],
  ['80799fff-6f09-4691-adc0-c841de82bf24', 'Gemini Pro', 'gemini-pro', 'gemini-2.5-pro'],
  ['9e155033-2c13-4fe7-b226-aa750639daeb', 'Gemini 1.5 Pro', 'gemini-1.5-pro', 'gemini-2.5-pro'],
  ['7aa60f45-e43d-4a76-a7cd-23b51ad95730', 'Gemini 1.5 Flash', 'gemini-1.5-flash', 'gemini-2.5-flash'],
  ['027e4eca-53db-4e16-8653-9aa123d60aa3', 'Gemini 2.0 Flash', 'gemini-2.0-flash', 'gemini-2.5-flash'],
]);
