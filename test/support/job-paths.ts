/**
 * The ways that a job can go, each walked on the emulators while what goes over the wire is counted: a process that takes
 * jobs in, works and sweeps, another one that reads and cancels, and a queue that brings each doorbell to the worker once.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { BATCH, cancelOf, general, LIST, type Reply, retryOf, SUBMIT, statusOf, streamOf } from './app.ts';
import { type Counted, createTopic, type Hosts, startCountedWire } from './counted-wire.ts';
import { fillFirestore, manyJobs, type Samples } from './stored-jobs.ts';
import { startReceiver } from './webhook-receiver.ts';

export type Walker = {
  runtime: Runtime;
  /** Submits one job, which is to be accepted, and answers its id. */
  submit(prompt: string, more?: Record<string, unknown>): Promise<string>;
  batch(jobs: number): Promise<void>;
  /** Brings each doorbell that was rung to the worker, and those that are rung then; resolves when all were answered. */
  deliver(): Promise<void>;
  /** One sweep, as the scheduler asks for it. */
  sweep(): Promise<void>;
  /** Stores so many jobs that are over, or not due. */
  store(jobs: number): Promise<void>;
  /** Of the process that reads. */
  status(id: string, query?: string, headers?: Record<string, string>): Promise<Reply>;
  stream(id: string): Promise<string>;
  /** The first page of the newest jobs. */
  list(): Promise<Reply>;
  post(path: string): Promise<Reply>;
  /** Resolves when so many commits were answered since the walk began. */
  committed(commits: number): Promise<void>;
  /** A worker that claims what is rung, and is never heard of again. */
  loseWorker(): Promise<void>;
};

export type JobPath = {
  name: string;
  /** How many jobs are accepted on it. */
  jobs?: number;
  environment?: Record<string, string>;
  /** What has to be there before, and is not counted. */
  prepare?(walker: Walker): Promise<void>;
  walk(walker: Walker): Promise<void>;
};

/** `requests`: to all functions, doorbells that are pushed included. `jobs`: how many were accepted. */
export type Walked = Counted & { requests: number; jobs: number; tookMs: number };

const LOCAL = { tenant: 'default', user: 'local', scopes: [] };
const SECRET = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;
/** Of a worker that is lost. */
const LEASE_MS = 4_000;
/** From its claim until the sweeper may look at its job. */
const LOST_MS = LEASE_MS + LEASE_GRACE_MS + 200;

/** Submitted, and run. */
export const plain = async ({ submit, deliver }: Walker): Promise<void> => {
  await submit('A plain job.');
  await deliver();
};

const polled = (polls: number): JobPath => ({
  name: polls === 1 ? 'polled once' : `polled ${polls} times`,
  async walk({ submit, deliver, status }) {
    const id = await submit('A job that is polled.');
    for (let poll = 1; poll < polls; poll++) await status(id);
    await deliver();
    await status(id);
  },
});

/** The first listener of a process loads and connects what the others find there. */
async function listening({ submit, status, deliver }: Walker): Promise<void> {
  await status(await submit('Somebody else waits.'), '?wait=1');
  await deliver();
}

const FORTY_WORDS = Array.from({ length: 40 }, (_, n) => `word${n}`).join(' ');

/** Some words in so many seconds, and a reader. */
const streamed = (flushMs: number, seconds: number): JobPath => ({
  name: `streamed for ${seconds} s, flushed each ${flushMs} ms`,
  environment: { FLUSH_MS: String(flushMs) },
  prepare: listening,
  async walk({ submit, deliver, stream }) {
    const id = await submit(`${FORTY_WORDS} [simulate seconds=${seconds}]`, { stream: true });
    await Promise.all([stream(id), deliver()]);
  },
});

const batched = (jobs: number): JobPath => ({
  name: jobs === 1 ? 'in a batch of 1' : `in a batch of ${jobs}`,
  jobs,
  async walk({ batch, deliver }) {
    await batch(jobs);
    await deliver();
  },
});

/** Each way, with texts of so many seconds where there are streams. */
export function jobPaths(textSeconds: number, flushesMs: readonly number[]): JobPath[] {
  return [
    { name: 'plain', walk: plain },
    polled(1),
    polled(10),
    {
      name: 'waited for (long poll)',
      prepare: listening,
      async walk({ submit, deliver, status }) {
        const id = await submit('Somebody waits. [simulate seconds=0.5]');
        const waits = async () => {
          for (let etag = ''; ; ) {
            const { body, headers } = await status(id, '?wait=30', etag === '' ? {} : { 'If-None-Match': etag });
            if (body?.is_complete) return;
            etag = headers.get('ETag') ?? '';
          }
        };
        const waiting = waits();
        await pause(100);
        await deliver();
        await waiting;
      },
    },
    ...flushesMs.map((flushMs) => streamed(flushMs, textSeconds)),
    {
      name: 'tried again by the same worker',
      async walk({ submit, deliver }) {
        await submit(`Fail once, ${crypto.randomUUID()}. [simulate fail=overloaded times=1]`);
        await deliver();
      },
    },
    {
      name: 'tried again after its worker was lost',
      environment: { LEASE_MS: String(LEASE_MS) },
      async walk({ submit, loseWorker, sweep, deliver }) {
        await submit('Lose my worker. [simulate seconds=0.4]');
        await loseWorker();
        await pause(LOST_MS);
        await sweep();
        await deliver();
      },
    },
    {
      name: 'failed, and made anew by /retry/',
      async walk({ submit, deliver, post }) {
        const id = await submit(`Fail once, ${crypto.randomUUID()}. [simulate fail=auth times=1]`);
        await deliver();
        await post(retryOf(id));
        await deliver();
      },
    },
    {
      name: 'cancelled while pending',
      async walk({ submit, deliver, post }) {
        await post(cancelOf(await submit('Never mind.')));
        await deliver();
      },
    },
    {
      name: 'cancelled while processing',
      async walk({ submit, deliver, post, committed }) {
        const id = await submit('Never mind. [simulate seconds=60]');
        const working = deliver();
        await committed(2);
        await post(cancelOf(id));
        await working;
      },
    },
    ...[1, 10, 100].map(batched),
    {
      name: 'with credits',
      environment: { CREDITS: 'on' },
      walk: plain,
    },
    { name: 'with a concurrency limit', environment: { MAX_RUNNING: '*=1' }, walk: plain },
    {
      name: 'with a webhook',
      environment: { WEBHOOK_SECRETS: SECRET },
      async walk({ submit, deliver }) {
        const receiver = await startReceiver({ secrets: [SECRET] });
        await submit('Tell me.', { webhook: { url: receiver.url, events: ['job.completed'] } });
        await deliver();
        const told = receiver.receipts.map(({ type }) => type).join();
        await receiver.stop();
        if (told !== 'job.completed') throw new Error(`the receiver was told ${told || 'nothing'}`);
      },
    },
    {
      name: 'the first of equal jobs',
      async walk({ submit, deliver }) {
        await submit('What are we all?', { cache_ttl_seconds: 60 });
        await deliver();
      },
    },
    {
      name: 'a further one of equal jobs',
      async prepare({ submit, deliver }) {
        await submit('What are we all?', { cache_ttl_seconds: 60 });
        await deliver();
      },
      async walk({ submit, deliver }) {
        await submit('What are we all?', { cache_ttl_seconds: 60 });
        await deliver();
      },
    },
  ];
}

/** Sweeps with nothing to do, in front of so many stored jobs. */
export function idleSweeps(counts: readonly number[]): JobPath[] {
  return counts.map((count) => ({
    name: `an idle sweep, ${count} stored jobs`,
    jobs: 0,
    prepare: ({ store }) => store(count),
    walk: ({ sweep }) => sweep(),
  }));
}

/** Walks a path in a project of its own. */
export async function walked(path: JobPath, hosts: Hosts): Promise<Walked> {
  const { walker, counted, close } = await openWalker(hosts, path.environment);
  try {
    await path.prepare?.(walker);
    return await counted(path.walk, path.jobs);
  } finally {
    await close();
  }
}

export type OpenWalker = {
  projectId: string;
  walker: Walker;
  /** Counts what a walk costs; `jobs` are accepted on it. */
  counted(walk: (walker: Walker) => Promise<void>, jobs?: number): Promise<Walked>;
  close(): Promise<void>;
};

/** Starts both processes in a project of their own, which know already what a plain job usually takes. */
export async function openWalker(hosts: Hosts, more: Record<string, string> = {}): Promise<OpenWalker> {
  const wire = await startCountedWire(hosts);
  const environment = {
    GOOGLE_CLOUD_PROJECT: `demo-${crypto.randomUUID().slice(0, 8)}`,
    ...{ SIMULATED_MS: '0', LOG_LEVEL: 'error', ...more },
  };
  const config = readConfig({ ...environment, ...wire.environment });
  await createTopic(hosts.pubsub, config.projectId, config.jobsTopic);
  const open = (over = config) => {
    const runtime = googleRuntime(over, undefined, { renderJob });
    return { runtime, app: publicApp(runtime, EVERYTHING) };
  };
  const [writer, reader] = [open(), open()];
  const { runtime } = writer;
  let requests = 0;

  async function ask({ app }: typeof writer, method: string, at: string, body?: unknown, headers = {}): Promise<Reply> {
    requests += 1;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const sized = text === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(text)) };
    const response = await app.request(at, {
      method,
      headers: { ...(text === undefined ? {} : { 'Content-Type': 'application/json' }), ...sized, ...headers },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    const isJson = response.headers.get('Content-Type')?.startsWith('application/json');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(answer) : answer };
  }

  async function accepted(at: string, body: unknown): Promise<Reply['body']> {
    const { status, body: answer } = await ask(writer, 'POST', at, body);
    if (status !== 202) throw new Error(`${at} answered ${status} ${JSON.stringify(answer)}`);
    return answer;
  }

  const walker: Walker = {
    runtime,
    submit: async (prompt, more = {}) => (await accepted(SUBMIT, { ...general({ prompt }), ...more })).job_id,
    batch: (jobs) => accepted(BATCH, { jobs: Array(jobs).fill(general({ prompt: 'One of many.' })) }),
    async deliver() {
      for (let keys = wire.rung(); keys.length > 0; keys = wire.rung()) {
        requests += keys.length;
        await Promise.all(keys.map((key) => runtime.worker.run(key)));
      }
    },
    async sweep() {
      requests += 1;
      await runtime.sweep();
    },
    async store(jobs) {
      const samples = await samplesOf(runtime);
      const emulator = { projectId: config.projectId, emulatorHost: hosts.firestore };
      await fillFirestore(emulator, manyJobs(samples, jobs));
    },
    status: (id, query = '', headers = {}) => ask(reader, 'GET', `${statusOf(id)}${query}`, undefined, headers),
    async stream(id) {
      const { body } = await ask(reader, 'GET', streamOf(id));
      return body;
    },
    list: () => ask(reader, 'GET', `${LIST}?limit=20`),
    post: (at) => ask(reader, 'POST', at),
    async committed(commits) {
      while (wire.committed() < commits) await pause(5);
    },
    async loseWorker() {
      const cut = await startCountedWire(wireHosts(wire.environment));
      const lost = googleRuntime(readConfig({ ...environment, ...cut.environment }));
      const running = wire.rung().map((key) => lost.worker.run({ ...key }).catch(() => undefined));
      while (cut.committed() < 1) await pause(5);
      await cut.close();
      void Promise.all(running).then(() => lost.close());
    },
  };
  if (config.credits === 'on') {
    await runtime.accounts.put(LOCAL, { subscription: 'active' });
    await runtime.accounts.grant(LOCAL, { id: 'first', tokens: 1_000_000 });
  }
  // The first of its kind asks what such jobs usually take, and tells it.
  await plain(walker);
  return {
    projectId: config.projectId,
    walker,
    async counted(walk, jobs = 1) {
      wire.take();
      // What was rung before is nothing that the walk has to do with.
      wire.rung();
      requests = 0;
      const startedMs = performance.now();
      await walk(walker);
      return { ...wire.take(), requests, jobs, tookMs: performance.now() - startedMs };
    },
    async close() {
      await Promise.all([runtime.close(), reader.runtime.close()]);
      await wire.close();
    },
  };
}

/** A job that is over, and one that waits. */
export async function samplesOf({ service, worker }: Pick<Runtime, 'service' | 'worker'>): Promise<Samples> {
  const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'One of many.' } };
  const { job: open } = await service.submit(LOCAL, submission);
  const { job } = await service.submit(LOCAL, submission);
  await worker.run(job);
  return { open, ended: (await service.read(LOCAL, job.id)).job };
}

function wireHosts(environment: { FIRESTORE_EMULATOR_HOST: string; PUBSUB_EMULATOR_HOST: string }): Hosts {
  return { firestore: environment.FIRESTORE_EMULATOR_HOST, pubsub: environment.PUBSUB_EMULATOR_HOST };
}

/** All that Google bills as a read. */
export function readsOf({ operations, queryReads, told }: Counted): number {
  return operations.reads + queryReads + told;
}
