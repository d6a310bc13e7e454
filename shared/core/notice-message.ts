/**
 * A notice as a message: thin, so that whoever gets it asks for what they may see. The same bytes each time it is sent,
 * but for the job that is in it where its owner wants that: it is as it is then.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-structure
 */
import type { Seen } from './access.ts';
import { derivedId } from './ids.ts';
import { isTerminal, type Job, type JobState } from './job.ts';
import type { Notice, NoticeMessage, NoticeType } from './notices.ts';
import { asShown } from './payloads.ts';
import { isGone } from './retention.ts';
import { toTime } from './utc.ts';

/** The standard's advice is 20 kB. */
const BODY_BYTES_MOST = 20_000;
const encoder = new TextEncoder();

/** How a job is shown whole, where its owner wants it in the message. */
export type RenderJob = (seen: Seen) => unknown;

/** The id by which a receiver knows a notice again: of two jobs, or of two notices of one, never the same. */
export async function eventIdOf({ tenant, id }: Job, { version }: Notice): Promise<string> {
  return `evt_${await derivedId('notice', tenant, id, String(version))}`;
}

/** The message for a topic. */
export async function noticeMessage(job: Job, notice: Notice): Promise<NoticeMessage> {
  return { id: await eventIdOf(job, notice), body: fitting([thin(job, notice), bare(job, notice)], notice) };
}

/** The message for the job's webhook: the end with the whole job in it, where that was asked for and is small enough. */
export async function webhookMessage(
  job: Job,
  notice: Notice,
  { nowMs, renderJob }: { nowMs: number; renderJob?: RenderJob | undefined },
): Promise<NoticeMessage> {
  // Nobody is shown a job that expired.
  const isWhole = job.webhook?.include === 'job' && isTerminal(stateOf(notice.type)) && !isGone(job, nowMs);
  const whole = isWhole && renderJob ? [{ ...thin(job, notice), job: renderJob(asShown({ job, nowMs })) }] : [];
  return {
    id: await eventIdOf(job, notice),
    body: fitting([...whole, thin(job, notice), bare(job, notice)], notice),
  };
}

/** What a subscription to the topic can be filtered by. */
export function attributesOf(job: Job, { type, version }: Notice, eventId: string): { [name: string]: string } {
  const { tenant, id, jobType, batchId } = job;
  return {
    ...{ event_id: eventId, type: `job.${type}`, status: stateOf(type), tenant, job_id: id, job_type: jobType },
    version: String(version),
    ...(batchId === undefined ? {} : { batch_id: batchId }),
  };
}

function bare(job: Job, { type, version }: Notice) {
  const status = stateOf(type);
  return {
    ...{ job_id: job.id, job_type: job.jobType, user_id: job.user, status, is_complete: isTerminal(status), version },
    error_code: type === 'failed' ? job.error?.code : undefined,
    ...{ question_id: job.questionId, project_id: job.projectId, batch_id: job.batchId },
  };
}

function thin(job: Job, notice: Notice) {
  return { ...bare(job, notice), tags: job.tags, metadata: job.metadata };
}

/** The state that a notice tells of. */
function stateOf(type: NoticeType): JobState {
  return type === 'started' ? 'processing' : type;
}

/** The first of these that is small enough, or the last. */
function fitting(candidates: readonly object[], { type, happenedAt }: Notice): string {
  const bodies = candidates.map((data) => JSON.stringify({ type: `job.${type}`, timestamp: toTime(happenedAt), data }));
  return bodies.find((body) => encoder.encode(body).length <= BODY_BYTES_MOST) ?? (bodies.at(-1) as string);
}
