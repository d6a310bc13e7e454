/** Prompt generation, `/api/v1/web-knowledge` (seed 004): a task that is polled, and the endpoint that waits for it. */
import type { Context, HonoRequest } from 'hono';
import type { Seen } from '../../shared/core/access.ts';
import { isPutOff } from '../../shared/core/deferring.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { SMALL_INPUT_BYTES_MOST } from '../../shared/core/input-size.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import { promptGeneration } from '../../shared/job-types/prompt-generation.ts';
import { otherContract } from './other-contracts.ts';
import { cancelRoute, generateRoute, startRoute, statusRoute } from './prompt-generation-routes.ts';
import {
  ROOT,
  renderError,
  renderOutcome,
  renderStarted,
  renderStatus,
  statusUrlOf,
} from './prompt-generation-view.ts';
import type { Surface, SurfaceContext } from './surface.ts';

/** How long the synchronous endpoint waits: proxies cut longer answers. */
const WAIT_MS = 55_000;
/** How long a task is found after its end. */
const VISIBLE_MS = 600_000;

const NAME = 'prompt-generation';

export const promptGenerationSurface: Surface = {
  name: NAME,
  owns: (path) => path === ROOT || path.startsWith(`${ROOT}/`),
  renderError,
  mount(app, context) {
    mountSubmits(app, context);
    mountTask(app, context);
  },
};

function mountSubmits(app: HttpApp, { service, defaultModels }: SurfaceContext): void {
  async function submit(context: Context<HttpEnv>, manual_prompt: string, more: Partial<Submission>) {
    const submitted = await service.submit(context.get('principal'), {
      jobType: promptGeneration.name,
      model: defaultModels.promptGeneration(),
      input: { manual_prompt },
      inputBytesMost: SMALL_INPUT_BYTES_MOST,
      idempotencyKey: parseIdempotencyKey(context.req.header('idempotency-key')),
      requestId: context.get('requestId'),
      ...more,
    });
    if (!submitted.replayed) return submitted.job;
    if (!isVisible(submitted)) {
      throw new ServiceError('job_id_taken', 'The task of this Idempotency-Key is gone. Use another one.');
    }
    context.header('Idempotency-Replayed', 'true');
    return submitted.job;
  }

  /**
   * The task of a caller who waits, and may not be worked on for now. It is cancelled, for its caller is told that it
   * failed, unless it has a key, under which they get it when they try again. Throws `model_unavailable`, but where it
   * ended meanwhile.
   */
  async function giveUp(context: Context<HttpEnv>, { job, nowMs }: Seen): Promise<Seen['job']> {
    const hasKey = context.req.header('idempotency-key') !== undefined;
    const now = hasKey ? job : (await service.cancel(context.get('principal'), job.id)).job;
    if (now.state === 'completed' || now.state === 'failed') return now;
    const retryAfterMs = (job.nextAttemptAt ?? nowMs) - nowMs;
    throw new ServiceError('model_unavailable', 'No AI model can be asked now. Try again later.', { retryAfterMs });
  }

  app.openapi(
    startRoute,
    async (context) => {
      const { manual_prompt } = context.req.valid('json');
      const job = await submit(context, manual_prompt, { emptyAccount: 'accept' });
      context.header('Location', statusUrlOf(job));
      return context.json(renderStarted(job), 202);
    },
    (result, context) => (result.success ? undefined : refuse(context.req)),
  );

  app.openapi(
    generateRoute,
    async (context) => {
      const { id, version } = await submit(context, context.req.valid('json').manual_prompt, {});
      const seen = await service.read(context.get('principal'), id, {
        ...{ leastVersion: version, waitMs: WAIT_MS, until: 'put-off' as const },
        signal: context.req.raw.signal,
      });
      const { status, body } = renderOutcome(isPutOff(seen.job, seen.nowMs) ? await giveUp(context, seen) : seen.job);
      return context.json(body as never, status);
    },
    (result, context) => (result.success ? undefined : refuse(context.req)),
  );
}

function mountTask(app: HttpApp, { service }: SurfaceContext): void {
  app.openapi(statusRoute, async (context) => {
    const isGlance = context.req.method === 'HEAD';
    const seen = await service.read(context.get('principal'), context.req.valid('param').task_id, { isGlance });
    // Who is told that there is no such task changes nothing.
    visible(seen);
    // Its clients give up after 120 s, and a sweep may come a minute after a task's time is over.
    return context.json(renderStatus(visible(await service.endOverdue(seen))), 200);
  });

  app.openapi(cancelRoute, async (context) => {
    const principal = context.get('principal');
    const { task_id } = context.req.valid('param');
    visible(await service.read(principal, task_id, { isGlance: true }));
    const { job } = await service.cancel(principal, task_id);
    return context.json({ success: true as const, task_id: job.id, ...renderStatus(job) }, 200);
  });
}

/** The job as a task of this contract. Throws `job_not_found` for others, and for those that are gone. */
function visible(seen: Seen): Seen['job'] {
  if (isVisible(seen)) return seen.job;
  throw new ServiceError('job_not_found', 'Job not found');
}

function isVisible({ job, nowMs }: Seen): boolean {
  const isGone = job.completedAt !== undefined && job.completedAt + VISIBLE_MS <= nowMs;
  const isEmpty = job.state === 'completed' && job.result === undefined;
  return job.jobType === promptGeneration.name && !isGone && !isEmpty;
}

/** Only the prompt can be wrong; who sent it to the wrong endpoint is told the right one. */
async function refuse(request: HonoRequest): Promise<never> {
  const other = otherContract(await request.json().catch(() => undefined), NAME);
  const wrong = { path: 'manual_prompt', message: 'is required' };
  const sentence = `${wrong.path} ${wrong.message}${other === undefined ? '' : `: ${other}`}`;
  throw new ServiceError('invalid_request', sentence, { details: [wrong] });
}
