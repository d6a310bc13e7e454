/**
 * The body of a canonical submission, one branch per job type: checked at `POST /api/llm/jobs/submit/` and described
 * in the API's reference.
 */
import { z } from 'zod';
import { toNanoUsd } from '../core/costs.ts';
import type { FieldError } from '../core/errors.ts';
import { toFieldErrors } from '../core/field-errors.ts';
import { isClientJobId, KEY_RULE, normalizedKey } from '../core/ids.ts';
import type { Json, Limits } from '../core/job.ts';
import { LIMIT_RANGES } from '../core/limits.ts';
import { RETENTION_RANGE } from '../core/retention.ts';
import { PROJECT_CHARACTERS_MOST, type Submission, type SubmissionExtras } from '../core/submitting.ts';
import { fields, refuseLostName } from './fields.ts';
import { JOB_TYPES } from './registry.ts';
import { modelId, routingFields, toRouting } from './routing-fields.ts';
import { toWebhook, webhookFields } from './webhook-field.ts';

const PROJECT_TEXT = new RegExp(`^[\\s\\S]{1,${PROJECT_CHARACTERS_MOST}}$`);
const PROJECT = `must be 1 to ${PROJECT_CHARACTERS_MOST} characters, or a whole number`;
const USD_MOST = 1_000;
const MAX_COST = `must be a number of US dollars above 0, at most ${USD_MOST}`;

/** The caller's own id of the question that the job belongs to. */
export const questionId = z.string().min(1, { error: 'must not be empty' }).max(200);
/** The caller's own project that the job belongs to. */
export const projectName = z.string().min(1, { error: 'must not be empty' }).max(PROJECT_CHARACTERS_MOST);

function seconds(clock: keyof Limits, meaning: string) {
  const [least, most] = LIMIT_RANGES[clock];
  const error = `must be a number of seconds from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error }).describe(meaning).optional();
}

/** The four clocks of a job, in seconds; without one, the job type's own holds. */
export const clocks = {
  start_within: seconds('startWithinMs', 'Seconds until a worker must have taken the job, else `start_timeout`.'),
  timeout: seconds('timeoutMs', 'Seconds until the job must be over, waits included, else `job_timeout`.'),
  attempt_timeout: seconds('attemptTimeoutMs', 'Seconds that one attempt may take, else `attempt_timeout`.'),
  idle_timeout: seconds('idleTimeoutMs', 'Seconds that the model may be silent, else `idle_timeout`.'),
};
const CLOCKS = {
  start_within: 'startWithinMs',
  timeout: 'timeoutMs',
  attempt_timeout: 'attemptTimeoutMs',
  idle_timeout: 'idleTimeoutMs',
} as const satisfies Record<keyof typeof clocks, keyof Limits>;

type Clocks = { [name in keyof typeof clocks]?: number | undefined };

/** The clocks that a body names, as the core takes them. */
export function toLimits(body: Clocks): Partial<Limits> {
  const names = Object.keys(CLOCKS) as (keyof Clocks)[];
  return Object.fromEntries(
    names.flatMap((name) => (body[name] === undefined ? [] : [[CLOCKS[name], Math.round(body[name] * 1_000)]])),
  );
}

const TAGS_MOST = 10;
const PAIRS_MOST = 16;
const WORD = 'must be 1 to 64 characters';
const word = z.string().min(1, { error: WORD }).max(64, { error: WORD });
const [TTL_LEAST, TTL_MOST] = RETENTION_RANGE;
const TTL = `must be a whole number of seconds from ${TTL_LEAST} to ${TTL_MOST}`;

/** What any submission may say of itself. */
export const extras = {
  tags: z
    .array(word)
    .max(TAGS_MOST, { error: `must hold at most ${TAGS_MOST} tags` })
    .describe('Your own words for the job; jobs can be listed by one.')
    .optional(),
  metadata: z
    .preprocess(
      refuseLostName,
      z
        .record(word, z.string().max(512, { error: 'must have at most 512 characters' }))
        .refine((pairs) => Object.keys(pairs).length <= PAIRS_MOST, { error: `must hold at most ${PAIRS_MOST} pairs` })
        .describe('Up to 16 pairs of your own, shown in every view.'),
    )
    .optional(),
  stream: z.boolean().describe('Keep the answer as it comes, so that it can be streamed while it is made.').optional(),
  store: z
    .boolean()
    .describe('`false`: input and result are removed a minute after the result was read, or an hour after the end.')
    .optional(),
  project_id: z
    .preprocess(
      (project) => (Number.isSafeInteger(project) ? String(project) : project),
      z
        .string({ error: PROJECT })
        // Not `min` and `max`, which look at arrays, too.
        .regex(PROJECT_TEXT, { error: PROJECT })
        .describe(
          'Your own project that the job belongs to, by which jobs can be listed; a whole number is kept as text.',
        ),
    )
    .optional(),
  max_cost: z
    .number({ error: MAX_COST })
    .gt(0, { error: MAX_COST })
    .max(USD_MOST, { error: MAX_COST })
    .describe('US dollars that all calls of the job together may cost: it is refused, or its output limited, before.')
    .optional(),
  ttl_seconds: z
    .int({ error: TTL, abort: true })
    .min(TTL_LEAST, { error: TTL })
    .max(TTL_MOST, { error: TTL })
    .describe('How long the job can be read after its end; 30 days when absent.')
    .optional(),
  ...routingFields,
  ...webhookFields,
};

type Extras = { [name in keyof typeof extras]?: z.infer<(typeof extras)[name]> };

/** What a body says of itself, as the core takes it. What says nothing is the same as nothing, also to a repeat. */
export function toExtras({ tags = [], metadata = {}, stream, store, ttl_seconds, ...more }: Extras): SubmissionExtras {
  const { project_id, max_cost } = more;
  return {
    projectId: project_id,
    nanoUsdMost: max_cost === undefined ? undefined : Math.max(1, toNanoUsd(max_cost)),
    tags: tags.length > 0 ? tags : undefined,
    metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
    stream: stream || undefined,
    store: store === false ? false : undefined,
    retentionMs: ttl_seconds === undefined ? undefined : ttl_seconds * 1_000,
    ...toRouting(more),
    ...toWebhook(more),
  };
}

const envelope = { model_id: modelId, question_id: questionId.optional(), ...clocks, ...extras };

function submissionUnion<Shape extends z.ZodRawShape>(more: Shape) {
  const branches = JOB_TYPES.map((type) => {
    const { modelOf } = type;
    const rest = { job_type: z.literal(type.name), ...envelope, ...more, input_data: type.inputSchema };
    if (!modelOf) return fields({ ...rest, model_id: modelId as z.ZodType<string | undefined> });
    return fields({ ...rest, model_id: modelId.optional() }).superRefine((body, context) => {
      const { model_id, input_data } = body as { model_id?: string; input_data: unknown };
      if (model_id !== undefined || modelOf(input_data as Json)) return;
      context.addIssue({ code: 'custom', path: ['model_id'], message: 'is required, a string' });
    });
  });
  return z.discriminatedUnion('job_type', branches as [(typeof branches)[number], ...typeof branches], {
    error: (issue) =>
      issue.code === 'invalid_union' ? `must be one of: ${JOB_TYPES.map((type) => type.name).join(', ')}` : undefined,
  });
}

/** The body of a submit over HTTP. */
export const submissionSchema = submissionUnion({});

/** A message that a service publishes: the same, with what makes a repeat the same job. */
export const publishedSubmissionSchema = submissionUnion({
  job_id: z
    .string()
    .toLowerCase()
    .refine(isClientJobId, { error: 'must be a UUID of version 4 or 7' })
    .optional()
    .describe('The id of the job, chosen by you: a UUID of version 4 or 7. Publishing it again makes no second job.'),
  idempotency_key: z
    .string()
    .refine((key) => normalizedKey(key) !== undefined, { error: KEY_RULE })
    .optional()
    .describe(
      'Publishing another message with this key makes no second job. Without key and id, each message is a job.',
    ),
}).refine((message) => message.job_id === undefined || message.idempotency_key === undefined, {
  path: ['idempotency_key'],
  error: 'must not be given beside job_id',
});

const untyped = fields({
  job_type: z.unknown().optional(),
  ...envelope,
  input_data: z.record(z.string(), z.unknown()),
});

/** What is wrong with a body beside its job type. Without a known type, zod looks at nothing else. */
export function envelopeIssues(body: unknown): z.core.$ZodIssue[] {
  return untyped.safeParse(body).error?.issues ?? [];
}

/** A validated body as the core takes it. */
export function toSubmission(
  body: z.infer<typeof submissionSchema> & { job_id?: string | undefined; idempotency_key?: string | undefined },
): Submission {
  return {
    jobType: body.job_type,
    model: body.model_id,
    input: body.input_data as Json,
    questionId: body.question_id,
    limits: toLimits(body),
    ...toExtras(body),
    jobId: body.job_id,
    idempotencyKey: body.idempotency_key === undefined ? undefined : normalizedKey(body.idempotency_key),
  };
}

/** Reads what a service published, or says what is wrong with it. */
export function parsePublished(content: unknown): { submission: Submission } | { wrong: FieldError[] } {
  const parsed = publishedSubmissionSchema.safeParse(content);
  return parsed.success ? { submission: toSubmission(parsed.data) } : { wrong: toFieldErrors(parsed.error.issues) };
}
