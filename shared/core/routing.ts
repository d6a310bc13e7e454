/** Which routes may be called now: what this process has learned of them. */
import type { ServiceError } from './errors.ts';
import type { Job } from './job.ts';

/** The right to make one call on a route. Whoever has it says what came of it, once. */
export type Pass = {
  /** Among the routes of the job. */
  route: number;
  /** `unused`: no call was made. */
  end(outcome: 'answered' | 'unused' | ServiceError): void;
};

export type Routing = {
  /**
   * The right to a call of this job, on the first of these routes that may be called now; or how long it takes, in
   * milliseconds, until one of them may be asked for again.
   */
  pass(job: Job, routes: readonly number[]): Promise<{ pass: Pass } | { waitMs: number }>;
};
