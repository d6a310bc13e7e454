/** A request as a job: asynchronous, durable, in an organisation's name (seed 003). */
import type { Principal } from '../core/access.ts';
import { toNanoUsd } from '../core/costs.ts';
import { invalidRequest } from '../core/errors.ts';
import { isTenant } from '../core/ids.ts';
import type { Json } from '../core/job.ts';
import type { Submitting } from '../core/submitting.ts';
import type { LlmCallRequest } from './plan.ts';

export type StartJobOptions = {
  /** What takes jobs in: a runtime's `service`. */
  jobs: Pick<Submitting, 'submit'>;
  request: LlmCallRequest;
  /** The tenant. */
  organizationId: string | number;
  /** Jobs can be listed by it. */
  projectId?: string | number | undefined;
  /** In whose name, within the organisation; `service` when absent. */
  user?: string | undefined;
};

/** Submits the request as a job of type `general_llm_request`; answers its id. Throws a `ServiceError` as a submit does. */
export async function startJob(options: StartJobOptions): Promise<string> {
  const { jobs, request, organizationId, projectId, user = 'service' } = options;
  const tenant = String(organizationId);
  if (!isTenant(tenant)) throw invalidRequest([{ path: 'organizationId', message: 'is not the name of a tenant' }]);
  const { max_cost: maxCost, ...input } = request;
  const principal: Principal = { tenant, user, scopes: ['jobs:write'] };
  const { job } = await jobs.submit(principal, {
    jobType: 'general_llm_request',
    input: JSON.parse(JSON.stringify(input)) as Json,
    nanoUsdMost: maxCost === undefined ? undefined : toNanoUsd(maxCost),
    projectId: projectId === undefined ? undefined : String(projectId),
  });
  return job.id;
}
