/** What calls cost and what a job has spent, in whole nano-dollars. */

/** Nano-dollars (10⁻⁹ USD), whole; `null` where no price is known, never 0. */
export type NanoUsd = number | null;

/**
 * What a call cost. `isEstimated`: the provider did not say what was used. `tokens`: as many as it is then likely to
 * have used, absent of a call that was lost.
 */
export type Cost = { nanoUsd: NanoUsd; isEstimated?: true | undefined; tokens?: number | undefined };

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

/** What is reserved of an account, or charged to it. */
export type Amounts = { tokens: number; nanoUsd: number };

/** What a job reserved of its user's account, and on which day of UTC. */
export type Hold = Amounts & { day: string };

/** How a job that had reserved something was settled: what it gave back, and what it was charged, on the day of its hold. */
export type Settled = { user: string; day: string; released: Amounts; charged: Amounts };

const NANO_PER_USD = 1_000_000_000;

/** Nano-dollars as dollars, for people and for JSON. */
export function toUsd(nanoUsd: number): number {
  return nanoUsd / NANO_PER_USD;
}

/** Dollars, as requests write them, as whole nano-dollars. */
export function toNanoUsd(usd: number): number {
  return Math.round(usd * NANO_PER_USD);
}
