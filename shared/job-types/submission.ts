/**
 * The body of a canonical submission, one branch per job type: checked at `POST /api/llm/jobs/submit/` and described
 * in the API's reference.
 */
import { z } from 'zod';
import type { Json } from '../core/job.ts';
import type { Submission } from '../core/service.ts';
import { fields } from './fields.ts';
import { JOB_TYPES } from './registry.ts';

/** A model's UUID, the provider's name for it, or its name as shown to people. */
export const modelId = z.string().min(1, { error: 'must not be empty' }).max(200);
/** The caller's own id of the question that the job belongs to. */
export const questionId = z.string().max(200);

const envelope = { model_id: modelId, question_id: questionId.optional() };
const branches = JOB_TYPES.map((type) =>
  fields({ job_type: z.literal(type.name), ...envelope, input_data: type.inputSchema }),
);

export const submissionSchema = z.discriminatedUnion(
  'job_type',
  branches as [(typeof branches)[number], ...typeof branches],
  {
    error: (issue) =>
      issue.code === 'invalid_union' ? `must be one of: ${JOB_TYPES.map((type) => type.name).join(', ')}` : undefined,
  },
);

/** What is wrong with a body beside its job type. Without a known type, zod looks at nothing else. */
export function envelopeIssues(body: unknown): z.core.$ZodIssue[] {
  return z.looseObject(envelope).safeParse(body).error?.issues ?? [];
}

/** A validated body as the core takes it. */
export function toSubmission(body: z.infer<typeof submissionSchema>): Submission {
  return {
    jobType: body.job_type,
    model: body.model_id,
    input: body.input_data as Json,
    questionId: body.question_id,
  };
}
