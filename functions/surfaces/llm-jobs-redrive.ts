/** `POST /api/llm/jobs/{job_id}/retry/`: one new job of a job that failed or was cancelled. */
import { createRoute } from '@hono/zod-openapi';
import type { HttpApp } from '../../shared/http/app.ts';
import { noBodyNeeded } from '../../shared/http/body.ts';
import { needs } from '../../shared/http/rules.ts';
import { answerAccepted } from './llm-jobs-polling.ts';
import { answer, errors, json, submitResponses } from './llm-jobs-routes.ts';
import * as schemas from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const redriveRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'post',
  path: '/api/llm/jobs/{job_id}/retry',
  summary: 'Make one new job of a job that failed or was cancelled, as often as you like',
  middleware: noBodyNeeded,
  request: {
    ...{ params: schemas.jobParameters, query: schemas.waitParameters, headers: schemas.putHeaders },
    body: json(schemas.noFields),
  },
  responses: {
    ...submitResponses,
    404: errors[404],
    409: answer(
      schemas.errorBody,
      'The job did not fail (`status`), its input is not there any more, or the job that was made of it is gone.',
    ),
  },
});

export function mountRedrive(app: HttpApp, surface: SurfaceContext): void {
  app.openapi(redriveRoute, (context) => {
    const [principal, requestId] = [context.get('principal'), context.get('requestId')];
    const { job_id } = context.req.valid('param');
    const redrive = () => surface.service.redrive(principal, job_id, { requestId });
    return answerAccepted(context, surface, redrive, context.req.valid('query').wait);
  });
}
