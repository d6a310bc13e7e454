/** What a job was submitted as, by what the service still has of it. */
import { jobs } from '../service.ts';
import { type JobInput, notShownOf, submissionOf } from './submission-of.ts';

export async function loadSubmission(jobId: string, signal: AbortSignal) {
  const path = `/api/llm/jobs/${jobId}/input/`;
  const [view, input] = await Promise.all([
    jobs.get(jobId, { signal }),
    jobs.request<JobInput>({ path, jobId }, { signal }),
  ]);
  return { submission: submissionOf(view, input), notShown: notShownOf(view) };
}
