/** `general_llm_request`: any prompt, as one text, as a conversation, or as a system message with an input. */
import { z } from 'zod';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import { DEFAULT_RETENTION_MS } from '../core/retention.ts';
import { DEFAULT_RETRY } from '../core/retry.ts';
import { conversation, fields, message, text } from './fields.ts';
import { type JobTypeDefinition, textResult } from './job-type.ts';

const inputSchema = fields({
  prompt: text.optional(),
  messages: z.array(message).min(1, { error: 'must hold at least one message' }).optional(),
  full_input: text.optional(),
  system_message: text.optional(),
}).superRefine((input, context) => {
  const given = (['prompt', 'messages', 'full_input'] as const).filter((field) => input[field] !== undefined);
  const fail = (path: string, sentence: string) =>
    context.addIssue({ code: 'custom', path: [path], message: sentence });
  if (given.length === 0) fail('full_input', 'is required: give exactly one of prompt, messages, full_input');
  for (const field of given.slice(1)) fail(field, `must not be given beside ${given[0]}`);
  if (input.messages?.length && input.messages.every((turn) => turn.role === 'system')) {
    fail('messages', 'must hold at least one message whose role is user or assistant');
  }
  if (input.system_message !== undefined && !given.includes('full_input')) {
    fail('system_message', 'goes with full_input only; within messages use the role "system"');
  }
});

export const generalLlmRequest: JobTypeDefinition = {
  name: 'general_llm_request',
  inputSchema,
  limits: DEFAULT_LIMITS,
  retry: DEFAULT_RETRY,
  retentionMs: DEFAULT_RETENTION_MS,
  toRequest(input, { model }) {
    const { prompt, messages, full_input, system_message } = input as z.infer<typeof inputSchema>;
    return { model, messages: messages ?? conversation(system_message, prompt ?? full_input ?? '') };
  },
  toResult: textResult,
};
