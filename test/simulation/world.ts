/**
 * A whole service in one process, on virtual time: real core, real SQLite store and queue; functions, workers and sweepers
 * are simulated processes that can die, stall and be told to stop, each behind ports that fail by chance.
 */

import { memoryResultCache } from '../../shared/adapters/memory-result-cache.ts';
import { sqliteAccountStore } from '../../shared/adapters/sqlite-accounts.ts';
import { sqliteChunkStore } from '../../shared/adapters/sqlite-chunk-store.ts';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteEstimateStore } from '../../shared/adapters/sqlite-estimate-store.ts';
import { sqliteJobQueue } from '../../shared/adapters/sqlite-job-queue.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { sqliteLeaderStore } from '../../shared/adapters/sqlite-leader-store.ts';
import { sqlitePartStore } from '../../shared/adapters/sqlite-part-store.ts';
import type { AccountStore } from '../../shared/core/accounts.ts';
import { answerSharing } from '../../shared/core/answer-sharing.ts';
import { estimates } from '../../shared/core/estimates.ts';
import { gateOf } from '../../shared/core/gate.ts';
import { handingOn } from '../../shared/core/handing-on.ts';
import { isTerminal, type Limits } from '../../shared/core/job.ts';
import type { JobType } from '../../shared/core/job-type.ts';
import type { LeaderStore } from '../../shared/core/leader-store.ts';
import { concurrencyLimiter } from '../../shared/core/limiter.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import type { LlmProvider } from '../../shared/core/llm.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import { type ChunkStore, type Clock, type JobQueue, type JobStore, sleep } from '../../shared/core/ports.ts';
import { reserving } from '../../shared/core/reserving.ts';
import { routing } from '../../shared/core/routing.ts';
import { routingGate } from '../../shared/core/routing-gate.ts';
import { jobService } from '../../shared/core/service.ts';
import type { RunningLimits } from '../../shared/core/slots.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { jobWorker, type Worker } from '../../shared/core/worker.ts';
import { doorbellHandler, encodeDoorbell } from '../../shared/http/push.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { FLUSH_MS, NO_PROVIDERS } from '../support/core-world.ts';
import { type Fault, faulty } from '../support/faulty.ts';
import { type ApiDoor, type Doors, directDoors, LOCAL } from './doors.ts';
import { OTHER_TENANT, tenantOf } from './equal-jobs.ts';
import { type WriteLog, writeLog } from './invariants.ts';
import { simulatedModel, type Upstreams } from './model.ts';
import { moneyCheck } from './money.ts';
import { type SimulatedProcess, simulatedProcess } from './process.ts';
import type { Chance } from './random.ts';
import { slotCheck } from './slots.ts';
import { keptTexts } from './texts.ts';

export type WorldOptions = {
  clock: Clock;
  luck: Chance;
  workers: number;
  leaseMs: number;
  /** How often a call of a port fails, and a call of the model, 0 to 1. */
  faultRate: number;
  trouble: number;
  slowestMs: number;
  /** For how long a model asks to be left alone. */
  waitsMs: readonly number[];
  /** By how much the clocks of machines are wrong; leases must not care. */
  skewMs: number;
  /** After this long without an answer a client tries again. */
  silenceMs: number;
  doors?: Doors;
  /** What the user of all jobs has; absent: credits are off. */
  tokens?: number | undefined;
  /** Jobs have stages, and a result where the model fails for good. */
  isStaged?: boolean;
  /** How many jobs may run at once. */
  running?: RunningLimits | undefined;
  /** Something wrong with the store, to see that it is found. */
  brokenStore?: (store: JobStore) => JobStore;
};

export type WorkerProcess = {
  process: SimulatedProcess;
  worker: Worker;
  isStopping: boolean;
  deliver(body: unknown): Promise<boolean>;
};

export type World = ReturnType<typeof simulatedWorld>;

export const STORE_FAULTS: readonly Fault[] = [
  'before',
  'after',
  'hang',
  'late',
  'slow',
  'duplicate',
  'crash',
  'crash-after',
];
const MODEL_FAULTS: readonly Fault[] = ['before', 'after', 'hang', 'slow', 'crash', 'crash-after'];
/** So many deliveries of a worker wait for answers at once. */
const FOLLOWERS_MOST = 4;
const RESTART_MS = 1_000;
const GONE = 'gone';
/** It did not fail (yet), it or what was made of it was deleted, what it was asked is gone, or it cannot be paid. */
const NOT_REDRIVEN: readonly string[] = [
  ...['job_not_failed', 'job_not_found', 'job_id_taken', 'input_removed', 'insufficient_credits'],
];
/** As the platform does after SIGTERM. */
const KILLED_AFTER_MS = 10_000;

const STAGED: Pick<JobType, 'stages' | 'fallback'> = {
  stages: { begin: ['one', 'two', 'three'], accepted: 'four', answered: 'five' },
  fallback: () => ({ success: true, result: 'In place of an answer.' }),
};

export function simulatedWorld(options: WorldOptions) {
  const { clock, luck, leaseMs, skewMs, silenceMs, doors = directDoors } = options;
  const database = openDatabase(':memory:');
  const plain = sqliteJobStore(database, clock);
  const chunks = sqliteChunkStore(database, clock);
  const parts = sqlitePartStore(database);
  const leaders = sqliteLeaderStore(database);
  const estimateStore = sqliteEstimateStore(database);
  const accountStore = sqliteAccountStore(database, clock);
  const { tokens } = options;
  if (tokens !== undefined) void fund(accountStore, tokens);
  const texts = keptTexts(database);
  const log: WriteLog = writeLog(
    plain,
    clock,
    slotCheck(database, clock, options.running),
    moneyCheck(database, tokens),
  );
  const { brokenStore = (store: JobStore) => store } = options;
  const pubsub = sqliteJobQueue(database, { clock, log: () => {}, deliveriesMost: 20, backoffMostMs: 60_000 });
  const faultCounts = new Map<Fault, number>();
  const count = (fault: Fault) => void faultCounts.set(fault, (faultCounts.get(fault) ?? 0) + 1);
  /** Faults of the next calls of store or queue, whoever makes them. */
  const armed: Fault[] = [];
  let { faultRate, trouble } = options;
  let serial = 0;
  let isClosed = false;
  const model = { ...options, luck: luck.fork(), log, trouble: () => trouble, upstreams: new Map() as Upstreams };
  const plainType: JobType = { ...generalLlmRequest, limits: { ...DEFAULT_LIMITS, timeoutMs: 3_600_000 } };
  const type = options.isStaged ? { ...plainType, ...STAGED } : plainType;
  const jobTypes = new Map([[type.name, type]]);
  const workers: WorkerProcess[] = [];

  /** A new process, with ports of its own that fail by chance and die with it. */
  function start(role: string) {
    const process = simulatedProcess(`${role}-${++serial}`, clock, Math.floor(luck.between(-skewMs, skewMs)));
    const chances = luck.fork();
    const ports = <P extends object>(port: P, faults: readonly Fault[]) =>
      faulty(process.within(port), {
        clock: process.clock,
        crash: process.kill,
        plan: () => {
          const fault = armed.shift() ?? (chances.happens(faultRate) ? chances.pick(faults) : undefined);
          if (fault) count(fault);
          return fault;
        },
      });
    const silent = () => {};
    const store = deafAtTimes(ports(brokenStore(log.storeOf(process.name)), STORE_FAULTS));
    const queue = ports<JobQueue>({ publish: (key) => pubsub.publish(key) }, STORE_FAULTS);
    const around = { store, queue, clock: process.clock, log: silent, random: () => luck.next() };
    const routes = routing(around);
    const limiter = options.running && concurrencyLimiter({ ...around, limits: options.running });
    return {
      process,
      ...{ routing: routes, gate: routingGate({ ...around, routing: routes }) },
      ...{ ...around, limiter, store: limiter ? handingOn(store, { ...around, limiter }) : store },
      ...{ chunks: ports<ChunkStore>(chunks, STORE_FAULTS), flushMs: FLUSH_MS },
      parts: ports<PartStore>(parts, STORE_FAULTS),
      leaders: ports<LeaderStore>({ get: leaders.get, lead: leaders.lead, remove: leaders.remove }, STORE_FAULTS),
      estimates: estimates({ estimateStore: process.within(estimateStore), clock: process.clock, log: silent }),
      resultCache: memoryResultCache({ clock: process.clock }),
      ...{ newId: () => luck.uuid(), jobTypes },
      credits: tokens === undefined ? undefined : reserving({ accounts: ports(accountStore, STORE_FAULTS), jobTypes }),
      provider: provider(process, chances),
    };
  }

  function provider(process: SimulatedProcess, chances: Chance): LlmProvider {
    const { generate, background } = simulatedModel(model, process.name);
    const atTimes = <P extends object>(port: P) =>
      faulty(process.within(port), {
        clock: process.clock,
        code: 'network',
        crash: process.kill,
        plan: () => {
          const fault = chances.happens(faultRate) ? chances.pick(MODEL_FAULTS) : undefined;
          if (fault) count(fault);
          return fault;
        },
      });
    return { ...atTimes({ generate }), background: atTimes(background) };
  }

  /** Listeners are best effort: some of what they should hear they never do. */
  function deafAtTimes(store: JobStore): JobStore {
    const hear = luck.fork();
    return {
      ...store,
      watchCancels: (instance, onCancel) => store.watchCancels(instance, (key) => hear.happens(0.8) && onCancel(key)),
    };
  }

  async function startWorker(): Promise<void> {
    if (isClosed) return;
    const ports = start('worker');
    const { process } = ports;
    const sharing = answerSharing({ ...ports, addressOf: () => undefined, followersMost: FOLLOWERS_MOST });
    const worker = jobWorker({
      ...ports,
      gate: gateOf({ sharing: sharing.gate, routing: ports.gate }),
      pricing: tablePricing(),
      jobsAtOnce: 50,
      providerFor: async () => ports.provider,
      leaseMs,
      instance: process.name,
    });
    const door = await doors.worker(doorbellHandler({ run: worker.run, log: () => {} }));
    const started: WorkerProcess = { process, worker, isStopping: false, deliver: door.deliver };
    workers.push(started);
    void process.died.then(() => {
      worker.close();
      sharing.close();
      door.close();
      workers.splice(workers.indexOf(started), 1);
      clock.setTimer(() => void startWorker(), luck.between(0.5, 3) * RESTART_MS);
    });
  }

  /** A request through a function; one that dies or says nothing for long has not answered. */
  async function ask<T>(request: (api: ApiDoor) => Promise<T>): Promise<T | undefined> {
    const ports = start('api');
    const models = modelCatalog({ ...NO_PROVIDERS, clock });
    const api = await doors.api(jobService({ ...ports, pricing: tablePricing(), models, wakeShards: 1 }), models);
    const silence = new Promise<undefined>((resolve) => void clock.setTimer(() => resolve(undefined), silenceMs));
    const answer = request(api).catch(() => undefined);
    return Promise.race([answer, silence, ports.process.died.then(() => undefined)]).finally(api.close);
  }

  /** Asks until there is an answer. */
  async function insist<T>(request: (api: ApiDoor) => Promise<T>): Promise<T> {
    for (;;) {
      const answer = await ask(request);
      if (answer !== undefined) return answer;
      await sleep(clock, RESTART_MS);
    }
  }

  /** What is asked of a job that somebody deleted meanwhile is answered with that. */
  function orGone<T>(id: string, answer: Promise<T>): Promise<T | typeof GONE> {
    return answer.catch((error: unknown) => {
      if (log.jobs().find((job) => job.id === id)?.deletedAt !== undefined) return GONE;
      throw error;
    });
  }

  for (let n = 0; n < options.workers; n++) void startWorker();
  const stopConsuming = pubsub.consume(async ({ doorbell, messageId, attempt }) => {
    const ready = workers.filter(({ isStopping, process }) => !isStopping && process.isAlive());
    if (ready.length === 0) return false;
    const { deliver, process } = luck.pick(ready);
    // A connection that dies with its process is refused, or never answered.
    const refused = process.died.then(() => (luck.happens(0.5) ? false : new Promise<boolean>(() => {})));
    return Promise.race([deliver(encodeDoorbell(doorbell, messageId, attempt)), refused]);
  }, 50);

  return {
    log,
    workers: () => workers,
    faultCounts,
    /** Is every one of these jobs over, and every other one that there is? */
    areOver(ids: readonly string[]) {
      const states = new Map(log.jobs().map(({ id, state }) => [id, state]));
      return [...states.keys(), ...ids].every((id) => isTerminal(states.get(id) ?? 'pending'));
    },

    /** Submits under an id of its own, again and again until it is accepted. */
    async submit(id: string, limits: Partial<Limits> = {}): Promise<void> {
      await insist((api) => orGone(id, api.submit(id, limits)));
      log.accepted(id);
    },

    /** Cancels, again and again until that is answered. */
    async cancel(id: string): Promise<void> {
      const answered = await insist((api) => orGone(id, api.cancel(id)));
      if (answered !== GONE) log.cancelled(id, answered);
    },

    /** Makes a job anew, again and again until that is answered or refused. */
    async redrive(id: string): Promise<void> {
      const made = await insist((api) =>
        api.redrive(id).catch((error: { code?: string }) => {
          if (NOT_REDRIVEN.includes(error.code ?? '')) return GONE;
          throw error;
        }),
      );
      if (made !== GONE) log.redriven(id, made);
    },

    /** Reads, once. */
    async read(id: string): Promise<void> {
      await ask((api) => api.read(id).catch(() => undefined));
    },

    /** Deletes, again and again until that is answered, or the job is not found any more. */
    async remove(id: string): Promise<void> {
      await insist((api) => orGone(id, api.remove(id)));
      log.deleted(id);
    },

    /** What did not hold, now that all is over; `strictly`: nothing failed and nobody died. */
    settled(strictly: boolean): readonly string[] {
      return [
        ...log.settled(),
        ...log.jobs().flatMap((job) => texts.wrong(job, log.rootOf(job.id), clock.nowMs(), strictly)),
      ];
    },
    /** What is left of jobs that keep nothing, when chunks have gone by themselves. */
    left(): readonly string[] {
      chunks.purge(clock.nowMs());
      parts.purge(clock.nowMs());
      return log.jobs().flatMap((job) => texts.left(job));
    },
    /** How many jobs had their payloads removed. */
    removals: () => log.jobs().filter(({ payloadsRemovedAt }) => payloadsRemovedAt !== undefined).length,
    /** How many chunks there are. */
    chunks: texts.count,

    /** A sweeper's whole life. */
    async sweep(): Promise<void> {
      const ports = start('sweeper');
      await Promise.race([sweep(ports).catch(() => undefined), ports.process.died]);
    },

    /** One more copy of a job's doorbell. */
    deliver: (id: string) => pubsub.publish({ tenant: tenantOf(id), id }),

    /** SIGTERM, and SIGKILL ten seconds later. */
    drain(worker: WorkerProcess): void {
      worker.isStopping = true;
      void worker.worker.drain(Math.min(8_000, leaseMs)).then(worker.process.kill);
      clock.setTimer(worker.process.kill, KILLED_AFTER_MS);
    },

    /** Pub/Sub loses everything it had. */
    loseMessages: () => void database.prepare('DELETE FROM messages').run(),

    /** The next call of the store or the queue fails in this way. */
    arm: (fault: Fault) => void armed.push(fault),

    /** Nothing fails any more. */
    calm(): void {
      armed.length = 0;
      faultRate = 0;
      trouble = 0;
      for (const { process } of workers) process.resume();
    },

    close(): void {
      isClosed = true;
      stopConsuming();
      for (const { process } of [...workers]) process.kill();
      database.close();
    },
  };
}

/** Within the turn: SQLite answers at once. */
async function fund(accounts: AccountStore, tokens: number): Promise<void> {
  const funded = [LOCAL.tenant, OTHER_TENANT].map((tenant) => {
    const key = { tenant, user: LOCAL.user };
    const made = accounts.put(key, { subscription: 'active' });
    const given = accounts.grant(key, { id: 'all', tokens });
    return Promise.all([made, given]);
  });
  await Promise.all(funded);
}
