/** `prompt_generation`: makes a better prompt of one that was written by hand; where no model can, a plain one. */
import type { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import type { Limits } from '../core/job.ts';
import { DEFAULT_RETENTION_MS } from '../core/retention.ts';
import type { RetryPolicy } from '../core/retry.ts';
import { conversation, fields, text } from './fields.ts';
import { type JobTypeDefinition, textResult } from './job-type.ts';

/** What it does, one after the other; `PromptStage` is what readers find in a job. */
const STAGES = {
  begin: ['initializing', 'checking_tokens', 'generating'],
  accepted: 'waiting_for_ai',
  answered: 'finalizing',
} as const;
export type PromptStage = (typeof STAGES.begin)[number] | typeof STAGES.accepted | typeof STAGES.answered;

const ENHANCER = `You improve prompts that people wrote by hand for an AI assistant.
Rewrite the prompt of the user so that an assistant that follows it answers as they meant: say the role, the task, the context, the tone, the limits and the form of the answers, clearly and in order. Keep every fact, name, number, link and rule of the original, and its language; invent none.
Answer with the improved prompt alone: no introduction, no comment, no quotation marks around it.`;

/** Stands before the manual prompt where no model could be asked. */
const FIXED_INSTRUCTION =
  'You are a helpful assistant. Follow the instructions below. Keep to the facts that they give, say so when you do not know something, and answer clearly and politely in the language of the user.';

/** Its clients give up after 120 s. */
const LIMITS: Limits = { startWithinMs: 100_000, timeoutMs: 100_000, attemptTimeoutMs: 45_000, idleTimeoutMs: 30_000 };
const RETRY: RetryPolicy = {
  pausesMs: [1_000, 2_000, 4_000],
  refusalsMost: 3,
  jitter: 'full',
  waitInPlaceMostMs: 10_000,
  pauseMostMs: 10_000,
};

/** Whom we will not work for gets nothing instead. */
const REFUSALS: readonly string[] = [
  'insufficient_credits',
  'budget_exceeded',
  'subscription_inactive',
] satisfies ErrorCode[];

export const promptGenerationInput = fields({ manual_prompt: text });

type Input = z.infer<typeof promptGenerationInput>;

export const promptGeneration: JobTypeDefinition = {
  name: 'prompt_generation',
  inputSchema: promptGenerationInput,
  stages: STAGES,
  credits: { tokens: 700, purpose: 'prompt enhancement' },
  limits: LIMITS,
  retry: RETRY,
  retentionMs: DEFAULT_RETENTION_MS,

  toRequest: (input, { model }) => ({ model, messages: conversation(ENHANCER, (input as Input).manual_prompt) }),

  toResult: (answer) => ({ result: { ...textResult(answer).result, generated_by_ai: true } }),

  fallback(input, { code }) {
    if (REFUSALS.includes(code)) return undefined;
    const { result } = textResult({ text: `${FIXED_INSTRUCTION}\n\n${(input as Input).manual_prompt}` });
    return { ...result, generated_by_ai: false };
  },
};
