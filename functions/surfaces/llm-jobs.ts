/** The Jobs API, `/api/llm`: the canonical contract (seed 000), where every feature shows. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context, HonoRequest } from 'hono';
import { invalidRequest, ServiceError } from '../../shared/core/errors.ts';
import { isClientJobId } from '../../shared/core/ids.ts';
import type { Job, Json } from '../../shared/core/job.ts';
import type { Submission } from '../../shared/core/service.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { toFieldErrors } from '../../shared/http/field-errors.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import {
  envelopeIssues,
  publishedSubmissionSchema,
  submissionSchema,
  toSubmission,
} from '../../shared/job-types/submission.ts';
import { trainerQuestionAnalysis } from '../../shared/job-types/trainer-question-analysis.ts';
import * as schemas from './llm-jobs-schemas.ts';
import { processingTime, renderJob, renderModel, renderUrls, toTime } from './llm-jobs-view.ts';
import type { Surface, SurfaceContext } from './surface.ts';

const json = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } });
const answer = <T extends z.ZodType>(schema: T, description: string) => ({ ...json(schema), description });
const body = <T extends z.ZodType>(schema: T) => ({ ...json(schema), required: true });
const errors = {
  400: answer(schemas.errorBody, 'A field is wrong; `details` names it and says what would be right.'),
  404: answer(schemas.errorBody, 'There is no such job, or it is not yours.'),
  413: answer(schemas.errorBody, 'The input or the body is too large.'),
  415: answer(schemas.errorBody, 'The body is not JSON.'),
  500: answer(schemas.errorBody, 'Something broke on our side.'),
  503: answer(schemas.errorBody, 'The model or the store cannot be used now; `Retry-After` says when to try again.'),
};
const always = { 500: errors[500], 503: errors[503] };

const submitResponses = {
  202: answer(schemas.submitted, 'The job was accepted, now or before (`Idempotency-Replayed`).'),
  400: errors[400],
  409: answer(schemas.errorBody, 'Something else was submitted under this id or key.'),
  413: errors[413],
  415: errors[415],
  ...always,
};

const submitRoute = createRoute({
  tags: ['Jobs API'],
  method: 'post',
  path: '/api/llm/jobs/submit',
  summary: 'Submit a job of any type',
  request: { headers: schemas.submitHeaders, body: body(submissionSchema) },
  responses: submitResponses,
});

const putRoute = createRoute({
  tags: ['Jobs API'],
  method: 'put',
  path: '/api/llm/jobs/{job_id}',
  summary: 'Submit a job under an id of your own, as often as you like',
  request: { params: schemas.jobParameters, body: body(submissionSchema) },
  responses: submitResponses,
});

const trainerRoute = createRoute({
  tags: ['Jobs API'],
  method: 'post',
  path: '/api/llm/trainer-analysis',
  summary: "Submit the analysis of a trainer's question",
  request: { headers: schemas.submitHeaders, body: body(schemas.trainerAnalysisBody) },
  responses: submitResponses,
});

const statusRoute = createRoute({
  tags: ['Jobs API'],
  method: 'get',
  path: '/api/llm/jobs/{job_id}/status',
  summary: 'Poll a job',
  request: { params: schemas.jobParameters },
  responses: { 200: answer(schemas.jobView, 'The job as it is now.'), 404: errors[404], ...always },
});

const resultRoute = createRoute({
  tags: ['Jobs API'],
  method: 'get',
  path: '/api/llm/jobs/{job_id}/result',
  summary: 'The result of a completed job',
  request: { params: schemas.jobParameters },
  responses: {
    200: answer(schemas.resultView, 'The result.'),
    404: errors[404],
    409: answer(schemas.errorBody, 'The job is not completed; `status` says where it is.'),
    ...always,
  },
});

const listRoute = createRoute({
  tags: ['Jobs API'],
  method: 'get',
  path: '/api/llm/jobs',
  summary: 'Your jobs, newest first',
  request: { query: schemas.listParameters },
  responses: { 200: answer(schemas.jobList, 'A page of jobs.'), 400: errors[400], ...always },
});

const messageSchemaRoute = createRoute({
  tags: ['Jobs API'],
  method: 'get',
  path: '/api/llm/schemas/published-submission.json',
  summary: 'JSON Schema of the message that publishes a job straight to Pub/Sub',
  responses: { 200: answer(z.looseObject({}), 'The schema, draft 2020-12.') },
});

const modelsRoute = createRoute({
  tags: ['Jobs API'],
  method: 'get',
  path: '/api/llm/models',
  summary: 'The models that jobs can run on',
  responses: { 200: answer(schemas.modelList, 'All models, and whether each can be used now.') },
});

const PUBLISHED_SCHEMA = {
  ...(z.toJSONSchema(publishedSubmissionSchema, { io: 'input' }) as { [name: string]: Json }),
  title: 'Published submission',
};

export const llmJobsSurface: Surface = (app, context) => {
  mountWrites(app, context);
  mountReads(app, context);
};

function mountWrites(app: HttpApp, { service }: SurfaceContext): void {
  async function submit(context: Context<HttpEnv>, submission: Submission) {
    const requestId = context.get('requestId');
    const { job, replayed } = await service.submit(context.get('principal'), { ...submission, requestId });
    context.header('Location', renderUrls(job).status);
    if (replayed) context.header('Idempotency-Replayed', 'true');
    return context.json(renderSubmitted(job), 202);
  }

  app.openapi(
    submitRoute,
    (context) => submit(context, { ...toSubmission(context.req.valid('json')), idempotencyKey: keyOf(context) }),
    (result, context) => (result.success ? undefined : refuseSubmission(result.error.issues, context.req)),
  );

  app.openapi(trainerRoute, (context) => {
    const { model_id, question_id, ...input } = context.req.valid('json');
    return submit(context, {
      jobType: trainerQuestionAnalysis.name,
      model: model_id,
      input: input as Json,
      questionId: question_id,
      idempotencyKey: keyOf(context),
    });
  });

  app.openapi(
    putRoute,
    (context) => {
      const jobId = context.req.valid('param').job_id.toLowerCase();
      if (!isClientJobId(jobId)) {
        throw invalidRequest([{ path: 'job_id', message: 'must be a UUID of version 4 or 7' }]);
      }
      return submit(context, { ...toSubmission(context.req.valid('json')), jobId });
    },
    (result, context) => (result.success ? undefined : refuseSubmission(result.error.issues, context.req)),
  );
}

function keyOf(context: Context<HttpEnv>): string | undefined {
  return parseIdempotencyKey(context.req.header('idempotency-key'));
}

function mountReads(app: HttpApp, { service, models }: SurfaceContext): void {
  app.openapi(statusRoute, async (context) => {
    const job = await service.get(context.get('principal'), context.req.valid('param').job_id);
    return context.json(renderJob(job), 200);
  });

  app.openapi(resultRoute, async (context) => {
    const job = await service.get(context.get('principal'), context.req.valid('param').job_id);
    if (job.state !== 'completed') throw notComplete(job);
    return context.json(renderResult(job), 200);
  });

  app.openapi(listRoute, async (context) => {
    const { status, job_type, limit, offset } = context.req.valid('query');
    const jobs = await service.list(context.get('principal'), { state: status, jobType: job_type, limit, offset });
    return context.json({ success: true as const, jobs: jobs.map(renderJob), limit, offset }, 200);
  });

  app.openapi(messageSchemaRoute, (context) => context.json(PUBLISHED_SCHEMA, 200));

  app.openapi(modelsRoute, (context) => {
    const rows = models.list().map(({ reference, runs: { id, name, provider, model } }) => {
      const availability = models.availability({ id, name, provider, model });
      return {
        ...{ id, name, model: reference, provider },
        runs_as: model === reference ? undefined : model,
        available: availability.available,
        unavailable_reason: availability.available ? undefined : availability.reason,
      };
    });
    return context.json({ success: true as const, models: rows }, 200);
  });
}

/** Names the other wrong fields, too, of a body whose job type is unknown. */
async function refuseSubmission(issues: z.core.$ZodIssue[], request: HonoRequest): Promise<never> {
  const untyped = issues.some((issue) => issue.code === 'invalid_union');
  const besides = untyped ? envelopeIssues(await request.json().catch(() => ({}))) : [];
  throw invalidRequest(toFieldErrors([...issues, ...besides]));
}

function renderSubmitted(job: Job) {
  return {
    success: true as const,
    job_id: job.id,
    status: job.state,
    message: 'Job submitted successfully. Use job_id to poll for results.',
    job_type: job.jobType,
    created_at: toTime(job.createdAt),
    model: renderModel(job),
    urls: renderUrls(job),
  };
}

function renderResult(job: Job) {
  return {
    success: true as const,
    job_id: job.id,
    job_type: job.jobType,
    status: job.state,
    result_data: job.result,
    processing_time: processingTime(job),
    model: renderModel(job),
    question_id: job.questionId,
  };
}

function notComplete(job: Job): ServiceError {
  const reason = job.error ? `: ${job.error.message}` : ' yet.';
  return new ServiceError('job_not_complete', `The job is ${job.state}; it has no result${reason}`, {
    fields: { status: job.state },
  });
}
