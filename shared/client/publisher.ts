/**
 * Submits jobs from a service by Pub/Sub, in place of the API: through the service's own `@google-cloud/pubsub`, so with
 * its credentials, or its emulator.
 *
 *     const topic = new PubSub().topic('llm-jobs-submissions');
 *     const { jobId } = await publishJob(topic, {
 *       job_type: 'general_llm_request', model_id: 'gpt-4o-mini', input_data: { prompt: 'Say hello.' },
 *     });
 */
import { jsonOf, wrongId } from './checks.ts';
import { type FieldError, LlmJobsError } from './errors.ts';
import { newJobId } from './job-id.ts';
import type { PublishedSubmission } from './submissions.ts';

export * from './errors.ts';
export type * from './general-input.ts';
export { newJobId } from './job-id.ts';
export type * from './submissions.ts';

/** What is used of a `Topic`. */
export type PublishingTopic = {
  publishMessage(message: { data: Uint8Array; attributes?: Record<string, string> }): Promise<string>;
};

export type PublishOptions = {
  /** Of the message; `googclient_traceparent` makes the job a part of that trace. */
  attributes?: Record<string, string>;
};

/** Pub/Sub has the message; a moment later the job is found under its id. With a key the server makes that. */
export type Published<JobId = string> = { jobId: JobId; messageId: string };

/**
 * Publishes a job. Its id is made before it is sent: `job_id`, where there is one. Publish it again with the same id, say
 * the one in an error, and it is one job.
 */
export async function publishJob(
  topic: PublishingTopic,
  job: PublishedSubmission & { idempotency_key: string },
  options?: PublishOptions,
): Promise<Published<undefined>>;
export async function publishJob(
  topic: PublishingTopic,
  job: PublishedSubmission & { idempotency_key?: never },
  options?: PublishOptions,
): Promise<Published>;
export async function publishJob(
  topic: PublishingTopic,
  job: PublishedSubmission,
  options?: PublishOptions,
): Promise<Published<string | undefined>>;
export async function publishJob(
  topic: PublishingTopic,
  job: PublishedSubmission,
  { attributes }: PublishOptions = {},
): Promise<Published<string | undefined>> {
  const { job_id, idempotency_key } = job ?? {};
  const jobId = job_id === undefined && idempotency_key === undefined ? newJobId() : job_id;
  const wrong: FieldError[] = jobId === undefined ? [] : wrongId('job_id', jobId);
  if (idempotency_key !== undefined) wrong.push(...wrongKey(idempotency_key, job_id));
  const message = jobId === undefined ? job : { ...job, job_id: jobId };
  const data = new TextEncoder().encode(jsonOf(message, wrong, jobId));
  try {
    return { jobId, messageId: await topic.publishMessage({ data, ...(attributes && { attributes }) }) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : `${cause}`;
    throw new LlmJobsError('no_answer', `Pub/Sub did not take the job: ${why}`, { cause, jobId });
  }
}

function wrongKey(key: unknown, jobId: unknown): FieldError[] {
  const path = 'idempotency_key';
  if (jobId !== undefined) return [{ path, message: 'must not be given beside job_id' }];
  // It counts without blanks around it, and without quotes.
  const bare = typeof key === 'string' ? key.trim().replace(/^"(.*)"$/, '$1') : '';
  return /^[\x20-\x7e]{1,255}$/.test(bare) ? [] : [{ path, message: 'must be 1 to 255 visible ASCII characters' }];
}
