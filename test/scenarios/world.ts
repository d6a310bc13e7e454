/** The world in which a scenario plays: real store and queue, processes that can fail each on its own, and time. */
import { test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { Account, AccountSettings, AccountStore } from '../../shared/core/accounts.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { LeaderStore } from '../../shared/core/leader-store.ts';
import type { LlmProvider } from '../../shared/core/llm.ts';
import type { PerMinute } from '../../shared/core/model-limits.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import type { ChunkStore, Clock, EstimateStore, JobQueue, JobStore } from '../../shared/core/ports.ts';
import type { RetryPolicy } from '../../shared/core/retry.ts';
import type { RunningLimits } from '../../shared/core/slots.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import type { Credits, Instance, InstanceOptions } from './instance.ts';
import type { RecordedWrite } from './invariants.ts';
import type { ProviderCall, ProviderDouble } from './provider-double.ts';
import type { ReceiverDouble } from './receiver-double.ts';

export type WorldOptions = {
  /** The policy of all job types, over the world's own. */
  retry?: Partial<RetryPolicy>;
  leaseMs?: number;
  /** How many jobs may run at once. */
  limits?: RunningLimits;
  /** How many calls each model gets in a minute, from all processes together. */
  requestsPerMinute?: PerMinute;
  /** What jobs reserve; absent: credits are off. */
  credits?: Credits;
  /** Another provider than the one that the test writes. */
  provider?: LlmProvider;
  /** The events of all jobs are published. */
  hasTopic?: boolean;
  /** `false`: parts are damaged on purpose. */
  checkParts?: false;
  /** On the machine's clock also where time is virtual otherwise: for real sockets. */
  realTime?: boolean;
};

/** What stands behind a world. */
export type Ground = {
  isVirtual: boolean;
  clock: Clock;
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  leaders: LeaderStore;
  estimateStore: EstimateStore;
  accounts: AccountStore;
  queue: JobQueue;
  leaseMs: number;
  retry: Partial<RetryPolicy>;
  wakeShards: number;
  pass(ms: number): Promise<void>;
  until<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
};

export type World = Pick<Ground, 'isVirtual' | 'clock' | 'leaseMs' | 'pass' | 'until'> & {
  /** The process that the scenario uses where it names none. */
  main: Instance;
  instance(options?: InstanceOptions): Instance;
  provider: ProviderDouble;
  /** Whom webhooks and the topic tell. */
  receiver: ReceiverDouble;
  /** The calls that the provider got for a job. */
  callsOf(job: Job): ProviderCall[];
  /** Gives the nth of a job's answers that are `held`. */
  answerTo(job: Job, nth?: number): void;
  /** Submits a job; its prompt, unless given, is its own. */
  submit(over?: Partial<Submission>, principal?: Principal): Promise<Job>;
  /** Gives tokens to an account, and settings, where any are given: at first, those of an active subscription. */
  fund(tokens: number, settings?: AccountSettings, user?: string): Promise<void>;
  account(user?: string): Promise<Account>;
  /** How often I6 was looked at. */
  accountLooks(): number;
  /** Lets the worker of an instance take the job, and waits for the outcome. */
  deliver(key: JobKey, by?: Instance): Promise<WorkOutcome>;
  /** Delivers every doorbell that was published since the last time. */
  deliverRung(by?: Instance): Promise<WorkOutcome[]>;
  /** Every doorbell that was published. */
  doorbells: readonly JobKey[];
  /** How many, of one job or of all. */
  published(key?: JobKey): number;
  read(key: JobKey): Promise<Job>;
  /** Brings the instant at which the sweeper must look, as time itself would. */
  makeDue(key: JobKey): Promise<void>;
  /** Waits until it is so. */
  eventually(isSo: () => boolean | Promise<boolean>): Promise<void>;
  /** The store as it is, without faults: for what no process of ours would do. */
  ground: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  leaders: LeaderStore;
  /** Changes a document whatever its revision. */
  poke(key: JobKey, changes: Partial<Job>): Promise<void>;
  writes: RecordedWrite[];
  lines: string[];
  /** All jobs there are. */
  jobs(): Promise<Job[]>;
  check(): Promise<void>;
  close(): Promise<void>;
};

export type Open = (options?: WorldOptions) => Promise<World>;

/** Far beyond what any of them takes on a machine that is busy with others. */
const TIMEOUT_MS = 60_000;

/** A named test in a world of its own, after which the invariants are checked. */
export function scenario(
  open: Open,
  name: string,
  body: (world: World) => Promise<void>,
  options?: WorldOptions,
): void {
  test(name, () => inWorld(open, body, options), TIMEOUT_MS);
}

/** Plays in a world of its own, and checks the invariants. */
export async function inWorld(
  open: Open,
  body: (world: World) => Promise<void>,
  options?: WorldOptions,
): Promise<void> {
  const world = await open(options);
  try {
    await body(world);
    await world.check();
  } finally {
    await world.close();
  }
}

/** Lets an instance take a job, up to its call of the provider; the outcome is waited for by whoever wants it. */
export async function inCall(world: World, job: Job, by: Instance): Promise<{ outcome: Promise<WorkOutcome> }> {
  const before = world.callsOf(job).length;
  const outcome = by.run(job);
  outcome.catch(() => {});
  await world.eventually(() => world.callsOf(job).length > before);
  return { outcome };
}

/** How many attempts to write of an instance the store refused. */
export function refusedWrites({ writes }: World, { name }: Instance): RecordedWrite[] {
  return writes.filter(({ by, refused }) => by === name && refused !== undefined);
}
