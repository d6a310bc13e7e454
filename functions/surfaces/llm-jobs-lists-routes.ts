/** The routes of lists and batches. */
import { createRoute, z } from '@hono/zod-openapi';
import { needs } from '../../shared/http/rules.ts';
import * as schemas from './llm-jobs-lists-schemas.ts';
import { always, answer, body, errors } from './llm-jobs-routes.ts';
import { keyHeaders } from './llm-jobs-schemas.ts';

export const listRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/jobs',
  summary: 'Your jobs, newest first, or those that you name',
  request: { query: schemas.listParameters },
  responses: { 200: answer(schemas.jobList, 'A page of jobs.'), 400: errors[400], ...always },
});

export const listStreamRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/jobs/stream',
  summary: 'Follow your newest jobs as server-sent events',
  request: { query: schemas.listStreamParameters },
  responses: {
    200: {
      content: { 'text/event-stream': { schema: z.string() } },
      description:
        '`snapshot` (`jobs`, the newest first, and `next_cursor`, with which the list goes on after the last of them), then `jobs` (`jobs` that are new or have changed; `gone`: ids of those that do not belong here any more). Jobs come without `result_data`. Of jobs that newer ones pushed out of the newest nothing more is said. It ends by itself; come back, and begin with the new snapshot.',
    },
    400: errors[400],
    ...always,
  },
});

const refused = (why: string) => answer(schemas.batchRefused, `${why}; the status is that of the first job's error.`);

export const batchSubmitRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/api/llm/jobs/batch',
  summary: 'Submit up to 500 jobs; each is taken in or refused on its own',
  request: { headers: keyHeaders, body: body(schemas.batchBody) },
  responses: {
    202: answer(schemas.batchSubmitted, 'At least one job was accepted, now or before (`Idempotency-Replayed`: all).'),
    400: refused('The body is wrong, or no job was accepted'),
    409: refused('No job was accepted'),
    413: refused('The body is too large, or no job was accepted'),
    401: errors[401],
    403: errors[403],
    415: errors[415],
    429: errors[429],
    500: refused('No job was accepted'),
    503: refused('No job was accepted'),
  },
});

export const batchRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/jobs/batch/{batch_id}',
  summary: 'How far a batch is',
  request: { params: schemas.batchParameters },
  responses: {
    200: answer(schemas.batchView, 'How many of its jobs are in each state.'),
    404: answer(errors[404].content['application/json'].schema, 'There is no job of such a batch, or none of yours.'),
    ...always,
  },
});
