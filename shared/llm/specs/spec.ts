/** What is known of a model before it is called. */
import type { JobModel } from '../../core/job.ts';

/** One model of the catalog: a stable UUID, its name for people, its provider, the provider's name for it. */
export type ModelSpec = JobModel;
