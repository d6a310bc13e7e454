/** What a file of this folder exports: the core's `JobType`, and the schema of its input. */
import type { z } from 'zod';
import type { JobType } from '../core/ports.ts';

export type JobTypeDefinition = JobType & {
  /** The shape of `input_data`, checked at submit and shown in the API's description. */
  inputSchema: z.ZodType;
};

/** Pub/Sub delivers again after 600 s; what an attempt does must be over by then. */
export const ATTEMPT_TIMEOUT_MS = 540_000;

/** Reasoning models are silent for minutes. */
export const IDLE_TIMEOUT_MS = 240_000;

/** The result of seed 000: `{ success: true, result: "…" }`. */
export function textResult(text: string) {
  return { success: true, result: text };
}
