/** `trainer_question_analysis`: analyses a trainer's question under a system message. */
import type { z } from 'zod';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import { DEFAULT_RETENTION_MS } from '../core/retention.ts';
import { DEFAULT_RETRY } from '../core/retry.ts';
import { conversation, fields, text } from './fields.ts';
import { type JobTypeDefinition, textResult } from './job-type.ts';

export const trainerQuestionInput = fields({ system_message: text.optional(), full_input: text });

export const trainerQuestionAnalysis: JobTypeDefinition = {
  name: 'trainer_question_analysis',
  inputSchema: trainerQuestionInput,
  limits: DEFAULT_LIMITS,
  retry: DEFAULT_RETRY,
  retentionMs: DEFAULT_RETENTION_MS,
  toRequest(input, { model }) {
    const { system_message, full_input } = input as z.infer<typeof trainerQuestionInput>;
    return { model, messages: conversation(system_message, full_input) };
  },
  toResult: textResult,
};
