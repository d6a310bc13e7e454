/** Streaming jobs, `/jobs` (seed 001): a prompt for a model of a provider, whose tokens can be followed as they come. */
import type { HonoRequest } from 'hono';
import { ownerOf } from '../../shared/core/access.ts';
import { invalidRequest, isServiceError, ServiceError } from '../../shared/core/errors.ts';
import { type Issue, toFieldErrors } from '../../shared/core/field-errors.ts';
import { SMALL_INPUT_BYTES_MOST } from '../../shared/core/input-size.ts';
import type { JobModel } from '../../shared/core/job.ts';
import type { ModelCatalog } from '../../shared/core/llm.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { decodeCursor, encodeCursor } from '../../shared/http/cursor.ts';
import { renderErrorHeaders, statusOf } from '../../shared/http/errors.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import { answerStream, heardCursor } from '../../shared/http/sse.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import { otherContract } from './other-contracts.ts';
import * as routes from './streaming-jobs-routes.ts';
import { renderEvents } from './streaming-jobs-stream.ts';
import { isStreamingJob, promptIn, renderJob } from './streaming-jobs-view.ts';
import type { Surface, SurfaceContext } from './surface.ts';

const LIMIT = 20;

export const streamingJobsSurface: Surface = {
  name: 'streaming-jobs',
  owns: (path) => /^\/jobs(\/|$)/.test(path),
  renderError(context, error) {
    renderErrorHeaders(context, error);
    return context.json({ error: error.message }, statusOf(error.code));
  },
  mount(app, context) {
    mountCreate(app, context);
    mountReads(app, context);
    mountStream(app, context);
  },
};

function mountCreate(app: HttpApp, { service, models }: SurfaceContext): void {
  app.openapi(
    routes.createJobRoute,
    async (context) => {
      const { prompt, provider, model } = context.req.valid('json');
      const principal = context.get('principal');
      const { replayed, ...accepted } = await service
        .submit(principal, {
          jobType: generalLlmRequest.name,
          model: modelOf(models, provider, model).id,
          input: { prompt },
          inputBytesMost: SMALL_INPUT_BYTES_MOST,
          stream: true,
          idempotencyKey: parseIdempotencyKey(context.req.header('idempotency-key')),
          requestId: context.get('requestId'),
        })
        .catch(inOurWords);
      const { job } = accepted;
      context.header('Location', `/jobs/${job.id}`);
      if (replayed) context.header('Idempotency-Replayed', 'true');
      // Of a job without payloads it is not known what it was asked.
      const asked = job.payloadsRemovedAt === undefined ? prompt : undefined;
      // One from before that is completed is shown with its result, also where that lies in parts.
      const seen = job.parts?.result ? await service.read(principal, job.id) : accepted;
      return context.json(renderJob(seen, asked, models), 202);
    },
    (result, context) => (result.success ? undefined : refuseBody(result.error.issues, context.req)),
  );
}

function mountReads(app: HttpApp, { service, models }: SurfaceContext): void {
  app.openapi(routes.jobRoute, async (context) => {
    const { id } = context.req.valid('param');
    const isGlance = context.req.method === 'HEAD';
    const principal = context.get('principal');
    const seen = await service.readWithInput(principal, id, isStreamingJob, { isGlance });
    // Whoever holds a job token was given the job's answer, not what its owner asked.
    const prompt = principal.jobId === undefined ? promptIn(seen.input) : undefined;
    return context.json(renderJob(seen, prompt, models), 200);
  });

  app.openapi(routes.listJobsRoute, async (context) => {
    const { limit = LIMIT, cursor } = context.req.valid('query');
    const principal = context.get('principal');
    const { tenant, user = null } = ownerOf(principal);
    const list = { tenant, user, jobType: generalLlmRequest.name };
    const after = cursor === undefined ? undefined : await decodeCursor(cursor, list, 'nextCursor');
    const filter = { jobType: generalLlmRequest.name, after, limit, offset: 0 };
    const { jobs, next } = await service.listWithInputs(principal, filter, isStreamingJob);
    const nextCursor = next && (await encodeCursor(next, list));
    return context.json({ jobs: jobs.map((seen) => renderJob(seen, promptIn(seen.input), models)), nextCursor }, 200);
  });
}

function mountStream(app: HttpApp, { service, streamMs }: SurfaceContext): void {
  app.openapi(routes.streamJobRoute, async (context) => {
    const { id } = context.req.valid('param');
    const principal = context.get('principal');
    // One of another contract is not found here; who looks at the stream has not read the result yet.
    await service.readWithInput(principal, id, isStreamingJob, { isGlance: true });
    const cursor = heardCursor(context);
    return answerStream(
      context,
      (signal) => service.stream(principal, id, cursor, signal),
      (events) => renderEvents(events, { comesBack: cursor !== undefined }),
      streamMs,
    );
  });
}

/** The model of this provider that is meant. Throws `invalid_request` that names what is wrong, and what would be near. */
function modelOf(models: ModelCatalog, provider: string, asked: string): JobModel {
  const listed = models.list();
  const providers = [...new Set(listed.map(({ runs }) => runs.provider))];
  if (!providers.includes(provider)) {
    throw invalidRequest([{ path: 'provider', message: `must be one of: ${providers.join(', ')}` }]);
  }
  const found = models.find(asked);
  const isOurs = (model: JobModel | undefined) => model?.provider === provider;
  // A name that two providers have means the other one's, perhaps.
  const model = [found, models.find(`${provider}/${asked}`)].find(isOurs);
  if (model) return model;
  const whose = found ? `is a model of ${found.provider}, not of ${provider}` : `no such model of ${provider}`;
  const near = models.near(asked).filter((name) => isOurs(models.find(name)));
  const own = listed.filter(({ runs }) => runs.provider === provider).map(({ reference }) => reference);
  const meant = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `models of ${provider}: ${own.join(', ')}`;
  throw invalidRequest([{ path: 'model', message: `${whose}; ${meant}` }]);
}

/** Where it is not known whether the job is there, this contract has another way to find out. */
function inOurWords(error: unknown): never {
  const id = isServiceError(error, 'store_unavailable') ? error.fields?.job_id : undefined;
  if (id === undefined) throw error;
  const sentence = `It is not known whether the job was created. Look at GET /jobs/${id} before you send it again.`;
  throw new ServiceError('store_unavailable', sentence, { cause: error, retryAfterMs: 1_000 });
}

/** Names each wrong field in one sentence, and the endpoint that the body is for. */
async function refuseBody(issues: readonly Issue[], request: HonoRequest): Promise<never> {
  const other = otherContract(await request.json().catch(() => undefined), streamingJobsSurface.name);
  throw invalidRequest([...(other === undefined ? [] : [{ path: '', message: other }]), ...toFieldErrors(issues)]);
}
