/** The views of jobs that are over: time changes nothing in them, so that all who waited for an end share one text. */
import type { Seen } from '../../shared/core/access.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { renderJob } from './llm-jobs-view.ts';

/** As long as the job itself is kept, and no longer: it may hold what is to be forgotten (`store: false`). */
const texts = new WeakMap<Job, string>();

/** The JSON of `renderJob`; `undefined` where it is another one at another instant, or as large as can be. */
export function sharedJson(seen: Seen): string | undefined {
  if (!isTerminal(seen.job.state) || seen.job.parts) return undefined;
  const text = texts.get(seen.job) ?? JSON.stringify(renderJob(seen));
  texts.set(seen.job, text);
  return text;
}
