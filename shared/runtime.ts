/** The composition root: which adapters stand behind the core. The only file that names concrete ones. */
import { firestoreJobStore } from './adapters/firestore-job-store.ts';
import { pubsubJobQueue } from './adapters/pubsub-job-queue.ts';
import { stdoutLog } from './adapters/stdout-log.ts';
import { steadyClock, systemClock } from './adapters/system-clock.ts';
import type { Config } from './config.ts';
import type { JobKey } from './core/job.ts';
import type { Principal } from './core/new-job.ts';
import type { Clock, JobQueue, JobStore, Log, ModelCatalog } from './core/ports.ts';
import { type RunOutcome, runJob } from './core/run.ts';
import { type JobService, jobService } from './core/service.ts';
import { sweep } from './core/sweep.ts';
import { type Authenticate, asLocalUser } from './http/auth.ts';
import { toFieldErrors } from './http/field-errors.ts';
import { intakeHandler } from './http/intake.ts';
import { doorbellHandler, encodeDoorbell, type PushHandler } from './http/push.ts';
import { jobTypesByName } from './job-types/registry.ts';
import { publishedSubmissionSchema, toSubmission } from './job-types/submission.ts';
import { modelCatalog, type ProviderSettings, providerLoader } from './llm/catalog.ts';

/** Everything that an entry point can need, over one store and one queue. */
export type Runtime = {
  config: Config;
  log: Log;
  service: JobService;
  models: ModelCatalog;
  authenticate: Authenticate;
  /** Runs one job, if it can be claimed. */
  run(key: JobKey): Promise<RunOutcome>;
  /** Takes in what other services publish, in this principal's name. */
  intakeFor(principal: Principal): PushHandler;
  /** Does what time does, once. */
  sweep(): Promise<{ rung: number }>;
  close(): Promise<void>;
};

/** A call of a store or a queue without an answer after this long is of unknown fate. */
const CALL_MS = 5_000;

/** On Firestore and Pub/Sub, Google's own or the emulators. Connects on first use. */
export function googleRuntime(config: Config): Runtime {
  const { projectId, leaseMs } = config;
  const store = firestoreJobStore({
    projectId,
    databaseId: config.firestoreDatabase,
    emulatorHost: config.firestoreEmulatorHost,
    // A heartbeat's write must be known before the next one is due.
    deadlineMs: Math.min(CALL_MS, leaseMs / 3),
    wakeShards: config.wakeShards,
  });
  const queue = pubsubJobQueue({
    projectId,
    topic: config.jobsTopic,
    emulatorHost: config.pubsubEmulatorHost,
    deadlineMs: CALL_MS,
  });
  return assemble(config, systemClock(), logOf(config), store, queue, async () => {
    await Promise.all([store.close(), queue.close()]);
  });
}

/** `start` makes it the worker and the sweeper, too: nothing is called, or paid for, before. */
export type EmbeddedRuntime = Runtime & { start(): void };

/**
 * On one SQLite file. Its start takes over every lease in the file: nobody else can hold one. Throws a sentence for
 * people when another process has the file open.
 */
export async function embeddedRuntime(config: Config): Promise<EmbeddedRuntime> {
  const [{ openDatabase }, { sqliteJobStore }, { sqliteJobQueue }] = await Promise.all([
    import('./adapters/sqlite-database.ts'),
    import('./adapters/sqlite-job-store.ts'),
    import('./adapters/sqlite-job-queue.ts'),
  ]);
  const clock = steadyClock();
  const log = logOf(config);
  const database = openDatabase(config.databaseUrl);
  const store = sqliteJobStore(database, clock);
  const queue = sqliteJobQueue(database, { clock, log });

  let stopConsuming = () => {};
  let cancelSweep = () => {};
  const runtime = assemble(config, clock, log, store, queue, async () => {
    cancelSweep();
    stopConsuming();
    database.close();
  });
  const handle = doorbellHandler(runtime);
  const sweepOften = () => {
    cancelSweep = clock.setTimer(() => {
      const swept = runtime.sweep().catch((error: unknown) => log('error', 'sweep-failed', { error: String(error) }));
      void swept.then(sweepOften);
    }, config.sweepMs);
  };
  return {
    ...runtime,
    start() {
      const takenOver = store.endAllLeases();
      if (takenOver > 0) log('info', 'leases-taken-over', { jobs: takenOver });
      stopConsuming = queue.consume(
        ({ doorbell, messageId, attempt }) => handle(encodeDoorbell(doorbell, messageId, attempt)),
        config.workerConcurrency,
      );
      sweepOften();
    },
  };
}

const logOf = ({ logFormat, logLevel }: Config) => stdoutLog({ format: logFormat, level: logLevel });

function assemble(
  config: Config,
  clock: Clock,
  log: Log,
  store: JobStore,
  queue: JobQueue,
  close: () => Promise<void>,
): Runtime {
  const newId = () => crypto.randomUUID();
  const providers: ProviderSettings = { ...config, clock };
  const models = modelCatalog(providers, config.configuredProviders);
  const providerFor = providerLoader(providers);
  const service = jobService({ store, queue, models, clock, newId, log, wakeShards: config.wakeShards });
  const running = { store, providerFor, jobTypes: jobTypesByName, clock, newId, log, leaseMs: config.leaseMs };
  const run = (key: JobKey) => runJob(running, key);
  return {
    config,
    log,
    models,
    service,
    authenticate: asLocalUser,
    run,
    intakeFor: (principal) => intakeHandler({ service, parse: parsePublished, run, log }, principal),
    sweep: () => sweep({ store, queue, clock, log }),
    close,
  };
}

function parsePublished(content: unknown) {
  const parsed = publishedSubmissionSchema.safeParse(content);
  return parsed.success ? { submission: toSubmission(parsed.data) } : { wrong: toFieldErrors(parsed.error.issues) };
}
