/** All job types. Adding one is its file and its line here. */
import { toFieldErrors } from '../core/field-errors.ts';
import type { Json } from '../core/job.ts';
import { generalLlmRequest } from './general-llm-request.ts';
import type { JobTypeDefinition } from './job-type.ts';
import { promptGeneration } from './prompt-generation.ts';
import { reviewColab } from './review-colab.ts';
import { structuredExtraction } from './structured-extraction.ts';
import { trainerQuestionAnalysis } from './trainer-question-analysis.ts';

export const JOB_TYPES: readonly JobTypeDefinition[] = [
  trainerQuestionAnalysis,
  reviewColab,
  generalLlmRequest,
  structuredExtraction,
  promptGeneration,
];

export const jobTypesByName: ReadonlyMap<string, JobTypeDefinition> = new Map(
  JOB_TYPES.map((type) => [type.name, { ...type, read: (input) => read(type, input) }]),
);

function read({ inputSchema }: JobTypeDefinition, input: Json): ReturnType<NonNullable<JobTypeDefinition['read']>> {
  const parsed = inputSchema.safeParse(input);
  return parsed.success ? { input: parsed.data as Json } : { wrong: toFieldErrors(parsed.error.issues) };
}
