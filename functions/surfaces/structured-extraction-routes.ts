/** The routes of seed 002: what each takes and answers, as `/openapi.json` describes it. */
import { createRoute, z } from '@hono/zod-openapi';
import { needs } from '../../shared/http/rules.ts';
import { bodyNeeded, storableBatch } from './structured-extraction-bodies.ts';
import { STAGES, STATUS_WORDS } from './structured-extraction-view.ts';

/** The most texts of a batch. */
export const TEXTS_MOST = 100;

const json = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } });
const answer = <T extends z.ZodType>(schema: T, description: string) => ({ ...json(schema), description });

const text = z.string().min(1).describe('Free-form user text');
const extended = z.boolean().describe('The result also holds `language` and `toxicity_score`.').optional();
const textBody = z.object({ text, extended }).openapi('ExtractionInput');
const textsBody = z.object({ texts: z.array(text).min(1).max(TEXTS_MOST), extended }).openapi('ExtractionBatchInput');
const keyHeaders = z.object({ 'idempotency-key': z.string().optional() });
const parameters = z.object({ job_id: z.string() });

const jobId = z.uuid();
const status = z.enum(STATUS_WORDS);
const detail = z.object({ detail: z.string() }).openapi('HTTPException');
const validationErrors = z
  .object({
    detail: z.array(
      z.object({
        type: z.string().openapi({ example: 'missing' }),
        loc: z.array(z.union([z.string(), z.int()])).openapi({ example: ['body', 'text'] }),
        msg: z.string(),
        input: z.unknown(),
        ctx: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  })
  .openapi('HTTPValidationError');

const always = {
  401: answer(detail, 'Credentials are missing, have expired or are unknown.'),
  403: answer(detail, 'The credentials do not allow this.'),
  429: answer(detail, 'Too many requests; `Retry-After` says when to try again.'),
  500: answer(detail, 'Something broke on our side.'),
  503: answer(detail, 'The model or the store cannot be used now.'),
};
const submitErrors = {
  409: answer(detail, 'Something else was submitted under this `Idempotency-Key`.'),
  413: answer(detail, 'A text or the body is too large.'),
  415: answer(detail, 'The body is not JSON.'),
  422: answer(validationErrors, 'The request is wrong, where, and what would be right.'),
  ...always,
};
const notFound = answer(
  detail,
  'There is no such job, it is not yours, or it ended more than an hour ago: `Job not found`.',
);

export const submitRoute = createRoute({
  tags: ['Structured extraction'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/llm/submit',
  summary: 'Have a text structured by a model',
  middleware: bodyNeeded,
  request: { headers: keyHeaders, body: { ...json(textBody), required: true } },
  responses: {
    200: answer(z.object({ job_id: jobId }), 'The job was accepted, now or before (`Idempotency-Replayed`).'),
    402: answer(detail, 'Too few tokens, or too little of a budget, are left.'),
    ...submitErrors,
  },
});

export const batchRoute = createRoute({
  tags: ['Structured extraction'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/llm/submit/batch',
  summary: `Have up to ${TEXTS_MOST} texts structured, each by a job of its own`,
  middleware: [bodyNeeded, storableBatch] as const,
  request: { headers: keyHeaders, body: { ...json(textsBody), required: true } },
  responses: {
    200: answer(z.object({ job_ids: z.array(jobId) }), 'The jobs, in the order of the texts.'),
    ...submitErrors,
  },
});

export const statusRoute = createRoute({
  tags: ['Structured extraction'],
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/llm/status/{job_id}',
  summary: 'How far a job is',
  request: { params: parameters },
  responses: {
    200: answer(
      z.object({ job_id: jobId, status, stage: z.enum(STAGES).nullable() }),
      'The job; `stage` is null until it was started.',
    ),
    404: notFound,
    ...always,
  },
});

export const resultRoute = createRoute({
  tags: ['Structured extraction'],
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/llm/result/{job_id}',
  summary: 'What a job found, as a JSON string',
  request: { params: parameters },
  responses: {
    200: answer(z.object({ job_id: jobId, result: z.string() }), 'The result, for an hour after the end of the job.'),
    404: answer(detail, 'There is none: `No result yet. Status=…`, `unknown` where there is no such job.'),
    ...always,
  },
});

export const cancelRoute = createRoute({
  tags: ['Structured extraction'],
  security: needs('jobs:write', { orJobToken: true }),
  method: 'post',
  path: '/llm/cancel/{job_id}',
  summary: 'Ask for the end of a job, as often as you like',
  request: { params: parameters },
  responses: {
    200: answer(z.object({ job_id: jobId, status }), '`canceled`; a job that was over keeps its status.'),
    404: notFound,
    415: submitErrors[415],
    422: submitErrors[422],
    ...always,
  },
});
