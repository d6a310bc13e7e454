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
 * How an attempt ended. `lost`: its holder was never heard of again. `released`: its worker was told to stop, and gave the
 * job back.
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

/** At most this many attempt records are kept, the latest ones. */
export const ATTEMPTS_KEPT = 50;
