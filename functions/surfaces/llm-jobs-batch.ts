/** Batches: many jobs in one submit, and how far they are. */
import type { Context } from 'hono';
import { type BatchItem, type BatchOutcome, batchProgress } from '../../shared/core/batching.ts';
import { invalidRequest, ServiceError } from '../../shared/core/errors.ts';
import { findUnstorable, toFieldErrors, VALUES_MOST, type ValueBudget } from '../../shared/core/field-errors.ts';
import { isJobId, normalizedKey } from '../../shared/core/ids.ts';
import type { Json } from '../../shared/core/job.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { renderRetryAfter, statusOf } from '../../shared/http/errors.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import { publishedSubmissionSchema, toSubmission } from '../../shared/job-types/submission.ts';
import { batchRoute, batchSubmitRoute } from './llm-jobs-lists-routes.ts';
import { renderSubmitted } from './llm-jobs-view.ts';
import type { SurfaceContext } from './surface.ts';

/** Of all jobs of a batch together: every value is looked at, and every wrong one named. */
const BATCH_VALUES_MOST = 2 * VALUES_MOST;
const TOO_MANY = {
  path: '',
  message: `the jobs of this batch up to here hold more than ${BATCH_VALUES_MOST} values; send this one in another batch`,
};

/** Does a request submit a batch? */
export function isBatch({ method, path }: { method: string; path: string }): boolean {
  return method === 'POST' && /^\/api\/llm\/jobs\/batch\/?$/.test(path);
}

export function mountBatch(app: HttpApp, { service, limits }: SurfaceContext): void {
  app.openapi(batchSubmitRoute, async (context) => {
    const key = parseIdempotencyKey(context.req.header('idempotency-key'));
    const budget = { left: BATCH_VALUES_MOST };
    const requestId = context.get('requestId');
    const { jobs } = context.req.valid('json');
    const principal = context.get('principal');
    // The request itself was counted at the door.
    if (jobs.length > 1) await limits.principal(context, principal, jobs.length - 1);
    const items = jobs.map((body) => itemOf(body as Json, requestId, budget));
    const { batchId, outcomes } = await service.submitBatch(principal, { key, items });
    const result = renderOutcomes(batchId, outcomes);
    const first = outcomes[0];
    if (result.accepted === 0 && first && 'refused' in first) return refuse(context, first.refused, result);
    context.header('Location', result.urls.status);
    if (outcomes.every((outcome) => 'refused' in outcome || outcome.replayed)) {
      context.header('Idempotency-Replayed', 'true');
    }
    return context.json({ success: true as const, ...result }, 202);
  });

  app.openapi(batchRoute, async (context) => {
    const batchId = context.req.valid('param').batch_id.toLowerCase();
    if (!isJobId(batchId)) throw notFound();
    const counts = await service.countBatch(context.get('principal'), batchId);
    const { total, percent, isComplete, pollAfterMs } = batchProgress(counts);
    if (total === 0) throw notFound();
    renderRetryAfter(context, pollAfterMs);
    return context.json(
      {
        success: true as const,
        ...{ batch_id: batchId, total, counts, percent, is_complete: isComplete, poll_after_ms: pollAfterMs },
        urls: { jobs: `/api/llm/jobs/?batch_id=${batchId}` },
      },
      200,
    );
  });
}

/** One job of the body, checked as a submit of its own would be. */
function itemOf(body: Json, requestId: string, budget: ValueBudget): BatchItem {
  const name = nameOf(body);
  const given = Math.min(VALUES_MOST, budget.left);
  const own = { left: given };
  const unstorable = findUnstorable(body, own);
  budget.left -= given - Math.max(0, own.left);
  if (own.left < 0 && given < VALUES_MOST) return { name, refused: invalidRequest([TOO_MANY]) };
  if (unstorable) return { name, refused: invalidRequest([unstorable]) };
  const parsed = publishedSubmissionSchema.safeParse(body);
  return parsed.success
    ? { name, submission: { ...toSubmission(parsed.data), requestId } }
    : { name, refused: invalidRequest(toFieldErrors(parsed.error.issues)) };
}

/** What the job calls itself, also when something else of it is wrong: mended, it belongs to the same batch. */
function nameOf(body: Json): string | undefined {
  const { job_id, idempotency_key } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, Json>;
  if (typeof job_id === 'string') return `id:${job_id.toLowerCase()}`;
  const key = typeof idempotency_key === 'string' ? normalizedKey(idempotency_key) : undefined;
  return key === undefined ? undefined : `key:${key}`;
}

function renderOutcomes(batchId: string, outcomes: readonly BatchOutcome[]) {
  const items = outcomes.map((outcome, index) =>
    'refused' in outcome
      ? { index, ...renderRefused(outcome.refused) }
      : { index, ...renderSubmitted(outcome), replayed: outcome.replayed || undefined },
  );
  const accepted = items.filter(({ success }) => success).length;
  return {
    ...{ batch_id: batchId, items, accepted, rejected: items.length - accepted },
    urls: { status: `/api/llm/jobs/batch/${batchId}/` },
  };
}

function renderRefused({ message, code, details, fields }: ServiceError) {
  return { success: false as const, error: message, code, details, ...fields };
}

/** No job was accepted: the batch fails as its first job did. */
function refuse(context: Context<HttpEnv>, error: ServiceError, result: ReturnType<typeof renderOutcomes>) {
  renderRetryAfter(context, error.retryAfterMs);
  const body = {
    success: false as const,
    error: `No job of the batch was accepted. The first one: ${error.message}`,
    code: error.code,
    request_id: context.get('requestId'),
    ...result,
  };
  return context.json(body, statusOf(error.code) as 400);
}

function notFound(): ServiceError {
  return new ServiceError('batch_not_found', 'Batch not found');
}
