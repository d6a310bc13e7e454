/** A request as a job: asynchronous, durable, in an organisation's name (seed 003). */
import type { Principal } from '../core/access.ts';
import { invalidRequest } from '../core/errors.ts';
import { isTenant } from '../core/ids.ts';
import { PROJECT_CHARACTERS_MOST, type Submitting } from '../core/submitting.ts';
import { type LlmCallRequest, parseRequest } from './plan.ts';
import { toJson } from './response.ts';

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
  const project = projectId === undefined ? undefined : String(projectId);
  if (project !== undefined && (project === '' || project.length > PROJECT_CHARACTERS_MOST)) {
    throw invalidRequest([{ path: 'projectId', message: `must have 1 to ${PROJECT_CHARACTERS_MOST} characters` }]);
  }
  const { input, nanoUsdMost } = await parseRequest(request);
  const principal: Principal = { tenant, user, scopes: ['jobs:write'] };
  const { job } = await jobs.submit(principal, {
    jobType: 'general_llm_request',
    input: toJson(input),
    nanoUsdMost,
    projectId: project,
  });
  return job.id;
}
