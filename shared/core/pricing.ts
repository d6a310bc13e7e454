/** Prices of models, known or estimated, as the core asks for them. */

import type { Usage } from './attempt-record.ts';
import type { NanoUsd } from './costs.ts';
import type { JobModel } from './job.ts';
import type { LlmRequest } from './llm.ts';

/** Prices of models, and how much text is how many tokens. */
export type Pricing = {
  /** What this usage costs at that instant; cached and reasoning tokens are counted once. */
  costOf(model: Pick<JobModel, 'provider' | 'model'>, usage: Usage, atMs: number): Promise<NanoUsd>;
  /** About how many tokens a request has: linear in its length, and quick. */
  estimateInputTokens(request: LlmRequest): number;
  /** About how many tokens a text has. */
  estimateTokens(text: string): number;
  /**
   * The request with an output limit under which it costs no more than this; `refused` is a sentence for its author when
   * its input alone would, or when nobody knows the model's price. `inputTokens`: where they were counted before.
   */
  cap(
    model: Pick<JobModel, 'provider' | 'model'>,
    request: LlmRequest,
    nanoUsdMost: number,
    atMs: number,
    inputTokens?: number,
  ): Promise<{ request: LlmRequest } | { refused: string }>;
};
