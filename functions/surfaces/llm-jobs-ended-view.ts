/** The views of jobs that are over: time changes nothing in them, so that a thousand who waited for an end share one text. */
import type { Seen } from '../../shared/core/access.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { renderJob } from './llm-jobs-view.ts';

/** A longer text is not kept beside the job that it says. */
const CHARACTERS_MOST = 64 * 1_024;

/** As long as the job itself is kept, and no longer: it may hold what is to be forgotten (`store: false`). */
const texts = new WeakMap<Job, string>();

/** Every view of the job as JSON; `undefined` where it is not the same at every instant and for every reader. */
export function sharedJson(seen: Seen): string | undefined {
  const { job } = seen;
  if (!isTerminal(job.state) || job.rejectedText !== undefined || job.parts) return undefined;
  const known = texts.get(job);
  if (known !== undefined) return known;
  const text = JSON.stringify(renderJob(seen));
  if (text.length <= CHARACTERS_MOST) texts.set(job, text);
  return text;
}
