/** The routes of `/jobs`, and the shapes of seed 001 on the wire. */
import { createRoute, z } from '@hono/zod-openapi';
import { noBodyNeeded } from '../../shared/http/body.ts';
import { needs } from '../../shared/http/rules.ts';
import { text } from '../../shared/job-types/fields.ts';

const LIMIT = 'must be a whole number from 1 to 100';
const time = z.iso.datetime().openapi({ example: '2025-06-26T15:30:00.000Z' });

/** What a client sends; other fields are ignored. */
export const jobBody = z.object({ prompt: text, provider: text, model: text }).openapi('StreamingJobBody', {
  example: { prompt: 'Write a short story about AI', provider: 'openai', model: 'gpt-4' },
});

const jobView = z
  .object({
    id: z.uuid(),
    prompt: z.string().optional().describe('Absent when it was removed (`store: false`, under `/api/llm`).'),
    provider: z.string(),
    model: z.string().describe('The name that was asked for.'),
    status: z.enum(['pending', 'running', 'completed', 'failed']),
    result: z.string().optional(),
    metrics: z
      .object({
        durationMs: z.int(),
        tokenCount: z.int().optional().describe('Tokens of the answer; absent where the provider told none.'),
      })
      .optional(),
    createdAt: time,
    updatedAt: time,
  })
  .openapi('StreamingJob');

const errorBody = z.object({ error: z.string() }).openapi('StreamingJobError');

const json = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } });
const answer = <T extends z.ZodType>(schema: T, description: string) => ({ ...json(schema), description });
const refused = (description: string) => answer(errorBody, description);
const always = {
  401: refused('Credentials are missing, have expired or are unknown.'),
  403: refused('The credentials do not allow this.'),
  429: refused('Too many requests; `Retry-After` says when to try again.'),
  500: refused('Something broke on our side.'),
};
const storeSilent = { 503: refused('The store gives no answer now; `Retry-After` says when to try again.') };
const notFound = { 404: refused('There is no such job, or it is not yours.') };

const shared = { tags: ['Streaming jobs'] };
const jobParameters = z.object({ id: z.string() });
const header = (description: string) => z.string().optional().describe(description);

export const createJobRoute = createRoute({
  ...shared,
  security: needs('jobs:write'),
  method: 'post',
  path: '/jobs',
  summary: 'Create a job whose tokens can be streamed',
  middleware: noBodyNeeded,
  request: {
    headers: z.object({ 'idempotency-key': z.string().optional() }),
    body: { ...json(jobBody), required: true },
  },
  responses: {
    202: {
      ...answer(jobView, 'The job was accepted, now or before.'),
      headers: z.object({
        Location: header('Where the job is.'),
        'Idempotency-Replayed': header('`true`: the job was there before.'),
      }),
    },
    400: refused('A field is missing or wrong; the sentence names each.'),
    402: refused('Too few tokens, or too little of a budget, are left.'),
    409: refused('Another job was created under this `Idempotency-Key`.'),
    413: refused('The prompt or the body is too large.'),
    415: refused('The body is not JSON.'),
    ...always,
    503: refused('The key of the provider is missing, or the store gives no answer now.'),
  },
});

export const jobRoute = createRoute({
  ...shared,
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/jobs/{id}',
  summary: 'A job as it is now',
  request: { params: jobParameters },
  responses: {
    200: answer(jobView, 'The job.'),
    400: refused('Credentials are in the URL.'),
    ...notFound,
    ...always,
    ...storeSilent,
  },
});

export const listJobsRoute = createRoute({
  ...shared,
  security: needs('jobs:read'),
  method: 'get',
  path: '/jobs',
  summary: 'Your jobs, newest first',
  request: {
    query: z.object({
      limit: z
        .string()
        .regex(/^\d{1,3}$/, { error: LIMIT })
        .transform(Number)
        .refine((value) => value >= 1 && value <= 100, { error: LIMIT })
        .optional()
        .openapi({ type: 'integer', minimum: 1, maximum: 100, default: 20 }),
      cursor: z.string().optional().describe('`nextCursor` of the page before.'),
    }),
  },
  responses: {
    200: answer(
      z
        .object({
          jobs: z.array(jobView),
          nextCursor: z.string().optional().describe('Where the next page begins; absent on the last one.'),
        })
        .openapi('StreamingJobList'),
      'A page of jobs; it may be short, or empty, before the last one.',
    ),
    400: refused('A parameter is wrong; the sentence names it.'),
    ...always,
    ...storeSilent,
  },
});

export const streamJobRoute = createRoute({
  ...shared,
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/jobs/{id}/stream',
  summary: 'The tokens of a job as server-sent events, from the first one on',
  request: {
    params: jobParameters,
    headers: z.object({ 'last-event-id': z.string().optional() }),
    query: z.object({
      access_token: z.string().optional().describe('A `job_token`: an `EventSource` sends no headers.'),
    }),
  },
  responses: {
    200: {
      content: { 'text/event-stream': { schema: z.string() } },
      description:
        '`{ token }` without a name, as they come; `reset` (another attempt begins: drop the tokens so far); at last `metrics` (`durationMs`, `tokenCount`) or `error` (`error`, `code`). Come back with `Last-Event-ID`.',
    },
    204: { description: 'You have seen the end.' },
    ...notFound,
    ...always,
    ...storeSilent,
  },
});
