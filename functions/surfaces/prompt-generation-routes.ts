/** The routes of prompt generation: what each takes and answers, as `/openapi.json` describes it. */
import { createRoute, z } from '@hono/zod-openapi';
import { noBodyNeeded } from '../../shared/http/body.ts';
import { needs } from '../../shared/http/rules.ts';
import { ROOT } from './prompt-generation-view.ts';

const tags = ['Prompt generation'];
const time = z.string().openapi({ format: 'date-time', example: '2025-01-10T12:00:00Z' });
const taskId = z.string().openapi({ example: '5f0c2a9e-0d0b-4f57-9a68-0f3f6d1c8f11' });
const success = z.literal(true);
const noSuccess = z.literal(false);
const words = { message: z.string(), error: z.string() };

const statusView = z
  .object({
    status: z.enum(['queued', 'processing', 'completed', 'failed']),
    progress: z.int().describe('0 queued; 10, 30, 50, 70, 90 while processing; 100 at the end.'),
    message: z.string(),
    prompt: z.string().optional(),
    generated_by_ai: z
      .boolean()
      .optional()
      .describe('`false`: the AI could not be asked; the prompt is a fixed instruction and the manual prompt.'),
    error: z.string().optional(),
    created_at: time,
    completed_at: time.optional(),
  })
  .openapi('PromptGenerationStatus');

const errorBody = z
  .object({
    ...{ success: noSuccess, ...words },
    status: z.literal('failed').optional().describe('With `progress`: another poll would get the same answer. Stop.'),
    progress: z.literal(100).optional(),
  })
  .openapi('PromptGenerationError');

const answer = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { 'application/json': { schema } },
  description,
});
const errors = {
  400: answer(errorBody, '`manual_prompt is required`, or something else is wrong with the request.'),
  401: answer(errorBody, 'Credentials are missing, have expired or are unknown.'),
  403: answer(errorBody, 'The subscription is not active, or the credentials do not allow this.'),
  404: answer(errorBody, '`Task not found`: there is no such task, it is not yours, or it ended 10 minutes ago.'),
  409: answer(errorBody, 'Another prompt was submitted under this `Idempotency-Key`.'),
  413: answer(errorBody, 'The prompt is too large.'),
  415: answer(errorBody, 'The body is not JSON.'),
  429: answer(errorBody, 'Too many requests; `Retry-After` says when to try again.'),
  500: answer(errorBody, 'Something broke on our side.'),
  503: answer(errorBody, 'The model or the store cannot be used now; `Retry-After` says when to try again.'),
};
const always = {
  ...{ 400: errors[400], 401: errors[401], 403: errors[403], 429: errors[429] },
  ...{ 500: errors[500], 503: errors[503] },
};
const ofSubmits = { ...always, 409: errors[409], 413: errors[413], 415: errors[415] };

const request = {
  headers: z.object({
    'Idempotency-Key': z.string().optional().describe('A repeat with the same key is answered with the first task.'),
  }),
  body: {
    content: {
      'application/json': {
        schema: z.looseObject({ manual_prompt: z.string().refine((prompt) => prompt.trim() !== '') }),
      },
    },
    required: true,
  },
};
const params = z.object({ task_id: taskId });

export const startRoute = createRoute({
  ...{ tags, security: needs('jobs:write'), method: 'post', path: `${ROOT}/generate-prompt-async`, request },
  summary: 'Start the generation of a prompt',
  middleware: noBodyNeeded,
  responses: {
    202: answer(
      z
        .object({ success, task_id: taskId, status: z.string(), message: z.string(), status_url: z.string() })
        .openapi('PromptGenerationStarted'),
      'The task; poll `status_url`.',
    ),
    ...ofSubmits,
  },
});

export const generateRoute = createRoute({
  ...{ tags, security: needs('jobs:write'), method: 'post', path: `${ROOT}/generate-prompt`, request },
  summary: 'Generate a prompt, and wait for it',
  middleware: noBodyNeeded,
  responses: {
    200: answer(
      z.object({
        ...{ success, status: z.literal('completed') },
        ...{ prompt: z.string(), generated_by_ai: z.boolean(), message: z.string() },
      }),
      'The prompt.',
    ),
    402: answer(
      z.object({ success: noSuccess, status: z.literal('failed').optional(), ...words }),
      'Too few tokens are left.',
    ),
    502: answer(z.object({ success: noSuccess, status: z.literal('failed'), ...words }), 'There is no prompt.'),
    504: answer(
      z.object({
        ...{ success: noSuccess, status: z.literal('processing'), task_id: taskId, ...words },
        status_url: z.string(),
      }),
      'Not over within 55 s; the task goes on, and can be polled.',
    ),
    ...ofSubmits,
  },
});

export const statusRoute = createRoute({
  ...{
    tags,
    security: needs('jobs:read', { orJobToken: true }),
    method: 'get',
    path: `${ROOT}/generate-prompt-async/status/{task_id}`,
  },
  summary: 'Check the status of a generation',
  request: { params },
  responses: { 200: answer(statusView, 'The task as it is now.'), 404: errors[404], ...always },
});

export const cancelRoute = createRoute({
  ...{
    tags,
    security: needs('jobs:write', { orJobToken: true }),
    method: 'post',
    path: `${ROOT}/generate-prompt-async/cancel/{task_id}`,
  },
  summary: 'Cancel a generation',
  middleware: noBodyNeeded,
  request: { params },
  responses: {
    200: answer(
      z.object({ success, task_id: taskId, ...statusView.shape }),
      'The task: cancelled, or about to be; one that was over is unchanged.',
    ),
    ...{ 404: errors[404], 413: errors[413], 415: errors[415] },
    ...always,
  },
});
