/** The composition root: which adapters stand behind the core. The only file that names concrete ones. */
import { firestoreAccountStore } from './adapters/firestore-account-store.ts';
import { firestoreApiKeyStore } from './adapters/firestore-api-key-store.ts';
import { firestoreChunkStore } from './adapters/firestore-chunk-store.ts';
import { firestoreDatabase } from './adapters/firestore-database.ts';
import { firestoreEstimateStore } from './adapters/firestore-estimate-store.ts';
import { firestoreJobStore } from './adapters/firestore-job-store.ts';
import { firestoreLeaderStore } from './adapters/firestore-leader-store.ts';
import { firestorePartStore } from './adapters/firestore-part-store.ts';
import { nodeSha256 } from './adapters/node-sha256.ts';
import { opentelemetryTracing } from './adapters/opentelemetry-tracing.ts';
import { pubsubClient } from './adapters/pubsub-client.ts';
import { pubsubEventsTopic } from './adapters/pubsub-events-topic.ts';
import { pubsubJobQueue } from './adapters/pubsub-job-queue.ts';
import { systemClock } from './adapters/system-clock.ts';
import { type Config, isDeployed } from './config.ts';
import type { Principal } from './core/access.ts';
import type { AccountStore } from './core/accounts.ts';
import { answerSharing, followersMost } from './core/answer-sharing.ts';
import type { ApiKeyStore } from './core/api-keys.ts';
import { estimates } from './core/estimates.ts';
import { gateOf } from './core/gate.ts';
import { handingOn } from './core/handing-on.ts';
import { concurrencyLimiter } from './core/limiter.ts';
import type { ModelCatalog } from './core/llm.ts';
import type { Clock, JobQueue, Log } from './core/ports.ts';
import type { RateLimiter } from './core/rate-limits.ts';
import { reserving } from './core/reserving.ts';
import type { ResultCache } from './core/result-cache.ts';
import { ringDoorbell } from './core/ring.ts';
import { routing } from './core/routing.ts';
import { routingGate } from './core/routing-gate.ts';
import { type JobService, jobService } from './core/service.ts';
import { type Swept, sweep } from './core/sweep.ts';
import type { Tracing } from './core/tracing.ts';
import { jobWorker, type Worker } from './core/worker.ts';
import { apiKeyAuthenticator, looksLikeApiKey } from './http/api-keys.ts';
import { type Doors, onlyInvokers, openDoors } from './http/doors.ts';
import { intakeHandler } from './http/intake.ts';
import type { Limits } from './http/limits.ts';
import type { PushHandler } from './http/push.ts';
import { jobTypesByName } from './job-types/registry.ts';
import { parsePublished } from './job-types/submission.ts';
import { tablePricing } from './llm/cost.ts';
import { providerLoader } from './llm/provider-loader.ts';
import { type ProviderSettings, providerAddresses } from './llm/provider-registry.ts';
import { logOf } from './runtime-log.ts';
import { configuredModels, logUnavailable } from './runtime-models.ts';
import { type Shown, type Stores, sharedParts } from './runtime-shared.ts';

/** Everything that an entry point can need, over one store and one queue. */
export type Runtime = Doors & {
  config: Config;
  log: Log;
  tracing: Tracing;
  service: JobService;
  models: ModelCatalog;
  limits: Limits;
  /** Keeps strangers from a function that only Google's services call. */
  onlyInvokers: ReturnType<typeof onlyInvokers>;
  apiKeys: ApiKeyStore;
  /** Also where credits are off: nobody reads or writes them then. */
  accounts: AccountStore;
  rateLimiter: RateLimiter;
  resultCache: ResultCache;
  /** Runs jobs, in this process. */
  worker: Worker;
  /** Takes in what other services publish, in this principal's name, and runs it. */
  intakeFor(principal: Principal): PushHandler;
  /** Takes in what they published and Pub/Sub gave up; a worker runs it. */
  rescueFor(principal: Principal): PushHandler;
  /** Does what time does, once. */
  sweep(): Promise<Swept>;
  /** Loads and makes the clients that the first call would have to wait for, and calls nobody. */
  warm(needs: { queue: boolean }): Promise<void>;
  close(): Promise<void>;
};

/** A call of a store or a queue without an answer after this long is of unknown fate. */
const CALL_MS = 5_000;
/** Between two writes of a streamed job's text, where each costs money. */
const FLUSH_MS = 250;

/** On Firestore and Pub/Sub, Google's own or the emulators. Connects on first use. */
export function googleRuntime(config: Config, log = logOf(config), shown: Shown = {}): Runtime {
  const { projectId, leaseMs } = config;
  const database = firestoreDatabase({
    projectId,
    databaseId: config.firestoreDatabase,
    emulatorHost: config.firestoreEmulatorHost,
    // A heartbeat's write must be known before the next one is due.
    deadlineMs: Math.min(CALL_MS, leaseMs / 3),
  });
  const pubsub = pubsubClient({ projectId, emulatorHost: config.pubsubEmulatorHost, deadlineMs: CALL_MS });
  const queue = pubsubJobQueue(pubsub, config.jobsTopic);
  const { eventsTopic } = config;
  const stores = {
    store: firestoreJobStore(database, config),
    chunks: firestoreChunkStore(database),
    parts: firestorePartStore(database),
    leaders: firestoreLeaderStore(database),
    estimateStore: firestoreEstimateStore(database),
    apiKeys: firestoreApiKeyStore(database),
    accounts: firestoreAccountStore(database),
    flushMs: config.flushMs ?? FLUSH_MS,
    ...shown,
    eventsTopic: eventsTopic === undefined ? undefined : pubsubEventsTopic(pubsub, eventsTopic),
  };
  const clock = systemClock();
  if (isDeployed()) logUnavailable(log, { ...config, clock }, config.configuredProviders);
  const assembled = assemble(config, clock, log, stores, queue, async () => {
    await Promise.all([database.close(), pubsub.close()]);
  });
  return {
    ...assembled,
    async warm({ queue: isNeeded }) {
      await database.warm();
      if (isNeeded) await pubsub.warm();
    },
  };
}

/** A runtime on these stores and this queue. */
export function assemble(
  config: Config,
  clock: Clock,
  log: Log,
  { accounts, apiKeys, ...stores }: Stores,
  queue: JobQueue,
  close: () => Promise<void>,
): Runtime {
  const newId = () => crypto.randomUUID();
  const tracing = opentelemetryTracing();
  const providers: ProviderSettings = { ...config, clock };
  const models = configuredModels(providers, config.configuredProviders);
  const providerFor = providerLoader(providers);
  const pricing = tablePricing();
  const { close: closeShared, modelLimits, webhooks, ...shared } = sharedParts(config, clock, log);
  const ground = {
    ...{ ...stores, resultCache: shared.resultCache, queue, pricing, webhooks },
    ...{ clock, newId, log, tracing, random: Math.random, sha256: nodeSha256, jobTypes: jobTypesByName },
  };
  const limits = config.maxRunning;
  const limiter = limits.size > 0 ? concurrencyLimiter({ ...ground, limits }) : undefined;
  const common = limiter ? { ...ground, limiter, store: handingOn(ground.store, { ...ground, limiter }) } : ground;
  const hasCredits = config.credits === 'on';
  const credits = hasCredits ? reserving({ accounts, jobTypes: jobTypesByName }) : undefined;
  const ports = { ...common, estimates: estimates(common), credits };
  const kept = { models, wakeShards: config.wakeShards, accounts: hasCredits ? accounts : undefined };
  const service = jobService({ ...ports, ...kept });
  const intake = { service, parse: parsePublished, log, tracing };
  const addressOf = providerAddresses(providers);
  const sharing = answerSharing({ ...ports, addressOf, followersMost: followersMost(config.workerConcurrency) });
  const routes = routing({ clock, log, limits: modelLimits, scriptedProvider: 'simulated' });
  const gate = gateOf({ sharing: sharing.gate, routing: routingGate({ ...ground, routing: routes }) });
  const working = { providerFor, routing: routes, gate, leaseMs: config.leaseMs, instance: newId() };
  const worker = jobWorker({ ...ports, ...working, jobsAtOnce: config.workerConcurrency });
  const verify = apiKeyAuthenticator({ store: apiKeys, clock, log });
  return {
    ...shared,
    config,
    log,
    tracing,
    models,
    service,
    ...openDoors(config, { clock, apiKeys: { looksLikeOne: looksLikeApiKey, verify } }),
    onlyInvokers: onlyInvokers(config, { clock, log }),
    apiKeys,
    accounts,
    worker,
    intakeFor: (principal) =>
      intakeHandler({ ...intake, run: worker.run, ring: (job) => ringDoorbell(ports, job) }, principal),
    rescueFor: (principal) => intakeHandler(intake, principal),
    sweep: () => sweep(ports),
    // What is in this process is warm.
    async warm() {},
    async close() {
      service.close();
      worker.close();
      sharing.close();
      await Promise.all([close(), closeShared()]);
    },
  };
}
