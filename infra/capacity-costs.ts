/** What jobs cost on Google Cloud, from the operations that were counted and the list prices. Pure. */
import {
  CHUNK,
  EVENT,
  FURTHER_ATTEMPT,
  HEARTBEAT,
  IDLE_SWEEP,
  LEADING,
  LIMITED,
  type Operations,
  PLAIN_JOB,
  POLL,
  sumOf,
} from './operations.ts';
import { FIRESTORE, FREE_A_DAY, GIB, PUBSUB, type Region, RUN, SCHEDULER } from './prices.ts';

/** What is asked of the service. */
export type Workload = {
  jobsPerDay: number;
  /** How long a job's calls take, all together. */
  llmSeconds: number;
  /** Of these, how long text comes; 0: the job is not streamed. */
  textSeconds: number;
  polls: number;
  /** Events that a webhook, the topic, or both are told. */
  events: number;
  attempts: number;
  isLimited: boolean;
  isCached: boolean;
  region: Region;
  /** Of a document with the entries of its indexes, … */
  documentKib: number;
  /** … and how long it is kept. */
  keptDays: number;
};
/** What the functions are given. */
export type Service = { concurrency: number; instancesLeast: number; instancesMost: number; vcpu: number; gib: number };

/** A third of a lease of 60 s; text is written each 250 ms. */
const HEARTBEAT_SECONDS = 20;
const FLUSH_SECONDS = 0.25;
const MONTH_DAYS = 30;
const DAY_SECONDS = 86_400;
const MILLION = 1_000_000;

/** Of one job. `chunks`: how many of its writes are of text. `deletes`: by TTL. `requests`: to all functions. */
export type JobOperations = Operations & { chunks: number; deletes: number; requests: number };

export function operationsOf(load: Workload): JobOperations {
  const heartbeats = Math.max(0, Math.ceil(load.llmSeconds / HEARTBEAT_SECONDS) - 1);
  const chunks = Math.ceil(load.textSeconds / FLUSH_SECONDS);
  const sum = sumOf([
    [PLAIN_JOB, 1],
    [HEARTBEAT, heartbeats],
    [CHUNK, chunks],
    [POLL, load.polls],
    [EVENT, load.events],
    [FURTHER_ATTEMPT, load.attempts - 1],
    [LIMITED, Number(load.isLimited)],
    [LEADING, Number(load.isCached)],
  ]);
  // Whoever streams reads each chunk once. A submit, each poll, a stream, and each message that is pushed are requests.
  const stream = chunks > 0 ? 1 : 0;
  const requests = 1 + load.polls + stream + sum.messages;
  return { ...sum, reads: sum.reads + chunks, chunks, deletes: 1 + chunks, requests };
}

export type Costs = { firestore: number; storage: number; pubsub: number; run: number; requests: number };

/** Of a million jobs, whatever is free. */
export function costsOfMillion(load: Workload, service: Service): Costs {
  const prices = FIRESTORE[load.region];
  return {
    ...costsOfOperations(operationsOf(load), load.region),
    storage: ((MILLION * load.documentKib * 1_024) / GIB) * prices.gibMonth * (load.keptDays / MONTH_DAYS),
    run: MILLION * (load.llmSeconds / service.concurrency) * secondOf(service),
  };
}

/** Of a million jobs that take these operations each, without what they use of memory, processors and storage. */
export function costsOfOperations(
  { writes, reads, queries, messages, deletes, requests }: Omit<JobOperations, 'chunks'>,
  region: Region,
): Pick<Costs, 'firestore' | 'pubsub' | 'requests'> {
  const prices = FIRESTORE[region];
  return {
    // Prices are of a million documents.
    firestore: writes * prices.write + (reads + queries) * prices.read + deletes * prices.delete,
    pubsub: MILLION * messages * 2 * PUBSUB.bytesLeast * PUBSUB.byte,
    requests: MILLION * requests * RUN.request,
  };
}

function secondOf({ vcpu, gib }: Pick<Service, 'vcpu' | 'gib'>): number {
  return vcpu * RUN.vcpuSecond + gib * RUN.gibSecond;
}

export function total(costs: Costs): number {
  return Object.values(costs).reduce((sum, cost) => sum + cost, 0);
}

/** What a month costs in which nobody submits anything. */
export function atRest({ instancesLeast, vcpu, gib }: Service, region: Region): number {
  const seconds = MONTH_DAYS * DAY_SECONDS;
  const idle = instancesLeast * seconds * (vcpu * RUN.idleVcpuSecond + gib * RUN.idleGibSecond);
  const sweeps = seconds / 60;
  const billedReads = Math.max(0, sweeps * IDLE_SWEEP.queries - FREE_A_DAY.reads * MONTH_DAYS);
  const sweeping = sweeps * RUN.request + (billedReads / MILLION) * FIRESTORE[region].read;
  // One job of the scheduler, for the sweeper.
  return idle + sweeping + Math.max(0, 1 - SCHEDULER.free) * SCHEDULER.job;
}

/** What is free of a month's bill. */
export function freeOf(load: Workload): number {
  const { writes, reads, queries, messages } = operationsOf(load);
  const prices = FIRESTORE[load.region];
  const free = (perJob: number, most: number) => (MONTH_DAYS * Math.min(load.jobsPerDay * perJob, most)) / MILLION;
  const bytes = MONTH_DAYS * load.jobsPerDay * messages * 2 * PUBSUB.bytesLeast;
  return (
    free(writes, FREE_A_DAY.writes) * prices.write +
    free(reads + queries, FREE_A_DAY.reads) * prices.read +
    Math.min(bytes, PUBSUB.freeBytesAMonth) * PUBSUB.byte
  );
}

/** What a month costs. */
export function monthly(load: Workload, service: Service): number {
  const jobs = (MONTH_DAYS * load.jobsPerDay) / MILLION;
  return jobs * total(costsOfMillion(load, service)) - freeOf(load) + atRest(service, load.region);
}
