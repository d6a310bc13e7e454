/** The line that a job ended: the same fields, whoever ended it. What is counted of jobs is counted by it. */
import { toUsd } from './costs.ts';
import type { Job } from './job.ts';
import { UNKNOWN_PROVIDER } from './new-job.ts';
import type { Log } from './ports.ts';
import { routeOf } from './routes.ts';

const UNKNOWN = 'unknown';

/** Logs that the job, which is over, has ended. `firstTokenMs`: how long its last call took to begin its answer. */
export function logEnd(log: Log, job: Job, firstTokenMs?: number): void {
  const { id, tenant, state, error, attempt, createdAt, startedAt, completedAt = 0, spent } = job;
  log('info', 'job-finished', {
    ...{ job_id: id, tenant, attempt, state, code: error?.code, ...namesOf(job) },
    queue_ms: startedAt === undefined ? undefined : startedAt - createdAt,
    duration_ms: completedAt - (startedAt ?? createdAt),
    first_token_ms: firstTokenMs,
    input_tokens: spent?.inputTokens,
    output_tokens: spent?.outputTokens,
    cost_usd: spent && toUsd(spent.nanoUsd),
    cost_estimated: spent && spent.estimatedNanoUsd > 0,
  });
}

/** Those of a message that could not be taken in are the message's own words, which no log may hold. */
function namesOf(job: Job) {
  const { provider, model } = routeOf(job).model;
  const isOurs = provider !== UNKNOWN_PROVIDER;
  return { job_type: isOurs ? job.jobType : UNKNOWN, provider, model: isOurs ? model : UNKNOWN };
}
