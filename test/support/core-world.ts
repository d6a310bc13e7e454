/** The core on virtual time: a real SQLite that can be made to fail, a provider that the test writes, a counted queue. */

import { memoryResultCache } from '../../shared/adapters/memory-result-cache.ts';
import type { Principal } from '../../shared/core/access.ts';
import { estimates } from '../../shared/core/estimates.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { LlmPart, LlmProvider, LlmRequest } from '../../shared/core/llm.ts';
import type { Log } from '../../shared/core/ports.ts';
import { reserving } from '../../shared/core/reserving.ts';
import type { RetryPolicy } from '../../shared/core/retry.ts';
import { routing } from '../../shared/core/routing.ts';
import { routingGate } from '../../shared/core/routing-gate.ts';
import { jobService } from '../../shared/core/service.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { jobWorker, type WorkerOptions } from '../../shared/core/worker.ts';
import { jobTypesByName } from '../../shared/job-types/registry.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { faulty } from './faulty.ts';
import { sqliteStores } from './stores.ts';
import { virtualClock } from './virtual-clock.ts';

export const ADA: Principal = { tenant: 'default', user: 'ada', scopes: ['jobs:read', 'jobs:write'] };
/** Settings under which only the simulated model can be used. */
export const NO_PROVIDERS = { simulatedMs: 0, openaiCompatibleModels: [], modelAliases: new Map<string, string>() };
export const LEASE_MS = 60_000;
export const FLUSH_MS = 250;
export const FINISH: LlmPart = { type: 'finish', reason: 'stop' };

/** What the provider yields for one call. */
export type Generate = (request: LlmRequest, signal: AbortSignal, call: number) => AsyncIterable<LlmPart>;

/** A failure ends its job. */
export const NO_RETRY: RetryPolicy = { pausesMs: [], refusalsMost: 0, jitter: 'none', waitInPlaceMostMs: 0 };

/** `retry` is the policy of all job types, their own when absent; `hasCredits`: jobs take from accounts. */
export function coreWorld(generate: Generate = answer, retry?: RetryPolicy, { hasCredits = false } = {}) {
  const clock = virtualClock();
  const stores = sqliteStores(clock);
  const store = faulty(stores.store, { clock });
  const chunks = faulty(stores.chunks, { clock });
  const parts = faulty(stores.parts, { clock });
  const leaders = faulty(stores.leaders, { clock });
  const accounts = faulty(stores.accounts, { clock });
  const log: Log = (severity, event, fields) => void lines.push(JSON.stringify({ severity, event, ...fields }));
  const published: JobKey[] = [];
  const lines: string[] = [];
  let calls = 0;
  const queue = faulty(
    {
      publish: async (key: JobKey) => {
        published.push(key);
      },
    },
    { clock },
  );
  const jobTypes = new Map([...jobTypesByName].map(([name, type]) => [name, { ...type, ...(retry ? { retry } : {}) }]));
  const provider: LlmProvider = { generate: (request, { signal }) => generate(request, signal, ++calls) };
  const routes = routing({ clock, log });
  const options: WorkerOptions = {
    store,
    queue,
    providerFor: async () => provider,
    pricing: tablePricing(),
    jobTypes,
    clock,
    newId: () => crypto.randomUUID(),
    // The longest pause, so that a test can say what comes when.
    random: () => 1,
    instance: 'worker-1',
    routing: routes,
    gate: routingGate({ routing: routes, clock, random: () => 1 }),
    log,
    leaseMs: LEASE_MS,
    jobsAtOnce: 50,
    ...{ chunks, parts },
    resultCache: memoryResultCache({ clock }),
    flushMs: FLUSH_MS,
    estimates: estimates({ estimateStore: stores.estimateStore, clock, log }),
    credits: hasCredits ? reserving({ accounts, jobTypes }) : undefined,
  };
  const service = jobService({
    ...{ ...options, leaders, models: modelCatalog({ ...NO_PROVIDERS, clock }), wakeShards: 1 },
    accounts: hasCredits ? accounts : undefined,
  });
  const worker = jobWorker(options);
  return {
    ...options,
    clock,
    store,
    queue,
    chunks,
    parts,
    leaders,
    accounts,
    service,
    worker,
    /** Another worker instance on the same store and queue. */
    anotherWorker: (over: Partial<WorkerOptions> = {}) =>
      jobWorker({ ...options, instance: crypto.randomUUID(), ...over }),
    published,
    lines,
    calls: () => calls,
    submit: async (prompt = 'Hello.', over: Partial<Submission> = {}) =>
      (await service.submit(ADA, { jobType: 'general_llm_request', model: 'simulated', input: { prompt }, ...over }))
        .job,
    run: worker.run,
    read: async ({ id }: Job) => (await service.read(ADA, id)).job,
    close() {
      service.close();
      void stores.close();
    },
  };
}

export type CoreWorld = ReturnType<typeof coreWorld>;

/** A provider's plain answer. */
export async function* answer(): AsyncIterable<LlmPart> {
  yield { type: 'accepted', providerRequestId: 'req-1' };
  yield { type: 'text-delta', text: 'Hi' };
  yield { type: 'text-delta', text: '!' };
  yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } };
  yield FINISH;
}
