/** The console's batches: what a text holds, what of it remains, and which batches some jobs are of. */
import { expect, test } from 'vitest';
import { type BatchItem, batchesOf, leftOf, submissionsIn } from '../../functions/console/batch/batch-text.ts';

const PROMPTS = 'One.\n\n  Two: [2]\nThree.\n';
const accepted = (index: number): BatchItem => ({ index, success: true, job_id: `${index}` });
const refused = (index: number): BatchItem => ({
  index,
  success: false,
  error: `no ${index}`,
  code: 'invalid_request',
});

test('a prompt a line is a job each', () => {
  const jobs = submissionsIn(PROMPTS, 'simulated');
  expect(jobs).toHaveLength(3);
  expect(jobs[1]).toEqual({
    ...{ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: '  Two: [2]' } },
  });
  expect(submissionsIn('', 'simulated')).toEqual([]);
});

test('a JSON array is taken as it is; what begins like one must be one', () => {
  expect(submissionsIn(' [{"a": 1}, 2]', 'simulated')).toEqual([{ a: 1 }, 2]);
  expect(() => submissionsIn('[1', 'simulated')).toThrow(/^is not JSON: /);
});

test('what was refused remains, in its order, with what is wrong', () => {
  expect(leftOf(PROMPTS, [refused(0), accepted(1), refused(2)])).toEqual({
    ...{ text: 'One.\nThree.', wrong: ['Line 1: no 0', 'Line 2: no 2'] },
  });
  const { text, wrong } = leftOf('[{"a": 1}, 2]', [accepted(0), refused(1)]);
  expect([JSON.parse(text), wrong]).toEqual([[2], ['Job 1: no 1']]);
});

test('the batches of some jobs, the newest first', () => {
  const job = (batch_id: string | undefined, is_complete: boolean) => {
    return { ...(batch_id && { batch_id }), is_complete, created_at: `of ${batch_id}` };
  };
  expect(batchesOf([job('b', false), job(undefined, true), job('a', true), job('b', true)])).toEqual([
    { id: 'b', created_at: 'of b', jobs: 2, over: 1 },
    { id: 'a', created_at: 'of a', jobs: 1, over: 1 },
  ]);
});
