/** What providers take of calls to each model within a minute: what somebody set, and what the providers say themselves. */
import type { JobModel } from './job.ts';
import type { ProviderLimits } from './llm.ts';

/** A model as its provider knows it. */
type Named = Pick<JobModel, 'provider' | 'model'>;

export type ModelLimits = {
  /**
   * 0: a call that uses about so many tokens, input and output, may be made now, and is counted. Otherwise how many
   * milliseconds it takes until it is worth asking again; nothing is counted. Never throws.
   */
  take(model: Named, tokens: number): Promise<number>;
  /** What the provider said with its newest answer for this model, a refusal included. */
  learn(model: Named, limits: ProviderLimits): void;
};
