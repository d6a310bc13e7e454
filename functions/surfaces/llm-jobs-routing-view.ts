/** Which models may answer a job, and how, in the words of `/api/llm`. */
import { z } from '@hono/zod-openapi';
import type { Job, JobModel } from '../../shared/core/job.ts';

export const modelReference = z
  .object({ id: z.uuid(), name: z.string(), provider: z.string() })
  .openapi('ModelReference');

/** What a view shows of what a submission said of its routes. */
export const routing = {
  fallbacks: z.array(modelReference).optional().describe('Other models that may answer, in order.'),
  arm: z.string().optional().openapi({ example: 'tone/short' }).describe('Its experiment, and its variant there.'),
  cache_ttl_seconds: z.number().optional().describe('How old an answer to an equal job may be that will do.'),
  background: z.literal(true).optional(),
};

export function renderModelReference({ id, name, provider }: JobModel) {
  return { id, name, provider };
}

export function renderRouting({ fallbacks, arm, cacheMs, background }: Job) {
  return {
    fallbacks: fallbacks?.map(({ model }) => renderModelReference(model)),
    arm,
    cache_ttl_seconds: cacheMs === undefined ? undefined : cacheMs / 1_000,
    background,
  };
}
