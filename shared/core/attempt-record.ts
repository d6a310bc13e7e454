/** The record of one attempt at a job. */
import type { Cost } from './costs.ts';

/** Tokens as the provider reported them. */
export type Usage = {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
  cachedInputTokens?: number | undefined;
  reasoningTokens?: number | undefined;
};

/**
 * How an attempt ended. `lost`: its holder was never heard of again. `released`: its worker was told to stop, or its route
 * must not be called any more (`deferred`), and gave the job back.
 */
export type AttemptOutcome = 'completed' | 'failed' | 'cancelled' | 'released' | 'lost';

/** The record of one attempt, written before its first call starts. */
export type Attempt = {
  n: number;
  startedAt: number;
  provider: string;
  model: string;
  /** Calls recorded so far; never fewer than were made. */
  calls: number;
  endedAt?: number | undefined;
  outcome?: AttemptOutcome | undefined;
  errorCode?: string | undefined;
  providerRequestId?: string | undefined;
  finishReason?: string | undefined;
  usage?: Usage | undefined;
  cost?: Cost | undefined;
  /** How many chunks its answer has; absent when it is not known that all of them are there. */
  chunks?: number | undefined;
};

/** What a job has tried on one of its routes; absent: nothing, or not yet. */
export type RouteTries = {
  failures?: number | undefined;
  refusals?: number | undefined;
  repairs?: number | undefined;
  /** The route cannot answer this job, or may not be asked any more. */
  isOut?: true | undefined;
  /** Until then the job leaves the route alone: its provider asked for it, or the pause after a failure is not over. */
  retryAt?: number | undefined;
};

/** At most this many attempt records are kept, the latest ones. */
export const ATTEMPTS_KEPT = 50;
