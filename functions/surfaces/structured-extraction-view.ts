/** A job in the words of seed 002, which are those of RQ: `{ job_id, status, stage }`, and the result as a JSON string. */
import type { Seen } from '../../shared/core/access.ts';
import type { Job, JobState } from '../../shared/core/job.ts';
import { extractionText, structuredExtraction } from '../../shared/job-types/structured-extraction.ts';

/** So long after its end a job is found here; the job itself is kept longer. */
export const VISIBLE_MS = 3_600_000;

export const STATUS_WORDS = ['queued', 'started', 'finished', 'failed', 'canceled'] as const;
export const STAGES = ['calling_llm', 'validating', 'done'] as const;
type StatusWord = (typeof STATUS_WORDS)[number];
type Stage = (typeof STAGES)[number];

const WORDS: { readonly [S in JobState]: StatusWord } = {
  pending: 'queued',
  processing: 'started',
  completed: 'finished',
  failed: 'failed',
  cancelled: 'canceled',
};

/** Is this a job of the contract, and not over for too long? */
export function isVisible({ job, nowMs }: Seen): boolean {
  if (job.jobType !== structuredExtraction.name) return false;
  return job.completedAt === undefined || job.completedAt + VISIBLE_MS > nowMs;
}

export function renderStatus(job: Job) {
  return { job_id: job.id, status: wordOf(job), stage: stageOf(job) };
}

/** From the moment that a cancel is accepted the job can end in no other way. */
export function wordOf(job: Pick<Job, 'state' | 'cancelRequestedAt'>): StatusWord {
  return WORDS[job.cancelRequestedAt === undefined ? job.state : 'cancelled'];
}

/** Of a job that is over, the one in which it ended. */
function stageOf(job: Job): Stage | null {
  const word = wordOf(job);
  if (word === 'finished') return 'done';
  if (job.startedAt === undefined) return null;
  const isChecked = word === 'started' ? job.stage === 'validating' : job.error?.code === 'schema_violation';
  return isChecked ? 'validating' : 'calling_llm';
}

/** `undefined`: there is none. */
export function renderResult({ result, ...job }: Job): string | undefined {
  return wordOf(job) === 'finished' && result !== undefined ? extractionText(result) : undefined;
}
