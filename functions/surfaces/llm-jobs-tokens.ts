/** Job tokens over `/api/llm`: what a submit answers beside the job, and where a new one is had. */
import { createRoute } from '@hono/zod-openapi';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { toTime } from '../../shared/core/utc.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { noBodyNeeded } from '../../shared/http/body.ts';
import type { JobTokens } from '../../shared/http/job-tokens.ts';
import { needs } from '../../shared/http/rules.ts';
import { always, answer, errors, json } from './llm-jobs-routes.ts';
import * as schemas from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const tokenRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'post',
  path: '/api/llm/jobs/{job_id}/token',
  summary: 'A token that reads and cancels this one job, for ten minutes',
  middleware: noBodyNeeded,
  request: { params: schemas.jobParameters, body: json(schemas.noFields) },
  responses: {
    200: answer(schemas.jobToken, 'The token: for `Authorization: Bearer`, or as `?access_token=` of the stream.'),
    400: errors[400],
    404: errors[404],
    413: errors[413],
    415: errors[415],
    ...always,
  },
});

export function mountTokens(app: HttpApp, { service, jobTokens }: SurfaceContext): void {
  app.openapi(tokenRoute, async (context) => {
    const principal = context.get('principal');
    const { job } = await service.read(principal, context.req.valid('param').job_id, { isGlance: true });
    if (!jobTokens) {
      throw new ServiceError(
        'route_not_found',
        'There are no job tokens here: AUTH_MODE or SIGNING_SECRETS is not set.',
      );
    }
    // What is done with it is done in the name of its user: nobody else makes one.
    if (job.user !== principal.user) throw new ServiceError('job_not_found', 'Job not found');
    const token = await renderToken(job, principal.scopes, jobTokens);
    return context.json({ success: true as const, job_id: job.id, ...token }, 200);
  });
}

/** A token for a job, as answers have it; it allows no more than its maker may do. */
export async function renderToken(job: Job, scopes: Principal['scopes'], jobTokens: JobTokens) {
  const { token, expiresAtMs } = await jobTokens.issue(job, scopes);
  return { job_token: token, job_token_expires_at: toTime(expiresAtMs) };
}
