/** The routes about what goes out of a job, and their shapes on the wire. */
import { createRoute, z } from '@hono/zod-openapi';
import { noBodyNeeded } from '../../shared/http/body.ts';
import { needs } from '../../shared/http/rules.ts';
import { EVENT_TYPES } from '../../shared/job-types/webhook-field.ts';
import { always, answer, errors, json } from './llm-jobs-routes.ts';
import * as schemas from './llm-jobs-schemas.ts';

const { jobId, success, time } = schemas;
const eventType = z.enum(EVENT_TYPES);

const event = {
  event_id: z.string().openapi({ example: 'evt_6c1f6f0e-3a53-8b0e-9c39-8f3e2d0d5a11' }).describe('Its `webhook-id`.'),
  type: eventType,
  version: z.int().describe('Of the job, as of then: the higher one is the newer.'),
  happened_at: time,
};

const deliveryLog = z
  .object({
    ...{ success, job_id: jobId },
    webhook: z
      .object({ url: z.string(), events: z.array(eventType), include: z.literal('job').optional() })
      .optional()
      .describe('Absent: the job has none.'),
    pending: z.array(z.object(event)).describe('What it has to be told still, in that order.'),
    next_try_at: time.optional().describe('While something is pending and nobody is at it: not before then.'),
    tries: z.int().optional().describe('How often that was tried since the newest of it came; ten times at most.'),
    given_up: z.literal(true).optional().describe('The newest try failed, and there will be no other.'),
    deliveries: z
      .array(
        z.object({
          ...event,
          tried_at: time,
          duration_ms: z.number(),
          outcome: z.enum(['delivered', 'failed']),
          status: z.int().optional().describe('Of HTTP, where it answered.'),
          reason: z
            .enum(['refused', 'status', 'redirect', 'gone', 'timeout', 'network'])
            .optional()
            .describe(
              'Why it failed. `refused`: it may not be called; `gone`: it answered 410, and is told no more of this job.',
            ),
          message: z.string().optional().describe('The same in a sentence.'),
        }),
      )
      .describe('The last 50 tries, the newest first.'),
  })
  .openapi('Deliveries');

const secretList = z
  .object({ success, secrets: z.array(z.string().openapi({ example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' })) })
  .openapi('WebhookSecrets');

export const deliveriesRoute = createRoute({
  tags: ['Webhooks'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/jobs/{job_id}/deliveries',
  summary: "What a job's webhook was told, and what it has to be told still",
  request: { params: schemas.jobParameters },
  responses: { 200: answer(deliveryLog, 'Every try that is kept.'), 404: errors[404], ...always },
});

export const redeliverRoute = createRoute({
  tags: ['Webhooks'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/api/llm/jobs/{job_id}/redeliver',
  summary: 'Send the newest event of a job again, with the id that it had',
  middleware: noBodyNeeded,
  request: { params: schemas.jobParameters, body: json(schemas.noFields) },
  responses: {
    202: answer(deliveryLog, 'It is sent again at once, and on the schedule if that fails.'),
    400: errors[400],
    404: errors[404],
    409: answer(schemas.errorBody, 'It has no webhook, or none of the events that that wants has happened.'),
    413: errors[413],
    415: errors[415],
    ...always,
  },
});

export const secretsRoute = createRoute({
  tags: ['Webhooks'],
  security: needs('admin'),
  method: 'get',
  path: '/api/llm/webhooks/secrets',
  summary: 'What verifies the signatures of the webhooks of your organisation',
  responses: {
    200: answer(secretList, 'One, or two while one is being replaced; a webhook is signed with all of them.'),
    409: answer(schemas.errorBody, 'There are no webhooks here (`WEBHOOK_SECRETS`).'),
    ...always,
  },
});
