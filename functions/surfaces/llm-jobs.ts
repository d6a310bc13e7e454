/** The Jobs API, `/api/llm`: the canonical contract (seed 000), where every feature shows. */
import { z } from '@hono/zod-openapi';
import type { Context, HonoRequest } from 'hono';
import { invalidRequest, ServiceError } from '../../shared/core/errors.ts';
import { toFieldErrors } from '../../shared/core/field-errors.ts';
import { isClientJobId } from '../../shared/core/ids.ts';
import { isTerminal, type Job, type Json } from '../../shared/core/job.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { renderError } from '../../shared/http/errors.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import {
  envelopeIssues,
  publishedSubmissionSchema,
  toExtras,
  toLimits,
  toSubmission,
} from '../../shared/job-types/submission.ts';
import { trainerQuestionAnalysis } from '../../shared/job-types/trainer-question-analysis.ts';
import { mountAccounts } from './llm-jobs-accounts.ts';
import { isBatch, mountBatch } from './llm-jobs-batch.ts';
import { mountDeliveries } from './llm-jobs-deliveries.ts';
import { mountInput } from './llm-jobs-input.ts';
import { answerWhole } from './llm-jobs-large.ts';
import { mountListStream } from './llm-jobs-list-stream.ts';
import { mountLists } from './llm-jobs-lists.ts';
import { mountModels } from './llm-jobs-models.ts';
import { answerStatus, answerSubmit } from './llm-jobs-polling.ts';
import { mountRedrive } from './llm-jobs-redrive.ts';
import * as routes from './llm-jobs-routes.ts';
import { mountStream } from './llm-jobs-stream.ts';
import { mountTokens } from './llm-jobs-tokens.ts';
import { mountUsage } from './llm-jobs-usage.ts';
import { mountUsers } from './llm-jobs-users.ts';
import { processingTime, renderJob, renderModel, renderOwn } from './llm-jobs-view.ts';
import { otherContract } from './other-contracts.ts';
import type { Surface, SurfaceContext } from './surface.ts';

/** Made when somebody asks: it takes as long as all other routes together. */
const publishedSchema = () => ({
  ...(z.toJSONSchema(publishedSubmissionSchema, { io: 'input' }) as { [name: string]: Json }),
  title: 'Published submission',
});

export const llmJobsSurface: Surface = {
  name: 'llm-jobs',
  owns: (path) => /^\/api\/llm(\/|$)/.test(path),
  isBatch,
  renderError,
  mount(app, context) {
    mountWrites(app, context);
    mountRedrive(app, context);
    mountDeliveries(app, context);
    mountReads(app, context);
    mountStream(app, context);
    mountInput(app, context);
    mountTokens(app, context);
    mountModels(app, context);
    mountLists(app, context);
    mountListStream(app, context);
    mountBatch(app, context);
    mountUsers(app, context);
    mountUsage(app, context);
    mountAccounts(app, context);
  },
};

function mountWrites(app: HttpApp, surface: SurfaceContext): void {
  const { service } = surface;
  app.openapi(
    routes.submitRoute,
    (context) => {
      const submission = { ...toSubmission(context.req.valid('json')), idempotencyKey: keyOf(context) };
      return answerSubmit(context, surface, submission, context.req.valid('query').wait);
    },
    (result, context) => (result.success ? undefined : refuseSubmission(result.error.issues, context.req)),
  );

  app.openapi(routes.trainerRoute, (context) => {
    const { model_id, question_id, full_input, system_message, ...more } = context.req.valid('json');
    const submission = {
      jobType: trainerQuestionAnalysis.name,
      model: model_id,
      input: { full_input, ...(system_message === undefined ? {} : { system_message }) },
      questionId: question_id,
      limits: toLimits(more),
      ...toExtras(more),
      idempotencyKey: keyOf(context),
    };
    return answerSubmit(context, surface, submission, context.req.valid('query').wait);
  });

  app.openapi(
    routes.putRoute,
    (context) => {
      const jobId = context.req.valid('param').job_id.toLowerCase();
      if (!isClientJobId(jobId)) {
        throw invalidRequest([{ path: 'job_id', message: 'must be a UUID of version 4 or 7' }]);
      }
      if (keyOf(context) !== undefined) {
        throw invalidRequest([{ path: 'Idempotency-Key', message: 'goes with POST; a PUT is known by its job_id' }]);
      }
      const submission = { ...toSubmission(context.req.valid('json')), jobId };
      return answerSubmit(context, surface, submission, context.req.valid('query').wait);
    },
    (result, context) => (result.success ? undefined : refuseSubmission(result.error.issues, context.req)),
  );

  app.openapi(routes.cancelRoute, async (context) => {
    const seen = await service.cancel(context.get('principal'), context.req.valid('param').job_id);
    return context.json(renderJob(seen), 200);
  });

  app.openapi(routes.deleteRoute, async (context) => {
    const { job } = await service.remove(context.get('principal'), context.req.valid('param').job_id);
    return context.json(renderDeleted(job), 200);
  });
}

function keyOf(context: Context<HttpEnv>): string | undefined {
  return parseIdempotencyKey(context.req.header('idempotency-key'));
}

function mountReads(app: HttpApp, { service }: SurfaceContext): void {
  app.openapi(routes.statusRoute, (context) =>
    answerStatus(context, service, context.req.valid('param').job_id, context.req.valid('query').wait),
  );

  app.openapi(routes.resultRoute, async (context) => {
    const isGlance = context.req.method === 'HEAD';
    const { job_id } = context.req.valid('param');
    const { job } = await service.read(context.get('principal'), job_id, { isGlance, large: 'apart' });
    if (job.state !== 'completed') throw notComplete(job);
    if (job.payloadsRemovedAt !== undefined) throw resultRemoved();
    return answerWhole(context, service, job, renderResult(job));
  });

  app.openapi(routes.messageSchemaRoute, (context) => context.json(publishedSchema(), 200));
}

/** Names the other wrong fields, too, of a body whose job type is unknown, and the contract that it may be of. */
async function refuseSubmission(issues: z.core.$ZodIssue[], request: HonoRequest): Promise<never> {
  const untyped = issues.some(({ code, path }) => code === 'invalid_union' && path[0] === 'job_type');
  const body: unknown = await request.json().catch(() => ({}));
  const other = otherContract(body, llmJobsSurface.name);
  const errors = toFieldErrors([...issues, ...(untyped ? envelopeIssues(body) : [])]);
  throw invalidRequest([...(other === undefined ? [] : [{ path: '', message: other }]), ...errors]);
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
    ...renderOwn(job),
  };
}

function renderDeleted({ id, state }: Job) {
  const message = isTerminal(state)
    ? 'The job was deleted; it is not found any more.'
    : 'The job was deleted; it is not found any more, and its call is being broken off.';
  return { success: true as const, job_id: id, deleted: true as const, status: state, message };
}

function resultRemoved(): ServiceError {
  const sentence =
    'The result was removed: the job was submitted with store: false, and was read, or ended an hour ago. Submit it again.';
  return new ServiceError('result_removed', sentence);
}

function notComplete(job: Job): ServiceError {
  const reason = job.error ? `: ${job.error.message}` : ' yet.';
  return new ServiceError('job_not_complete', `The job is ${job.state}; it has no result${reason}`, {
    fields: { status: job.state },
  });
}
