/**
 * The body of a canonical submission, one branch per job type: checked at `POST /api/llm/jobs/submit/` and described
 * in the API's reference.
 */
import { z } from 'zod';
import { isClientJobId, KEY_RULE, normalizedKey } from '../core/ids.ts';
import type { Json, Limits } from '../core/job.ts';
import { LIMIT_RANGES } from '../core/limits.ts';
import type { Submission } from '../core/service.ts';
import { fields } from './fields.ts';
import { JOB_TYPES } from './registry.ts';

/** A model's UUID, the provider's name for it, or its name as shown to people. */
export const modelId = z.string().min(1, { error: 'must not be empty' }).max(200);
/** The caller's own id of the question that the job belongs to. */
export const questionId = z.string().min(1, { error: 'must not be empty' }).max(200);

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

const envelope = { model_id: modelId, question_id: questionId.optional(), ...clocks };

function submissionUnion<Shape extends z.ZodRawShape>(more: Shape) {
  const branches = JOB_TYPES.map((type) =>
    fields({ job_type: z.literal(type.name), ...envelope, ...more, input_data: type.inputSchema }),
  );
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
    jobId: body.job_id,
    idempotencyKey: body.idempotency_key === undefined ? undefined : normalizedKey(body.idempotency_key),
  };
}
