/** Where more of a job is found, and what can be done with it, in the words of `/api/llm`. */
import { z } from '@hono/zod-openapi';
import type { Job } from '../../shared/core/job.ts';
import { isRedrivable } from '../../shared/core/redrivable.ts';

export const urls = z.object({
  ...{ status: z.string(), result: z.string(), stream: z.string(), cancel: z.string() },
  retry: z.string().optional().describe('Of a job that can be retried: it failed or was cancelled.'),
  deliveries: z.string().optional().describe('Of a job with a `webhook`: what that was told.'),
});

/** The paths at which a job is read, ended, and made anew. */
export function renderUrls(job: Job) {
  const path = `/api/llm/jobs/${job.id}`;
  return {
    status: `${path}/status/`,
    result: `${path}/result/`,
    stream: `${path}/stream/`,
    cancel: `${path}/cancel/`,
    retry: isRedrivable(job) ? `${path}/retry/` : undefined,
    deliveries: job.webhook ? `${path}/deliveries/` : undefined,
  };
}
