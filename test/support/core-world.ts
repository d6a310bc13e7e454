/** The core on virtual time: a real SQLite that can be made to fail, a provider that the test writes, a counted queue. */
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { Principal } from '../../shared/core/new-job.ts';
import type { LlmPart, LlmProvider, LlmRequest } from '../../shared/core/ports.ts';
import { type RunOptions, runJob } from '../../shared/core/run.ts';
import { jobService } from '../../shared/core/service.ts';
import { jobTypesByName } from '../../shared/job-types/registry.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { faultyStore } from './faulty-store.ts';
import { virtualClock } from './virtual-clock.ts';

export const ADA: Principal = { tenant: 'default', user: 'ada', scopes: [] };
/** Settings under which only the simulated model can be used. */
export const NO_PROVIDERS = { simulatedMs: 0, openaiCompatibleModels: [], modelAliases: new Map<string, string>() };
export const LEASE_MS = 60_000;
export const FINISH: LlmPart = { type: 'finish', reason: 'stop' };

/** What the provider yields for one call. */
export type Generate = (request: LlmRequest, signal: AbortSignal, call: number) => AsyncIterable<LlmPart>;

export function coreWorld(generate: Generate = answer) {
  const clock = virtualClock();
  const database = openDatabase(':memory:');
  const store = faultyStore(sqliteJobStore(database, clock));
  const published: JobKey[] = [];
  const lines: string[] = [];
  let calls = 0;
  const queue = {
    publish: async (key: JobKey) => {
      published.push(key);
    },
  };
  const provider: LlmProvider = { generate: (request, { signal }) => generate(request, signal, ++calls) };
  const options: RunOptions = {
    store,
    providerFor: async () => provider,
    jobTypes: jobTypesByName,
    clock,
    newId: () => crypto.randomUUID(),
    log: (severity, event, fields) => lines.push(JSON.stringify({ severity, event, ...fields })),
    leaseMs: LEASE_MS,
  };
  const service = jobService({ ...options, queue, models: modelCatalog({ ...NO_PROVIDERS, clock }), wakeShards: 1 });
  return {
    ...options,
    clock,
    store,
    queue,
    service,
    published,
    lines,
    calls: () => calls,
    submit: async (prompt = 'Hello.') =>
      (await service.submit(ADA, { jobType: 'general_llm_request', model: 'simulated', input: { prompt } })).job,
    run: (key: JobKey) => runJob(options, key),
    read: ({ id }: Job) => service.get(ADA, id),
    close: () => database.close(),
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
