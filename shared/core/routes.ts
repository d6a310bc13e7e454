/** Which models may answer a job. Pure. */
import type { Job, JobModel, Route } from './job.ts';

type Routed = Pick<Job, 'model' | 'callEstimate' | 'fallbacks' | 'route'>;

/** All routes of a job: its own model first, then its fallbacks. */
export function routesOf({ model, callEstimate, fallbacks = [] }: Routed): readonly Route[] {
  return [{ model, callEstimate }, ...fallbacks];
}

/** The route of the job's newest attempt, or of its next one. */
export function routeOf(job: Routed): Route {
  const { model, callEstimate } = job;
  return routesOf(job)[job.route ?? 0] ?? { model, callEstimate };
}

/** A route by the names that its provider knows it by: `openai/gpt-4o`. */
export function routeName({ provider, model }: Pick<JobModel, 'provider' | 'model'>): string {
  return `${provider}/${model}`;
}
