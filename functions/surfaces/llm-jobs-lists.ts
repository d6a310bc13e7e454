/** Lists of jobs: a page by offset or by cursor, or the jobs that a client names. */
import type { z } from '@hono/zod-openapi';
import { ownerOf, type Principal, type Seen } from '../../shared/core/access.ts';
import { invalidRequest } from '../../shared/core/errors.ts';
import type { Json } from '../../shared/core/job.ts';
import { pollAfterMs } from '../../shared/core/progress.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { decodeCursor, encodeCursor } from '../../shared/http/cursor.ts';
import { renderRetryAfter } from '../../shared/http/errors.ts';
import { listRoute } from './llm-jobs-lists-routes.ts';
import type { listParameters, listStreamParameters } from './llm-jobs-lists-schemas.ts';
import { renderJob } from './llm-jobs-view.ts';
import type { SurfaceContext } from './surface.ts';

type Parameters = z.output<typeof listParameters>;

const LIMIT = 20;

export function mountLists(app: HttpApp, context: SurfaceContext): void {
  app.openapi(listRoute, async (request) => {
    const query = request.req.valid('query');
    const principal = request.get('principal');
    if (query.ids === undefined) return request.json(await page(context, principal, query), 200);
    const named = await namedJobs(context, principal, query.ids);
    renderRetryAfter(request, named.poll_after_ms);
    return request.json(named, 200);
  });
}

/** What a query is narrowed to, in the core's words. Throws `invalid_request` for a model that there is not. */
export function filtersOf(models: SurfaceContext['models'], query: z.output<typeof listStreamParameters>) {
  return {
    state: query.status,
    jobType: query.job_type,
    modelId: query.model === undefined ? undefined : modelIdOf(models, query.model),
    tag: query.tag,
    questionId: query.question_id,
    projectId: query.project_id,
    batchId: query.batch_id,
    arm: query.arm,
  };
}

/** What a cursor is good for: whose list, and its filters. */
export function listOf(principal: Principal, filters: object): { [name: string]: Json } {
  const { tenant, user = null } = ownerOf(principal);
  return { tenant, user, ...given(filters) };
}

async function page({ service, models }: SurfaceContext, principal: Principal, query: Parameters) {
  const { limit = LIMIT, offset = 0, cursor } = query;
  const filters = {
    ...filtersOf(models, query),
    createdAfter: query.created_after,
    createdBefore: query.created_before,
  };
  const list = listOf(principal, filters);
  const after = cursor === undefined ? undefined : await decodeCursor(cursor, list);
  const { jobs, next } = await service.list(principal, { ...filters, after, limit, offset });
  return {
    success: true as const,
    jobs: jobs.map((seen) => renderJob(seen)),
    ...{ limit, offset },
    next_cursor: next && (await encodeCursor(next, list)),
  };
}

function given<T extends object>(filters: T): { [name in keyof T]: NonNullable<T[name]> } {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)) as never;
}

function modelIdOf(models: SurfaceContext['models'], reference: string): string {
  const model = models.find(reference);
  if (model) return model.id;
  throw invalidRequest([{ path: 'model', message: 'no such model; all models: GET /api/llm/models/' }]);
}

async function namedJobs({ service }: SurfaceContext, principal: Principal, ids: readonly string[]) {
  const found = await service.readMany(principal, ids);
  const jobs = found.filter((seen): seen is Seen => seen !== undefined);
  const missing = ids.filter((_, index) => found[index] === undefined);
  const pauses = jobs.flatMap(({ job, nowMs }) => pollAfterMs(job, nowMs) ?? []);
  return {
    success: true as const,
    jobs: jobs.map((seen) => renderJob(seen)),
    not_found: missing.length > 0 ? missing : undefined,
    poll_after_ms: pauses.length > 0 ? Math.min(...pauses) : undefined,
  };
}
