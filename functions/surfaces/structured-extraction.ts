/** Structured extraction, `/llm` (seed 002): a text in, its structure out as a JSON string, with FastAPI's errors. */
import type { Context } from 'hono';
import type { Seen } from '../../shared/core/access.ts';
import type { BatchOutcome } from '../../shared/core/batching.ts';
import { isServiceError, ServiceError } from '../../shared/core/errors.ts';
import { assertInputFits, SMALL_INPUT_BYTES_MOST } from '../../shared/core/input-size.ts';
import type { Json } from '../../shared/core/job.ts';
import type { ReadOptions } from '../../shared/core/reading.ts';
import type { Submission, Submitted } from '../../shared/core/submitting.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import { structuredExtraction } from '../../shared/job-types/structured-extraction.ts';
import { renderError, renderIssues } from './structured-extraction-errors.ts';
import * as routes from './structured-extraction-routes.ts';
import { isVisible, renderResult, renderStatus, wordOf } from './structured-extraction-view.ts';
import type { Surface, SurfaceContext } from './surface.ts';

export const structuredExtractionSurface: Surface = {
  name: 'structured-extraction',
  owns: (path) => /^\/llm(\/|$)/.test(path),
  isBatch: ({ method, path }) => method === 'POST' && /^\/llm\/submit\/batch\/?$/.test(path),
  renderError,
  mount(app, context) {
    mountSubmit(app, context);
    mountBatch(app, context);
    mountJobs(app, context);
  },
};

function mountSubmit(app: HttpApp, surface: SurfaceContext): void {
  const { service, shareMs } = surface;
  app.openapi(
    routes.submitRoute,
    async (context) => {
      const { text, extended } = context.req.valid('json');
      const submission = submissionOf(context, surface, text, extended);
      const idempotencyKey = keyOf(context);
      const principal = context.get('principal');
      const isShared = shareMs > 0 && idempotencyKey === undefined;
      const submitted = isShared
        ? await service.submitShared(principal, submission, shareMs)
        : await service.submit(principal, { ...submission, idempotencyKey });
      assertFound(submitted);
      const { job, replayed } = submitted;
      if (replayed) context.header('Idempotency-Replayed', 'true');
      return context.json({ job_id: job.id }, 200);
    },
    (result, context) => (result.success ? undefined : renderIssues(context, result.error.issues)),
  );
}

function mountBatch(app: HttpApp, surface: SurfaceContext): void {
  const { service, limits } = surface;
  app.openapi(
    routes.batchRoute,
    async (context) => {
      const { texts, extended } = context.req.valid('json');
      const submissions = texts.map((text) => submissionOf(context, surface, text, extended));
      for (const [index, { input }] of submissions.entries()) assertTextFits(input, index);
      const key = keyOf(context);
      const principal = context.get('principal');
      // The request itself was counted at the door.
      if (texts.length > 1) await limits.principal(context, principal, texts.length - 1);
      // One that is too long for what its user's account has left fails as a job: the others have been taken in.
      const items = submissions.map((submission) => ({
        name: undefined,
        submission: { ...submission, emptyAccount: 'accept' as const },
      }));
      const { outcomes } = await service.submitBatch(principal, { key, items });
      const submitted = allOf(outcomes);
      submitted.forEach(assertFound);
      if (submitted.every(({ replayed }) => replayed)) context.header('Idempotency-Replayed', 'true');
      return context.json({ job_ids: submitted.map(({ job }) => job.id) }, 200);
    },
    (result, context) => (result.success ? undefined : renderIssues(context, result.error.issues)),
  );
}

function mountJobs(app: HttpApp, { service }: SurfaceContext): void {
  async function find(context: Context<HttpEnv>, id: string, options: ReadOptions): Promise<Seen> {
    const seen = await service.read(context.get('principal'), id, options);
    if (!isVisible(seen)) throw new ServiceError('job_not_found', 'Job not found');
    return seen;
  }

  app.openapi(routes.statusRoute, async (context) => {
    const isGlance = context.req.method === 'HEAD';
    const { job } = await find(context, context.req.valid('param').job_id, { isGlance, large: 'apart' });
    return context.json(renderStatus(job), 200);
  });

  app.openapi(routes.resultRoute, async (context) => {
    const isGlance = context.req.method === 'HEAD';
    const found = await find(context, context.req.valid('param').job_id, { isGlance }).catch((error: unknown) => {
      if (isServiceError(error, 'job_not_found')) throw noResult('unknown');
      throw error;
    });
    const result = renderResult(found.job);
    if (result !== undefined) return context.json({ job_id: found.job.id, result }, 200);
    context.set('hasJob', true);
    throw noResult(wordOf(found.job));
  });

  app.openapi(routes.cancelRoute, async (context) => {
    const { job_id: id } = context.req.valid('param');
    await find(context, id, { isGlance: true });
    const { job } = await service.cancel(context.get('principal'), id);
    return context.json({ job_id: job.id, status: wordOf(job) }, 200);
  });
}

function submissionOf(
  context: Context<HttpEnv>,
  { defaultModels }: SurfaceContext,
  text: string,
  extended: boolean | undefined,
): Submission {
  const model = defaultModels.extraction();
  const input = extended ? { text, extended } : { text };
  const requestId = context.get('requestId');
  return { jobType: structuredExtraction.name, model, input, requestId, inputBytesMost: SMALL_INPUT_BYTES_MOST };
}

function keyOf(context: Context<HttpEnv>): string | undefined {
  return parseIdempotencyKey(context.req.header('idempotency-key'));
}

/** Before any is submitted: a batch is accepted as a whole. */
function assertTextFits(input: Json, index: number): void {
  try {
    assertInputFits(input, SMALL_INPUT_BYTES_MOST);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    throw new ServiceError(error.code, `texts.${index}: ${error.message}`);
  }
}

/** Whoever is answered with a job from before must find it. */
function assertFound(submitted: Submitted): void {
  if (isVisible(submitted)) return;
  throw new ServiceError('job_id_taken', 'The job of this Idempotency-Key is gone. Use another one.');
}

/** All jobs of a batch. Throws where one was not accepted, which is no matter of its text any more. */
function allOf(outcomes: readonly BatchOutcome[]): Submitted[] {
  const submitted = outcomes.flatMap((outcome) => ('refused' in outcome ? [] : [outcome]));
  const refused = outcomes.flatMap((outcome) => ('refused' in outcome ? [outcome.refused] : []))[0];
  if (!refused) return submitted;
  const { code, message, retryAfterMs } = refused;
  // To send a batch again does not help one that is not the first of its key.
  if (submitted.length === 0 || code === 'idempotency_conflict') throw refused;
  const sentence = `${submitted.length} of ${outcomes.length} texts were accepted; the first that was not: ${message} Send the batch again; under the same Idempotency-Key no text gets a second job.`;
  throw new ServiceError(code, sentence, retryAfterMs === undefined ? {} : { retryAfterMs });
}

function noResult(status: string): ServiceError {
  return new ServiceError('job_not_found', `No result yet. Status=${status}`);
}
