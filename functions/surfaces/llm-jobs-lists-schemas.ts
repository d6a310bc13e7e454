/** The shapes of lists and batches on the wire. */
import { z } from '@hono/zod-openapi';
import { isJobId } from '../../shared/core/ids.ts';
import { fields } from '../../shared/job-types/fields.ts';
import { JOB_TYPES } from '../../shared/job-types/registry.ts';
import { modelId } from '../../shared/job-types/routing-fields.ts';
import { projectName, publishedSubmissionSchema, questionId } from '../../shared/job-types/submission.ts';
import { errorBody, jobView, pollAfter, status, submitted, success, wholeNumber } from './llm-jobs-schemas.ts';

const IDS_MOST = 50;
const JOBS_MOST = 500;

const INSTANT = 'must be a time as in RFC 3339, like 2025-01-18T10:15:30Z; write the + of an offset as %2B';

/** An instant in a query, as milliseconds since the epoch. */
const instant = z
  .string()
  .regex(/T\d\d:\d\d:\d\d/, { error: INSTANT })
  .pipe(z.iso.datetime({ offset: true, error: INSTANT }))
  .transform(Date.parse)
  .openapi({ type: 'string', format: 'date-time', example: '2025-01-18T10:15:30Z' });

const ids = z
  .string()
  .transform((text, context) => {
    const all = text.split(',').map((id) => id.trim().toLowerCase());
    const wrong = all.filter((id) => !isJobId(id));
    if (all.length > IDS_MOST) {
      context.addIssue(`must hold at most ${IDS_MOST} ids, separated by commas; it holds ${all.length}`);
    } else if (wrong.length > 0) {
      const named = wrong.map((id) => JSON.stringify(id.slice(0, 50).toWellFormed())).join(', ');
      context.addIssue(`must hold 1 to ${IDS_MOST} job ids (UUIDs), separated by commas; not one: ${named}`);
    }
    return [...new Set(all)];
  })
  .describe('These jobs, up to 50, in this order. Goes alone.')
  .openapi({ type: 'string', example: '0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11,4f5d2c0a-1f5b-4e1d-8a55-0e2f3a5f9b21' });

/** What a list is narrowed to; a cursor is good for one choice of these. */
const filters = {
  status: status.optional(),
  job_type: z.enum(JOB_TYPES.map((type) => type.name)).optional(),
  model: modelId.optional().describe('Its UUID, its name, or what its provider calls it.'),
  tag: z.string().min(1, { error: 'must not be empty' }).max(64).optional().describe('One of its tags.'),
  created_after: instant.optional().describe('Created later than this instant.'),
  created_before: instant.optional().describe('Created earlier than this instant.'),
  question_id: questionId.optional(),
  project_id: projectName.optional(),
  arm: z.string().min(1, { error: 'must not be empty' }).max(129).optional().openapi({ example: 'tone/short' }),
  batch_id: z.string().toLowerCase().refine(isJobId, { error: 'must be the id of a batch, a UUID' }).optional(),
};

export const listParameters = fields({
  ...filters,
  limit: wholeNumber(1, 100).optional().openapi({ default: 20 }),
  offset: wholeNumber(0, 1_000).optional().openapi({ default: 0 }),
  cursor: z
    .string()
    .optional()
    .describe('`next_cursor` of the page before. Costs the same at any depth; not beside `offset`.'),
  ids: ids.optional(),
}).superRefine((query, context) => {
  const given = (Object.keys(query) as (keyof typeof query)[]).filter((name) => query[name] !== undefined);
  if (query.ids !== undefined && given.length > 1) {
    const others = given.filter((name) => name !== 'ids').join(', ');
    context.addIssue({ code: 'custom', path: ['ids'], message: `goes alone; leave out: ${others}` });
  } else if (query.cursor !== undefined && query.offset !== undefined) {
    context.addIssue({ code: 'custom', path: ['cursor'], message: 'goes without offset: it says where to begin' });
  }
});

const { created_after: _, created_before: __, ...lasting } = filters;

export const listStreamParameters = fields({
  ...lasting,
  limit: wholeNumber(1, 100).optional().openapi({ default: 50 }).describe('So many of the newest are followed.'),
});

export const jobList = z
  .object({
    ...{ success, jobs: z.array(jobView) },
    limit: z.int().optional(),
    offset: z.int().optional(),
    next_cursor: z.string().optional().describe('Where the next page begins; absent on the last one.'),
    not_found: z.array(z.string()).optional().describe('Those of `ids` that there are not, or not for you.'),
    poll_after_ms: pollAfter.describe('With `ids`: how long to wait before asking again; absent when all are over.'),
  })
  .openapi('JobList');

/**
 * The item as a schema, for the description alone: each is checked on its own, or one would spoil the others. Made when
 * somebody asks for the description: no first answer waits for it.
 */
const item = { oneOf: { toJSON: () => z.toJSONSchema(publishedSubmissionSchema, { io: 'input' }).oneOf } };
const COUNT = `must hold 1 to ${JOBS_MOST} jobs`;

export const batchBody = fields({
  jobs: z
    .array(z.unknown().openapi(item as object))
    .min(1, { error: COUNT })
    .max(JOBS_MOST, { error: COUNT }),
});

const batchId = z.uuid();
const details = errorBody.shape.details;
const batchResult = {
  batch_id: batchId,
  items: z
    .array(
      z.union([
        submitted.extend({ index: z.int(), replayed: z.boolean().optional() }),
        z.object({
          ...{ index: z.int(), success: z.literal(false), error: z.string(), code: z.string(), details },
          job_id: z.string().optional(),
        }),
      ]),
    )
    .describe('What became of each job, in the order in which they were sent.'),
  accepted: z.int(),
  rejected: z.int(),
  urls: z.object({ status: z.string() }),
};

export const batchSubmitted = z.object({ success, ...batchResult }).openapi('BatchSubmitted');

export const batchRefused = errorBody.extend(z.object(batchResult).partial().shape).openapi('BatchRefused');

export const batchParameters = z.object({ batch_id: z.string() });

export const batchView = z
  .object({
    success,
    batch_id: batchId,
    total: z.int(),
    counts: z.object({
      pending: z.int(),
      processing: z.int(),
      completed: z.int(),
      failed: z.int(),
      cancelled: z.int(),
    }),
    percent: z.int().describe('The share that is over; 100 only when all are.'),
    is_complete: z.boolean(),
    poll_after_ms: pollAfter,
    urls: z.object({ jobs: z.string() }),
  })
  .openapi('Batch');
