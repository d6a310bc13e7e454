/** Google's Gemini models on Vertex AI, under the names that its Chat Completions use. */
import { FLASH_2_5, FLASH_3, PRO_2_5, PRO_3_1 } from './gemini.ts';
import { specsOf } from './model-spec.ts';

export const vertexSpecs = specsOf('vertex', [
  ['ddf861af-c94d-413f-9c30-d1b5bc6f4bb2', 'Gemini 2.5 Pro (Vertex AI)', 'google/gemini-2.5-pro', PRO_2_5],
  ['03b7bfa6-ab47-4cca-813a-a31cfff41be8', 'Gemini 2.5 Flash (Vertex AI)', 'google/gemini-2.5-flash', FLASH_2_5],
  [
    'af6788e6-65b4-466f-9f58-ecbfedabbc05',
    'Gemini 2.5 Flash-Lite (Vertex AI)',
    'google/gemini-2.5-flash-lite',
    FLASH_2_5,
  ],
  ['7071c1d1-0a6e-4735-86d8-4a955297e724', 'Gemini 3.5 Flash (Vertex AI)', 'google/gemini-3.5-flash', FLASH_3],
  [
    '170a7e8f-2d43-4e7b-a3d7-7628411768ab',
    'Gemini 3.5 Flash-Lite (Vertex AI)',
    'google/gemini-3.5-flash-lite',
    FLASH_3,
  ],
  [
    '7bd39f6a-9502-43bf-b7b6-66ffba830d6f',
    'Gemini 3.1 Pro Preview (Vertex AI)',
    'google/gemini-3.1-pro-preview',
    PRO_3_1,
  ],
]);
