/** A body of one contract sent to another: who says what, and who says nothing. */
import { describe, expect, test } from 'vitest';
import { otherContract } from '../../functions/surfaces/other-contracts.ts';
import { SURFACE_NAMES } from '../../shared/config-surfaces.ts';

/** The bodies of the documents. */
const BODIES = {
  'llm-jobs': { job_type: 'general_llm_request', model_id: 'gpt-4', input_data: { prompt: 'Hello.' } },
  'streaming-jobs': { prompt: 'Write a short story about AI', provider: 'openai', model: 'gpt-4' },
  'structured-extraction': { text: 'I loved the clinic.' },
  'prompt-generation': { manual_prompt: 'Your manual prompt text here...' },
};
const SENTENCES = {
  'llm-jobs': 'a body with `job_type`, `input_data` and `model_id` belongs to POST /api/llm/jobs/submit/',
  'streaming-jobs': 'a body with `prompt`, `provider` and `model` belongs to POST /jobs',
  'structured-extraction': 'a body with `text` belongs to POST /llm/submit',
  'prompt-generation': 'a body with `manual_prompt` belongs to POST /api/v1/web-knowledge/generate-prompt-async/',
};

describe.each(SURFACE_NAMES)('sent to %s', (own) => {
  test.each(SURFACE_NAMES)('a body of %s', (sent) => {
    expect(otherContract(BODIES[sent], own)).toBe(sent === own ? undefined : SENTENCES[sent]);
  });

  test.each([[null], ['text'], [['text']], [5], [{}], [{ words: 1 }], [undefined]])('%j is of no contract', (body) => {
    expect(otherContract(body, own)).toBeUndefined();
  });

  test('a body with a field of its own is its own, whatever else is there', () => {
    const everything = Object.assign({}, ...Object.values(BODIES));
    expect(otherContract(everything, own)).toBeUndefined();
  });
});

test.each([
  [{ model_id: 'gpt-4' }, 'a body with `model_id` belongs to POST /api/llm/jobs/submit/'],
  [{ job_type: 'a', input_data: {} }, 'a body with `job_type` and `input_data` belongs to POST /api/llm/jobs/submit/'],
  [{ provider: 'openai', model: 'gpt-4' }, undefined],
])('%j says %s', (body, sentence) => {
  expect(otherContract(body, 'structured-extraction')).toBe(sentence);
});
