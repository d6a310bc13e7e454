/** Another process's service on the same store, which may reach it in another way. */
import type { JobStore, StoredJob } from '../../shared/core/ports.ts';
import { type JobService, jobService } from '../../shared/core/service.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { type CoreWorld, NO_PROVIDERS } from './core-world.ts';

export function secondService(world: CoreWorld, over: Partial<JobStore> = {}): JobService {
  const models = modelCatalog({ ...NO_PROVIDERS, clock: world.clock });
  return jobService({ ...world, store: { ...world.store, ...over }, models, wakeShards: 1 });
}

/** What a listener is told: passed on, or kept from it, by each test. */
export type Intercept = (found: StoredJob | undefined, tell: (found: StoredJob | undefined) => void) => void;

/** A `watch` whose listeners are told what the test lets through. */
export function interceptedWatch({ store }: CoreWorld, intercept: Intercept): Pick<JobStore, 'watch'> {
  return { watch: (key, onJob) => store.watch(key, (found) => intercept(found, onJob)) };
}
