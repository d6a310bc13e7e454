/** What calls cost: known prices, estimates where a provider says nothing, and what a job has spent. */
import type { JobModel, Usage } from './job.ts';
import type { LlmRequest } from './llm.ts';

/** Nano-dollars (10⁻⁹ USD), whole; `null` where no price is known, never 0. */
export type NanoUsd = number | null;

/** What a call cost. `isEstimated`: the provider did not say what was used. */
export type Cost = { nanoUsd: NanoUsd; isEstimated?: true | undefined };

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
   * its input alone would, or when nobody knows the model's price.
   */
  within(
    model: Pick<JobModel, 'provider' | 'model'>,
    request: LlmRequest,
    nanoUsdMost: number,
    atMs: number,
  ): Promise<{ request: LlmRequest } | { refused: string }>;
};

/** What a call is expected to use, as long as nobody knows better. */
export type CallEstimate = { inputTokens: number; outputTokens: number; nanoUsd: NanoUsd };

/** What all calls of a job used and cost together, as far as it is known. */
export type Spent = {
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  reasoningTokens: number;
  /** The sum of the known prices, those of estimated usage included. */
  nanoUsd: number;
  /** How much of it is of estimated usage. */
  estimatedNanoUsd: number;
  /** How many attempts have a call whose price nobody knows. */
  unpriced: number;
};

export const NOTHING_SPENT: Spent = {
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  nanoUsd: 0,
  estimatedNanoUsd: 0,
  unpriced: 0,
};

const NANO_PER_USD = 1_000_000_000;

/** Nano-dollars as dollars, for people and for JSON. */
export function toUsd(nanoUsd: number): number {
  return nanoUsd / NANO_PER_USD;
}

/** Dollars, as requests write them, as whole nano-dollars. */
export function toNanoUsd(usd: number): number {
  return Math.round(usd * NANO_PER_USD);
}
