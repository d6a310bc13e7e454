/** What a file of this folder exports: the core's `JobType`, and the schema of its input. */
import type { z } from 'zod';
import type { JobType } from '../core/job-type.ts';
import type { Answer } from '../core/llm.ts';

export type JobTypeDefinition = JobType & {
  /** The shape of `input_data`, checked at submit and shown in the API's description. */
  inputSchema: z.ZodType;
};

/** The result of seed 000: `{ success: true, result: "…" }`. */
export function textResult({ text }: Pick<Answer, 'text'>) {
  return { result: { success: true, result: text } };
}
