/** `GET /api/llm/jobs/{job_id}/input/`: what a job was asked, as it was submitted. */
import { createRoute, z } from '@hono/zod-openapi';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job, Json } from '../../shared/core/job.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { renderError } from '../../shared/http/errors.ts';
import { answerLarge } from '../../shared/http/large-json.ts';
import { needs } from '../../shared/http/rules.ts';
import { always, answer } from './llm-jobs-routes.ts';
import * as schemas from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const { jobId, success } = schemas;

const inputView = z
  .object({
    ...{ success, job_id: jobId, job_type: z.string() },
    model_id: z.string().describe('The UUID of the model that it was submitted for.'),
    input_data: z.looseObject({}),
  })
  .openapi('JobInput');

const inputRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/jobs/{job_id}/input',
  summary: 'What a job was asked',
  request: { params: schemas.jobParameters },
  responses: {
    200: answer(inputView, 'The input, as it was submitted.'),
    404: answer(schemas.errorBody, 'There is no such job, or its input was removed (`input_removed`).'),
    ...always,
  },
});

export function mountInput(app: HttpApp, { service }: SurfaceContext): void {
  app.openapi(inputRoute, async (context) => {
    const principal = context.get('principal');
    const { job, input } = await service.readInput(principal, context.req.valid('param').job_id);
    const view = renderInput(job, input);
    const set = job.parts?.input;
    if (set) {
      const load = () => service.payload(principal, job, 'input');
      return answerLarge(context, view, { name: 'input_data', bytes: set.bytes, load });
    }
    // Typed as the JSON that it is.
    if (input === undefined) return renderError(context, inputRemoved(job), 404) as never;
    return context.json(view, 200);
  });
}

function renderInput(job: Job, input: Json | undefined) {
  return {
    success: true as const,
    job_id: job.id,
    job_type: job.jobType,
    model_id: job.model.id,
    input_data: input as { [name: string]: Json },
  };
}

function inputRemoved({ payloadsRemovedAt }: Job): ServiceError {
  const sentence =
    payloadsRemovedAt === undefined
      ? 'The job has no input: its message could not be taken in.'
      : 'The input was removed: the job was submitted with store: false, and was read, or ended an hour ago.';
  return new ServiceError('input_removed', sentence);
}
