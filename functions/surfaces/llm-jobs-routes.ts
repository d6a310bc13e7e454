/** The routes of `/api/llm`: what each takes and answers, as `/openapi.json` describes it. */
import { createRoute, z } from '@hono/zod-openapi';
import { noBodyNeeded } from '../../shared/http/body.ts';
import { needs } from '../../shared/http/rules.ts';
import { submissionSchema } from '../../shared/job-types/submission.ts';
import * as schemas from './llm-jobs-schemas.ts';

export const json = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } });
export const answer = <T extends z.ZodType>(schema: T, description: string) => ({ ...json(schema), description });
export const body = <T extends z.ZodType>(schema: T) => ({ ...json(schema), required: true });
export const errors = {
  400: answer(schemas.errorBody, 'A field is wrong; `details` names it and says what would be right.'),
  401: answer(schemas.errorBody, 'Credentials are missing, have expired or are unknown (`reason`).'),
  402: answer(schemas.errorBody, "The user's account has too few tokens, or too little of its budget is left."),
  403: answer(schemas.errorBody, 'The credentials do not allow this; `scope` is what would.'),
  404: answer(schemas.errorBody, 'There is no such job, or it is not yours.'),
  413: answer(schemas.errorBody, 'The input or the body is too large.'),
  415: answer(schemas.errorBody, 'The body is not JSON.'),
  429: answer(schemas.errorBody, 'Too many requests; `Retry-After` says when to try again.'),
  500: answer(schemas.errorBody, 'Something broke on our side.'),
  503: answer(schemas.errorBody, 'The model or the store cannot be used now; `Retry-After` says when to try again.'),
};
export const always = {
  ...{ 401: errors[401], 403: errors[403], 429: errors[429] },
  ...{ 500: errors[500], 503: errors[503] },
};

export const submitResponses = {
  200: {
    ...answer(schemas.wholeJobView, 'The job, over within the time that the client waits (`wait`).'),
    headers: schemas.submitAnswerHeaders,
  },
  202: {
    ...answer(schemas.submitted, 'The job was accepted, now or before.'),
    headers: schemas.submitAnswerHeaders,
  },
  ...{ 400: errors[400], 402: errors[402] },
  409: answer(schemas.errorBody, 'Something else was submitted under this id or key, or its job is gone.'),
  413: errors[413],
  415: errors[415],
  ...always,
};

export const submitRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/api/llm/jobs/submit',
  summary: 'Submit a job of any type',
  request: { query: schemas.waitParameters, headers: schemas.submitHeaders, body: body(submissionSchema) },
  responses: submitResponses,
});

export const putRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'put',
  path: '/api/llm/jobs/{job_id}',
  summary: 'Submit a job under an id of your own, as often as you like',
  request: {
    ...{ params: schemas.jobParameters, query: schemas.waitParameters, headers: schemas.putHeaders },
    body: body(submissionSchema),
  },
  responses: submitResponses,
});

export const trainerRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/api/llm/trainer-analysis',
  summary: "Submit the analysis of a trainer's question",
  request: { query: schemas.waitParameters, headers: schemas.submitHeaders, body: body(schemas.trainerAnalysisBody) },
  responses: submitResponses,
});

export const cancelRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write', { orJobToken: true }),
  method: 'post',
  path: '/api/llm/jobs/{job_id}/cancel',
  summary: 'Ask for the end of a job, as often as you like',
  middleware: noBodyNeeded,
  request: { params: schemas.jobParameters, body: json(schemas.noFields) },
  responses: {
    200: answer(
      schemas.jobView,
      'The job: cancelled, or about to be (`cancel_requested_at`); one that was over is unchanged.',
    ),
    400: errors[400],
    404: errors[404],
    413: errors[413],
    415: errors[415],
    ...always,
  },
});

export const deleteRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'delete',
  path: '/api/llm/jobs/{job_id}',
  summary: 'Delete a job: it is cancelled if it is not over, and what it held is removed',
  request: { params: schemas.jobParameters },
  responses: {
    200: answer(schemas.deletedJob, 'The job is gone: from now on it is not found.'),
    404: errors[404],
    ...always,
  },
});

export const statusRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/api/llm/jobs/{job_id}/status',
  summary: 'Poll a job, or wait for its next change',
  request: { params: schemas.jobParameters, query: schemas.waitParameters, headers: schemas.statusHeaders },
  responses: {
    200: { ...answer(schemas.wholeJobView, 'The job as it is now.'), headers: schemas.statusAnswerHeaders },
    304: { description: 'You have seen it (`If-None-Match`).', headers: schemas.statusAnswerHeaders },
    400: errors[400],
    404: errors[404],
    ...always,
  },
});

export const streamRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/api/llm/jobs/{job_id}/stream',
  summary: 'Follow a job as server-sent events',
  request: { params: schemas.jobParameters, headers: schemas.streamHeaders, query: schemas.streamParameters },
  responses: {
    200: {
      content: { 'text/event-stream': { schema: z.string() } },
      description:
        '`snapshot` (the job, with `partial_result` while it is not completed), then `delta` (`text`), `status`, `progress`, `reset` (another attempt begins: drop the text so far), at last `done` (the job). Come back with `Last-Event-ID`.',
    },
    204: { description: 'You have seen the end.' },
    400: errors[400],
    404: errors[404],
    ...always,
  },
});

export const resultRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read', { orJobToken: true }),
  method: 'get',
  path: '/api/llm/jobs/{job_id}/result',
  summary: 'The result of a completed job',
  request: { params: schemas.jobParameters },
  responses: {
    200: answer(schemas.resultView, 'The result.'),
    404: answer(schemas.errorBody, 'There is no such job, or its result was removed (`result_removed`).'),
    409: answer(schemas.errorBody, 'The job is not completed; `status` says where it is.'),
    ...always,
  },
});

export const messageSchemaRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/schemas/published-submission.json',
  summary: 'JSON Schema of the message that publishes a job straight to Pub/Sub',
  responses: { 200: answer(z.looseObject({}), 'The schema, draft 2020-12.'), ...always },
});
