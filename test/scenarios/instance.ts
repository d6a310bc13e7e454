/** One process of a world: it can do everything, it fails on its own, and it can die. */

import { memoryResultCache } from '../../shared/adapters/memory-result-cache.ts';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import type { AccountStore } from '../../shared/core/accounts.ts';
import { answerSharing } from '../../shared/core/answer-sharing.ts';
import { estimates } from '../../shared/core/estimates.ts';
import { gateOf } from '../../shared/core/gate.ts';
import { handingOn } from '../../shared/core/handing-on.ts';
import type { JobKey } from '../../shared/core/job.ts';
import type { JobType } from '../../shared/core/job-type.ts';
import type { LeaderStore } from '../../shared/core/leader-store.ts';
import { concurrencyLimiter } from '../../shared/core/limiter.ts';
import type { LlmProvider } from '../../shared/core/llm.ts';
import { modelLimits, type PerMinute } from '../../shared/core/model-limits.ts';
import type { EventsTopic, WebhookSender } from '../../shared/core/notices.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import type { ChunkStore, Clock, EstimateStore, JobQueue, JobStore, Log } from '../../shared/core/ports.ts';
import { reserving } from '../../shared/core/reserving.ts';
import type { RetryPolicy } from '../../shared/core/retry.ts';
import { routing } from '../../shared/core/routing.ts';
import { routingGate } from '../../shared/core/routing-gate.ts';
import { type JobService, jobService } from '../../shared/core/service.ts';
import type { RunningLimits } from '../../shared/core/slots.ts';
import { type Swept, sweep } from '../../shared/core/sweep.ts';
import type { WindowLimiter } from '../../shared/core/windows.ts';
import { jobWorker, type Worker, type WorkOutcome } from '../../shared/core/worker.ts';
import { jobTypesByName } from '../../shared/job-types/registry.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { FLUSH_MS, NO_PROVIDERS } from '../support/core-world.ts';
import { type Faulty, faulty } from '../support/faulty.ts';
import { type Mortal, mortal } from './mortal.ts';
import { receiverDouble } from './receiver-double.ts';

/** So many deliveries of a process wait for answers at once. */
export const FOLLOWERS = 16;

export type Instance = Pick<Mortal, 'die' | 'pause' | 'resume'> & {
  name: string;
  clock: Clock;
  store: Faulty<JobStore>;
  chunks: Faulty<ChunkStore>;
  parts: Faulty<PartStore>;
  leaders: Faulty<LeaderStore>;
  accounts: Faulty<AccountStore>;
  queue: Faulty<JobQueue>;
  /** A call of a webhook has no faults but deaths and delays: all others are answers. */
  webhooks: Faulty<Pick<WebhookSender, 'send'>>;
  eventsTopic: Faulty<EventsTopic> | undefined;
  service: JobService;
  worker: Worker;
  run: (key: JobKey) => Promise<WorkOutcome>;
  sweep(): Promise<Swept>;
};

export type InstanceOptions = {
  /** How far its wall clock is from everybody else's. */
  skewMs?: number;
  /** Hears of no cancel, as when its listener is broken. */
  deaf?: boolean;
};

export type Surroundings = {
  name: string;
  clock: Clock;
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  leaders: LeaderStore;
  estimateStore: EstimateStore;
  queue: JobQueue;
  provider: LlmProvider;
  webhooks?: WebhookSender;
  eventsTopic?: EventsTopic | undefined;
  retry: Partial<RetryPolicy>;
  leaseMs: number;
  wakeShards: number;
  random: () => number;
  lines: string[];
  limits?: RunningLimits | undefined;
  requestsPerMinute?: PerMinute | undefined;
  /** Where that is counted; absent: in each process. */
  windowLimiter?: WindowLimiter | undefined;
  accounts: AccountStore;
  /** How much of the time that jobs wait for was left out: what is known of routes is older by that. */
  skippedMs?: (() => number) | undefined;
  /** What jobs reserve, where credits are on; `estimate`: what their call is expected to use. */
  credits?: Credits | undefined;
};

export type Credits = NonNullable<JobType['credits']> | 'estimate';

export function startInstance(around: Surroundings, { skewMs = 0, deaf = false }: InstanceOptions): Instance {
  const { name, random, lines, leaseMs, wakeShards } = around;
  const process = mortal(around.clock, skewMs);
  const { clock, die, pause, resume } = process;
  const faults = { clock, crash: die };
  const store = faulty(process.around(deaf ? { ...around.store, watchCancels: () => () => {} } : around.store), faults);
  const queue = faulty(process.around(around.queue), faults);
  const sender = around.webhooks ?? receiverDouble(clock).webhooks;
  const webhooks = faulty(process.around({ send: sender.send }), faults);
  const eventsTopic = around.eventsTopic && faulty(process.around(around.eventsTopic), faults);
  const chunks = faulty(process.around(around.chunks), faults);
  const parts = faulty(process.around(around.parts), faults);
  const leaders = faulty(process.around(around.leaders), faults);
  const accounts = faulty(process.around(around.accounts), faults);
  const { credits: asked } = around;
  const reserved = asked && asked !== 'estimate' ? { credits: asked } : {};
  const policies = [...jobTypesByName].map(([of, type]) => [
    of,
    { ...type, ...reserved, retry: { ...type.retry, ...around.retry } },
  ]);
  const jobTypes = new Map(policies as [string, JobType][]);
  const log: Log = (severity, event, fields) =>
    void lines.push(JSON.stringify({ by: name, severity, event, ...fields }));
  const { limits } = around;
  const limiter = limits && concurrencyLimiter({ store, queue, clock, log, random, limits });
  const { windowLimiter = memoryWindowLimiter({ clock }), requestsPerMinute = new Map() } = around;
  const { skippedMs = () => 0 } = around;
  const perModel = modelLimits({ clock, windowLimiter, requestsPerMinute, tokensPerMinute: new Map() });
  const routes = routing({
    clock: { ...clock, monotonicMs: () => clock.monotonicMs() + skippedMs() },
    log,
    limits: perModel,
  });
  const ports = {
    ...{
      store: limiter ? handingOn(store, { limiter, clock, log }) : store,
      limiter,
      chunks,
      parts,
      leaders,
      queue,
      clock,
      random,
      leaseMs,
      wakeShards,
      log,
    },
    flushMs: FLUSH_MS,
    resultCache: memoryResultCache({ clock }),
    estimates: estimates({ estimateStore: process.around(around.estimateStore), clock, log }),
    jobTypes,
    ...(asked ? { credits: reserving({ accounts, jobTypes }), accounts } : {}),
    ...{ webhooks: { ...sender, send: webhooks.send }, eventsTopic },
    newId: () => crypto.randomUUID(),
    pricing: tablePricing(),
    routing: routes,
  };
  const instance = `${name}-${crypto.randomUUID()}`;
  const sharing = answerSharing({ ...ports, addressOf: () => undefined, followersMost: FOLLOWERS });
  const gate = gateOf({ sharing: sharing.gate, routing: routingGate({ routing: routes, clock, random }) });
  const worker = jobWorker({ ...ports, gate, instance, jobsAtOnce: 50, providerFor: async () => around.provider });
  const service = jobService({ ...ports, models: modelCatalog({ ...NO_PROVIDERS, clock, openaiApiKey: 'sk-test' }) });
  return {
    name,
    clock,
    store,
    chunks,
    parts,
    leaders,
    accounts,
    queue,
    webhooks,
    eventsTopic,
    service,
    worker: {
      ...worker,
      close() {
        worker.close();
        sharing.close();
      },
    },
    run: worker.run,
    sweep: () => sweep(ports),
    die,
    pause,
    resume,
  };
}
