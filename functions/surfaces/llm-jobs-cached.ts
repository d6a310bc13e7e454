/** A job that has the answer to an equal job, in the words of `/api/llm`. Whose that was is not said: it may be another user's. */
import { z } from '@hono/zod-openapi';
import type { Job } from '../../shared/core/job.ts';
import { awaitsAnswer } from '../../shared/core/leading.ts';
import { toTime } from '../../shared/core/utc.ts';

/** What a view says of it. */
export const cachedFields = {
  cached: z
    .literal(true)
    .optional()
    .describe(
      'The job has the answer to an equal one, as its `cache_ttl_seconds` allows: no call was made, `cost` is 0.',
    ),
  answer_created_at: z
    .string()
    .optional()
    .openapi({ format: 'date-time', example: '2025-01-18T10:15:30Z' })
    .describe('With `cached`: when that answer was made.'),
};

export function renderCached({ answerOf }: Job) {
  return answerOf ? { cached: true as const, answer_created_at: toTime(answerOf.completedAt) } : {};
}

/** What is said of a job that waits for another one; `undefined`: it does not. */
export function awaitingMessage(job: Job): string | undefined {
  return awaitsAnswer(job) ? 'Waiting for the answer to an equal job' : undefined;
}
