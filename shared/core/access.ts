/** Who asks, and which jobs they find. */
import { ServiceError } from './errors.ts';
import { isJobId } from './ids.ts';
import type { Job, JobKey } from './job.ts';
import { isGone } from './retention.ts';

/** What a principal may do: `jobs:read` and `jobs:write` with their own jobs, `admin` with those of the whole tenant. */
export const SCOPES = ['jobs:read', 'jobs:write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. Everyone finds their own jobs, `admin` all of the tenant, and with `jobId` nobody finds any but that one. */
export type Principal = { tenant: string; user: string; scopes: readonly Scope[]; jobId?: string | undefined };

/** A job, and the store's time now: what is computed from both is the same in every process. */
export type Seen = { job: Job; nowMs: number };

/** The key of a job that this principal may ask for. Throws `job_not_found` for an id that is none, or not theirs to ask. */
export function keyFor({ tenant, jobId }: Principal, id: string): JobKey {
  const key = { tenant, id: id.toLowerCase() };
  if (!isJobId(key.id) || (jobId !== undefined && jobId !== key.id)) throw notFound();
  return key;
}

/** Is the job this principal's, whether or not it can still be found? */
export function owns(principal: Principal, job: Job): boolean {
  return job.user === principal.user || seesAll(principal);
}

/** Does this principal find the job? */
export function maySee(principal: Principal, { job, nowMs }: Seen): boolean {
  return owns(principal, job) && !isGone(job, nowMs);
}

/** The job, if this principal finds it. Throws `job_not_found`, which also says nothing of other people's jobs. */
export function seenBy(principal: Principal, seen: Seen | undefined): Seen {
  if (!seen || !maySee(principal, seen)) throw notFound();
  return seen;
}

/** Whose jobs a list shows. */
export function ownerOf(principal: Principal): { tenant: string; user: string | undefined } {
  return { tenant: principal.tenant, user: seesAll(principal) ? undefined : principal.user };
}

/** Does the principal see the whole tenant? */
export function seesAll({ scopes }: Principal): boolean {
  return scopes.includes('admin');
}

/** What is said of a job that is not there, or not for the principal. */
export function notFound(): ServiceError {
  return new ServiceError('job_not_found', 'Job not found');
}
