/** The events that are sent to webhooks and published to the topic, as `/openapi.json` describes them. */
import { z } from '@hono/zod-openapi';
import type { HttpApp } from '../../shared/http/app.ts';
import { EVENT_TYPES } from '../../shared/job-types/webhook-field.ts';
import { jobId, jobView, status, time } from './llm-jobs-schemas.ts';

const SUMMARIES: { [type in (typeof EVENT_TYPES)[number]]: string } = {
  'job.started': 'A worker has taken a job',
  'job.completed': 'A job has its result',
  'job.failed': 'A job has failed, for good',
  'job.cancelled': 'A job was cancelled',
};

/** The body of an event: whoever gets one knows which job is meant, and asks for what they may see. */
export const eventBody = z
  .object({
    type: z.enum(EVENT_TYPES),
    timestamp: time.describe('When it happened.'),
    data: z.object({
      ...{ job_id: jobId, job_type: z.string(), status, is_complete: z.boolean() },
      user_id: z.string().describe('Whose job it is: others in your organisation can name your URL, too.'),
      version: z.int().describe('Of the job, as of then. An event with a lower one than you have seen is an old one.'),
      error_code: z.string().optional().describe('Of `job.failed`.'),
      ...{ question_id: z.string().optional(), project_id: z.string().optional(), batch_id: z.string().optional() },
      tags: z.array(z.string()).optional(),
      metadata: z.record(z.string(), z.string()).optional(),
      job: jobView
        .optional()
        .describe('Of an end, with `include: "job"`: the job as its status shows it, unless the body had over 20 kB.'),
    }),
  })
  .openapi('JobEvent');

const headers = z.object({
  'webhook-id': z.string().describe('The same however often the event is sent: drop what you have seen.'),
  'webhook-timestamp': z.string().describe('When this was sent, in seconds since 1970; refuse what is old.'),
  'webhook-signature': z.string().describe('`v1,` and the signature, one for each secret, separated by blanks.'),
});

/** Adds the `webhooks` of the description. */
export function describeEvents(app: HttpApp): void {
  for (const [type, summary] of Object.entries(SUMMARIES)) {
    app.openAPIRegistry.registerWebhook({
      ...{ method: 'post', path: type, tags: ['Webhooks'], summary },
      description:
        'Signed as Standard Webhooks has it. What is not answered with 2xx within 15 seconds is sent again, up to ten times.',
      request: { headers, body: { required: true, content: { 'application/json': { schema: eventBody } } } },
      responses: {
        '2XX': { description: 'It was taken in.' },
        410: { description: 'This job is none of my business any more: nothing else of it is sent.' },
      },
    });
  }
}
