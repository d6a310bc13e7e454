/** The shapes of `/api/llm` on the wire: what the routes check, and what `/openapi.json` describes. */
import { z } from '@hono/zod-openapi';
import { JOB_STATES, type JobState } from '../../shared/core/job.ts';
import { WAIT_SECONDS_MOST } from '../../shared/http/polling.ts';
import { fields } from '../../shared/job-types/fields.ts';
import { modelId } from '../../shared/job-types/routing-fields.ts';
import { clocks, extras, questionId } from '../../shared/job-types/submission.ts';
import { trainerQuestionInput } from '../../shared/job-types/trainer-question-analysis.ts';
import { cachedFields } from './llm-jobs-cached.ts';
import { modelReference as model, routing } from './llm-jobs-routing-view.ts';
import { urls } from './llm-jobs-urls.ts';

export const time = z.string().openapi({ format: 'date-time', example: '2025-01-18T10:15:30Z' });
export const status = z.enum(JOB_STATES as [JobState, ...JobState[]]);
export const success = z.literal(true);
export const jobId = z.uuid();

const usage = z
  .object({
    input_tokens: z.int(),
    output_tokens: z.int(),
    total_tokens: z.int(),
    cached_input_tokens: z.int().optional(),
    reasoning_tokens: z.int().optional(),
  })
  .openapi('Usage');

const cost = {
  cost: z.number().nullable().optional().describe('US dollars; `null`: nobody knows its price. Absent: not known yet.'),
  cost_estimated: z
    .literal(true)
    .optional()
    .describe('At least in part by estimate: a provider did not say what was used.'),
};

const attempt = z
  .object({
    n: z.int(),
    started_at: time,
    ended_at: time.optional(),
    provider: z.string(),
    model: z.string(),
    outcome: z.enum(['completed', 'failed', 'cancelled', 'released', 'lost']).optional(),
    error_code: z.string().optional(),
    provider_request_id: z.string().optional(),
    finish_reason: z.string().optional(),
    calls: z.int(),
    usage: usage.optional(),
    ...cost,
  })
  .openapi('Attempt');

const resultData = z.any().openapi({ example: { success: true, result: 'The analysis shows...' } });

const own = {
  tags: z.array(z.string()).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  batch_id: z.string().optional(),
  project_id: z.string().optional(),
  max_cost: z.number().optional(),
  stream: z.boolean().optional(),
  store: z.literal(false).optional(),
  ...routing,
};
const links = {
  retry_of: jobId.optional().describe('The job that it was made from.'),
  retried_as: jobId.optional().describe('The job that was made from it.'),
};
export const pollAfter = z
  .int()
  .optional()
  .describe('Of a job that is not over: how long to wait before asking again.');

export const jobView = z
  .object({
    success,
    job_id: jobId,
    job_type: z.string(),
    status,
    is_complete: z.boolean(),
    created_at: time,
    started_at: time.optional(),
    completed_at: time.optional(),
    processing_time: z.number().optional(),
    result_data: resultData.optional(),
    result_bytes: z
      .int()
      .optional()
      .describe(
        'Of a large result (over 256 KiB): its size as JSON. Where many jobs are shown, or a job is not read for its result, `result_data` is absent then; `urls.result` has it.',
      ),
    error_message: z.string().optional(),
    error_code: z.string().optional(),
    model,
    question_id: z.string().optional(),
    ...{ ...own, ...links },
    progress: z.number(),
    stage: z.string().optional(),
    message: z.string(),
    next_attempt_at: time.optional().describe('While the job waits between two attempts: when the next one may start.'),
    cancel_requested_at: time.optional().describe('The end was asked for; the call is being broken off.'),
    billing: z
      .enum(['none', 'possible', 'final'])
      .optional()
      .describe('Of a job that is over: whether a provider may have charged for it. `final`: `usage` is all of it.'),
    start_within: z.number(),
    timeout: z.number(),
    attempt_timeout: z.number(),
    idle_timeout: z.number(),
    ttl_seconds: z.number(),
    payloads_removed_at: time
      .optional()
      .describe('Of a job with `store: false`: since when its input and result are gone.'),
    expires_at: time.optional().describe('Of a job that is over: from then on it is not found.'),
    poll_after_ms: pollAfter,
    version: z.int(),
    ...cachedFields,
    attempts: z.array(attempt),
    usage: usage.optional().describe('Of all attempts together.'),
    ...cost,
    urls,
  })
  .openapi('Job');

export const wholeJobView = jobView
  .extend({
    rejected_text: z
      .string()
      .optional()
      .describe('Of a job that failed because its answer could not be used: that answer.'),
  })
  .openapi('WholeJob');

const token = {
  job_token: z.string().describe('Reads and cancels this one job: for a browser that has no credentials of its own.'),
  job_token_expires_at: time,
};

export const submitted = z
  .object({
    ...{ success, job_id: jobId, status, message: z.string(), job_type: z.string(), created_at: time, model },
    ...{ ...own, ...links },
    ...{ poll_after_ms: pollAfter, urls },
    job_token: token.job_token.optional(),
    job_token_expires_at: time.optional(),
  })
  .openapi('Submitted');

export const deletedJob = z
  .object({ success, job_id: jobId, deleted: z.literal(true), status, message: z.string() })
  .openapi('DeletedJob');

export const resultView = z
  .object({
    success,
    job_id: jobId,
    job_type: z.string(),
    status,
    result_data: resultData,
    processing_time: z.number().optional(),
    model,
    question_id: z.string().optional(),
    ...own,
  })
  .openapi('JobResult');

export const errorBody = z
  .object({
    success: z.literal(false),
    error: z.string(),
    code: z.string(),
    request_id: z.string(),
    details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    status: status.optional(),
    job_id: jobId.optional(),
  })
  .openapi('Error');

/** The convenience endpoint takes the fields of the job type's input beside the others. */
export const trainerAnalysisBody = fields({
  model_id: modelId,
  question_id: questionId.optional(),
  ...clocks,
  ...extras,
  ...trainerQuestionInput.shape,
});

/** A whole number in a query, which is text. */
export const wholeNumber = (least: number, most: number) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .string({ error })
    .regex(/^\d+$/, { error })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error })
    .openapi({ type: 'integer', minimum: least, maximum: most });
};

export const waitParameters = fields({
  wait: wholeNumber(0, WAIT_SECONDS_MOST)
    .optional()
    .describe('For how many seconds the answer may be held: until the job has changed, or, of a submit, is over.'),
});

const prefer = z.string().optional().openapi({ example: 'wait=10' }).describe('`wait=N` is as good as the parameter.');

/** The draft allows a key to be quoted; clients send it bare. */
export const keyHeaders = z.object({ 'idempotency-key': z.string().optional() });
export const submitHeaders = keyHeaders.extend({ prefer });
export const putHeaders = z.object({ prefer });
export const statusHeaders = z.object({
  prefer,
  'if-none-match': z.string().optional().describe('The `ETag` of the answer that you have.'),
});

const header = (description: string) => z.string().optional().describe(description);
const applied = { 'Preference-Applied': header('The `wait` of `Prefer` that was honoured.') };
const again = { 'Retry-After': header('In how many seconds to ask again, while the job is not over.') };
export const statusAnswerHeaders = z.object({
  ETag: header('Of what is shown: its version and progress. For `If-None-Match`.'),
  ...again,
  ...applied,
});
export const submitAnswerHeaders = z.object({
  Location: header('Where the status is.'),
  'Idempotency-Replayed': header('`true`: the job was there before.'),
  ...again,
  ...applied,
});

/** What an `EventSource` sends when it comes back. */
export const streamHeaders = z.object({ 'last-event-id': z.string().optional() });

export const streamParameters = fields({
  starting_after: z
    .string()
    .optional()
    .openapi({ type: 'integer', minimum: 0, description: 'The id of the last event that you have.' }),
  access_token: z.string().optional().describe('A `job_token`: an `EventSource` sends no headers.'),
});

/** Of a request that says nothing but itself. */
export const noFields = fields({});

export const jobToken = z.object({ success, job_id: jobId, ...token }).openapi('JobToken');

export const jobParameters = z.object({ job_id: z.string() });
