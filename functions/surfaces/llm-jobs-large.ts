/** Views of one job whose result lies in parts: it goes out as it is read. */
import type { Context } from 'hono';
import { isServiceError, ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { InParts } from '../../shared/core/part-set.ts';
import type { JobService } from '../../shared/core/service.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { answerLarge } from '../../shared/http/large-json.ts';

/** How the view names what a job may hold in parts. */
const FIELDS = { result: 'result_data', rejectedText: 'rejected_text' } as const;

/** Answers 200 with the view of a job that was read with `large: 'apart'`, whole. */
export async function answerWhole<View extends object>(
  context: Context<HttpEnv>,
  service: JobService,
  job: Job,
  view: View,
) {
  for (const [field, name] of Object.entries(FIELDS) as [keyof typeof FIELDS, keyof View & string][]) {
    const set = job.parts?.[field];
    if (!set || !(name in view)) continue;
    const load = () => payloadOf(context, service, job, field);
    return answerLarge(context, view, { name, bytes: set.bytes, load });
  }
  return context.json(view, 200);
}

/** It may have been deleted meanwhile, and is not found then; or its payloads went, and who asks again is told so. */
async function payloadOf(context: Context<HttpEnv>, service: JobService, job: Job, field: InParts) {
  try {
    return await service.payload(job, field);
  } catch (error) {
    if (isServiceError(error, 'internal_error')) {
      const seen = { leastVersion: job.version + 1, isGlance: true };
      const now = await service.read(context.get('principal'), job.id, seen);
      if (now.job.payloadsRemovedAt !== undefined) {
        throw new ServiceError('store_unavailable', 'The result was removed while it was read. Ask again.', {
          ...{ cause: error, retryAfterMs: 1_000 },
        });
      }
    }
    throw error;
  }
}
