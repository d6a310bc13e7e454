/** What a job has tried on each of its routes. Pure. */
import type { RouteTries } from './attempt-record.ts';
import type { FailedAttempt } from './events.ts';
import type { Job, JobChanges } from './job.ts';
import { routesOf } from './routes.ts';

/** On each route of the job, in their order. Where there is one alone, its totals say it. */
export function triesOf(job: Job): readonly RouteTries[] {
  const { failures, refusals, repairs, tries = [] } = job;
  const routes = routesOf(job);
  if (routes.length === 1) return [{ failures, refusals, repairs }];
  return routes.map((_, route) => tries[route] ?? {});
}

/** The fields that change when an attempt failed that another one follows. */
export function countFailed(job: Job, { counts, isOut, retryAt }: FailedAttempt): JobChanges {
  const totals: JobChanges = counts ? { [counts]: (job[counts] ?? 0) + 1 } : {};
  const all = triesOf(job);
  if (all.length === 1) return totals;
  const tries = all.map((before, route) => {
    if (route !== (job.route ?? 0)) return before;
    const counted = counts ? { [counts]: (before[counts] ?? 0) + 1 } : {};
    return { ...before, ...counted, isOut: isOut ?? before.isOut, retryAt: retryAt ?? before.retryAt };
  });
  return { ...totals, tries };
}
