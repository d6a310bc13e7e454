/** A job, and an error, in the words of prompt generation (seed 004): exactly the fields of its document. */
import type { Context } from 'hono';
import type { ServiceError } from '../../shared/core/errors.ts';
import type { Job, JobError } from '../../shared/core/job.ts';
import { toTime } from '../../shared/core/utc.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { renderErrorHeaders, statusOf } from '../../shared/http/errors.ts';
import type { PromptStage } from '../../shared/job-types/prompt-generation.ts';

/** Everything of this contract is below it. */
export const ROOT = '/api/v1/web-knowledge';

const SUCCEEDED = 'Prompt generated successfully';
const NOT_FOUND = 'Task not found';
const TOO_FEW_TOKENS = 'Insufficient tokens';
const INACTIVE = 'Subscription is not active';

/** What a task that nobody would pay for is called, and the HTTP status with which its submit would have been refused. */
const UNPAID: { readonly [code: string]: { message: string; status: 402 | 403 } } = {
  insufficient_credits: { message: TOO_FEW_TOKENS, status: 402 },
  budget_exceeded: { message: 'Budget exceeded', status: 402 },
  subscription_inactive: { message: INACTIVE, status: 403 },
};

const STEPS: Record<PromptStage, { progress: number; message: string }> = {
  initializing: { progress: 10, message: 'Initializing AI generation...' },
  checking_tokens: { progress: 30, message: 'Checking tokens...' },
  generating: { progress: 50, message: 'Generating enhanced prompt with AI...' },
  waiting_for_ai: { progress: 70, message: 'Waiting for AI response...' },
  finalizing: { progress: 90, message: 'Finalizing...' },
};

/** Where a task is read. */
export function statusUrlOf({ id }: Pick<Job, 'id'>): string {
  return `${ROOT}/generate-prompt-async/status/${id}/`;
}

type StatusView = { status: 'queued' | 'processing' | 'completed' | 'failed'; progress: number; message: string } & {
  error?: string;
  prompt?: string;
  generated_by_ai?: boolean;
  created_at: string;
  completed_at?: string;
};

/** What a start answers; a repeat of one is answered where its task is now. */
export function renderStarted(job: Job) {
  return {
    success: true as const,
    task_id: job.id,
    status: renderStatus(job).status,
    message: 'Prompt generation started. Use task_id to check status.',
    status_url: statusUrlOf(job),
  };
}

/** The status of a task. */
export function renderStatus(job: Job): StatusView {
  const created_at = toTime(job.createdAt);
  switch (job.state) {
    case 'pending':
      return { status: 'queued' as const, progress: 0, message: 'Task queued, waiting to start...', created_at };
    case 'processing':
      // It can end in no other way any more: a page need not wait for its worker.
      if (job.cancelRequestedAt !== undefined) return renderStatus({ ...job, state: 'cancelled' });
      return { status: 'processing' as const, ...stepOf(job), created_at };
    case 'completed':
      return {
        ...{ status: 'completed' as const, progress: 100, message: SUCCEEDED, ...promptOf(job), created_at },
        completed_at: toTime(job.completedAt ?? job.createdAt),
      };
    case 'failed':
    case 'cancelled':
      return { status: 'failed' as const, progress: 100, ...failureOf(job), created_at };
  }
}

/** A later attempt shows what the first one came to, and so does a pause: no bar goes back. */
function stepOf({ stage, attempt }: Job) {
  const step = STEPS[stage as PromptStage] ?? STEPS.waiting_for_ai;
  return attempt > 1 && step.progress < STEPS.waiting_for_ai.progress ? STEPS.waiting_for_ai : step;
}

function promptOf({ result }: Job) {
  const { result: prompt, generated_by_ai } = result as { result: string; generated_by_ai: boolean };
  return { prompt, generated_by_ai };
}

function failureOf({ state, error }: Job): { message: string; error: string } {
  if (state === 'cancelled') return { message: 'Cancelled', error: 'The generation was cancelled' };
  const { code, message } = error ?? ({ code: 'internal_error', message: 'It is not known why.' } satisfies JobError);
  return { message: UNPAID[code]?.message ?? 'AI generation failed', error: message };
}

/** What the synchronous endpoint answers, with its HTTP status, when it has waited. */
export function renderOutcome(job: Job) {
  switch (job.state) {
    case 'completed':
      return {
        status: 200 as const,
        body: { success: true as const, status: 'completed' as const, ...promptOf(job), message: SUCCEEDED },
      };
    case 'failed':
    case 'cancelled':
      return {
        status: UNPAID[job.error?.code ?? '']?.status ?? (502 as const),
        body: { success: false as const, status: 'failed' as const, ...failureOf(job) },
      };
    default:
      return {
        status: 504 as const,
        body: {
          ...{ success: false as const, status: 'processing' as const, task_id: job.id },
          message: 'The prompt is still being generated. Use status_url to check status.',
          error: 'Prompt generation takes longer than this endpoint may wait',
          status_url: statusUrlOf(job),
        },
      };
  }
}

/** Answers to a poll that another poll would get again: the page that polls has to stop. */
const STOPPING: readonly number[] = [400, 401, 403, 404];
const OF_A_TASK = /\/generate-prompt-async\/(?:status|cancel)(?:\/|$)/;

/** An error of this contract, whoever threw it. */
export function renderError(context: Context<HttpEnv>, error: ServiceError): Response {
  const status = statusOf(error.code);
  renderErrorHeaders(context, error);
  const stops = STOPPING.includes(status) && OF_A_TASK.test(context.req.path);
  const ended = stops ? { status: 'failed', progress: 100 } : {};
  return context.json({ success: false, ...wordsOf(error), ...ended }, status);
}

function wordsOf({ code, message, details, fields }: ServiceError): { message: string; error: string } {
  // Where it is not known whether the task is there, this contract has another way to find out.
  if (code === 'store_unavailable' && fields?.job_id !== undefined) {
    const sentence = `It is not known whether the generation was started. Check ${statusUrlOf({ id: fields.job_id })} before you start it again.`;
    return { message: sentence, error: sentence };
  }
  switch (code) {
    case 'job_not_found':
      return { message: NOT_FOUND, error: NOT_FOUND };
    case 'insufficient_credits':
      return { message: TOO_FEW_TOKENS, error: message };
    case 'subscription_inactive':
      // Its clients show the message at a submit, and offer to renew where they find this word in it.
      return { message: `${INACTIVE}. Renew your subscription to continue.`, error: INACTIVE };
    default:
      return {
        message: details?.map(({ path, message: is }) => `${path} ${is}`.trim()).join('; ') ?? message,
        error: message,
      };
  }
}
