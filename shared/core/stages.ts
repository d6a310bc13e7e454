/** What readers are shown of a job that is being worked on. */
import type { JobType } from './job-type.ts';

const CALLING = 'calling_llm';

/** The stages with which an attempt begins, the first of which its record is written with. */
export function stagesOf(type: Pick<JobType, 'stages'> | undefined, attempt: number): readonly [string, ...string[]] {
  const begin = type?.stages?.begin ?? [CALLING];
  return attempt <= 1 ? begin : [begin.at(-1) ?? CALLING];
}
