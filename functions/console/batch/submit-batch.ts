/** Submits many jobs at once. */
import { createClient, type LlmJobsError } from '../../../shared/client/client.ts';
import { clientOptions, watchedFetch } from '../service.ts';
import type { BatchAnswer } from './batch-text.ts';

/** What became of each job, also where none was accepted. The same `key` makes a repeat the same batch. */
export async function submitBatch(jobs: unknown[], key: string): Promise<BatchAnswer> {
  let last = '';
  const client = createClient({
    ...clientOptions,
    async fetch(input, init) {
      const response = await watchedFetch(input, init);
      last = await response.text();
      return new Response(last, response);
    },
  });
  const headers = { 'Idempotency-Key': key };
  try {
    const body = JSON.stringify({ jobs });
    return await client.request<BatchAnswer>({ method: 'POST', path: '/api/llm/jobs/batch/', body, headers });
  } catch (error) {
    // An error of the client has no place for what is wrong with each job.
    if ((error as LlmJobsError).status === undefined || !last.includes('"items"')) throw error;
    return JSON.parse(last);
  }
}
