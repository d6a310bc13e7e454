/** `trainer_question_analysis`: analyses a trainer's question under a system message. */
import type { z } from 'zod';
import { conversation, fields, text } from './fields.ts';
import { ATTEMPT_TIMEOUT_MS, IDLE_TIMEOUT_MS, type JobTypeDefinition, textResult } from './job-type.ts';

export const trainerQuestionInput = fields({ system_message: text.optional(), full_input: text });

export const trainerQuestionAnalysis: JobTypeDefinition = {
  name: 'trainer_question_analysis',
  inputSchema: trainerQuestionInput,
  attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
  idleTimeoutMs: IDLE_TIMEOUT_MS,
  toRequest(input, { model }) {
    const { system_message, full_input } = input as z.infer<typeof trainerQuestionInput>;
    return { model, messages: conversation(system_message, full_input) };
  },
  toResult: textResult,
};
