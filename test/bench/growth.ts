/**
 * `npm run bench -- --only growth`: whether a job costs more where many are stored: operations on the emulators, and the
 * time that each step takes there and on SQLite, in front of few stored jobs and of many.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import type { SqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { readConfig } from '../../shared/config.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { openWalker, plain, readsOf, samplesOf, type Walked, type Walker } from '../support/job-paths.ts';
import { fillFirestore, manyJobs, remembering, type Samples } from '../support/stored-jobs.ts';
import { firestoreStores } from '../support/stores.ts';
import { type Bench, bench, type Rows, rounded } from './support/bench.ts';
import { startRole } from './support/role.ts';
import { median, spread } from './support/statistics.ts';

const LOCAL = { tenant: 'default', user: 'local', scopes: [] };
const SUBMISSION = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'One more.' } };
const WHOLE = 'create, claim, finish and get';

/** Milliseconds of each step, by its name. */
type Times = Map<string, number[]>;

function add(times: Times, step: string, ms: number): void {
  times.set(step, [...(times.get(step) ?? []), ms]);
}

/** One store with its stored jobs: does each step some times. */
type Grown = { stored: number; round(times: Times): Promise<void>; close(): Promise<void> };

/** Rounds in which each has its turn, in turns the first one; the first round warms up. Milliseconds, by store and step. */
async function measured(all: readonly Grown[], rounds: number, say: (what: string) => void): Promise<Times[]> {
  const medians = all.map((): Times => new Map());
  for (let round = 0; round <= rounds; round++) {
    const order = [...all.entries()];
    if (round % 2 === 1) order.reverse();
    for (const [index, grown] of order) {
      say(`${grown.stored} stored jobs, round ${round} of ${rounds}`);
      const times: Times = new Map();
      await grown.round(times);
      if (round > 0) for (const [step, ms] of times) add(medians[index] ?? new Map(), step, median(ms));
    }
  }
  return medians;
}

/** What the largest takes of the time that the smallest takes, round by round. */
function ratiosOf(medians: readonly Times[], step: string): number[] {
  const [few = [], many = []] = [medians[0]?.get(step), medians.at(-1)?.get(step)];
  return many.map((ms, round) => ms / (few[round] ?? Number.NaN));
}

function show({ table, plot }: Bench, where: string, all: readonly Grown[], medians: readonly Times[]): void {
  const steps = [...(medians[0]?.keys() ?? [])];
  const rows: Rows = {};
  for (const step of steps) {
    const columns = all.map(({ stored }, index) => [`ms, ${stored} stored`, spread(medians[index]?.get(step) ?? [])]);
    rows[step] = { ...Object.fromEntries(columns), 'times as long': spread(ratiosOf(medians, step)) };
  }
  table(`${where}: time of each step`, rows);
  plot({
    title: `${where}: time by stored jobs`,
    kind: 'lines',
    x: { label: 'stored jobs', isLogarithmic: true },
    y: { label: 'milliseconds', isLogarithmic: true },
    points: steps.flatMap((series) =>
      all.map(({ stored }, index) => ({ x: stored, y: median(medians[index]?.get(series) ?? []), series })),
    ),
  });
}

async function timed(times: Times, step: string, work: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now();
  await work();
  add(times, step, performance.now() - startedMs);
}

/** `npm start`'s service, in this process, on a file of its own. */
async function openEmbedded(folder: string, stored: number, jobs: number) {
  const settings = { SIMULATED_MS: '0', LOG_LEVEL: 'error' };
  const config = readConfig({ ...settings, DATABASE_URL: join(folder, `${stored}.db`) });
  const first = await embeddedRuntime(readConfig({ ...settings, DATABASE_URL: ':memory:' }));
  const samples = await samplesOf(first);
  await first.close();
  const filler = await startRole('filler');
  const keys = await filler.ask<JobKey[]>('fill', { path: config.databaseUrl, samples, count: stored });
  await filler.stop();

  let hear = (_step: string, _ms: number) => {};
  let purge = (_nowMs: number) => {};
  let store: JobStore | undefined;
  const runtime: EmbeddedRuntime = await embeddedRuntime(config, undefined, {}, (stores) => {
    purge = (stores.store as SqliteJobStore).purge;
    store = stores.store;
    return { ...stores, store: heard(stores.store, (step, ms) => hear(step, ms)) };
  });
  let calls = 0;
  const grown: Grown = {
    stored,
    async round(times) {
      calls = 0;
      for (let job = 0; job < jobs; job++) {
        let inStore = { create: 0, claim: 0, finish: 0 };
        hear = (step, ms) => {
          calls += 1;
          if (step in inStore) inStore = { ...inStore, [step]: inStore[step as keyof typeof inStore] + ms };
        };
        const key = keys[Math.floor(Math.random() * keys.length)] ?? samples.ended;
        await timed(times, WHOLE, async () => {
          const { job } = await runtime.service.submit(LOCAL, SUBMISSION);
          await runtime.worker.run(job);
          await runtime.service.read(LOCAL, job.id);
        });
        for (const [step, ms] of Object.entries(inStore)) add(times, `${step}, in the store`, ms);
        hear = () => {};
        await timed(times, 'get', async () => store?.get(key));
      }
      for (let page = 0; page < jobs / 4; page++) {
        await timed(times, 'list page', () => runtime.service.list(LOCAL, { limit: 20, offset: 0 }));
        await timed(times, 'idle sweep', async () => {
          purge(Date.now());
          const swept = await runtime.sweep();
          if (swept.rung > 0) throw new Error('there was something to sweep');
        });
      }
    },
    close: () => runtime.close(),
  };
  return { grown, callsPerJob: () => calls / jobs };
}

/** A store whose calls are told, by the steps of a job's life. */
function heard(store: JobStore, tell: (step: string, ms: number) => void): JobStore {
  let isClaimed = false;
  async function told<T>(step: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const answer = await work();
    tell(step, performance.now() - startedMs);
    return answer;
  }
  return {
    ...store,
    create: (...values) => told('create', () => store.create(...values)),
    get: (...values) => told('get', () => store.get(...values)),
    getWithInput(...values) {
      isClaimed = false;
      return told('claim', () => store.getWithInput(...values));
    },
    update(...values) {
      const step = isClaimed ? 'finish' : 'claim';
      isClaimed = true;
      return told(step, () => store.update(...values));
    },
  };
}

async function embedded(bench: Bench): Promise<void> {
  const sizes = bench.sized([1_000, 10_000, 100_000], [50, 200]);
  const [jobs, rounds] = [bench.sized(40, 4), bench.sized(15, 1)];
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-growth-'));
  try {
    const all: Awaited<ReturnType<typeof openEmbedded>>[] = [];
    for (const stored of sizes) {
      bench.say(`storing ${stored} jobs in SQLite`);
      all.push(await openEmbedded(folder, stored, jobs));
    }
    const grown = all.map((one) => one.grown);
    const medians = await measured(grown, rounds, bench.say);
    show(bench, 'Embedded', grown, medians);
    const calls = all.map(({ callsPerJob }) => callsPerJob());
    bench.table(
      'Embedded: calls of the store per job',
      Object.fromEntries(grown.map(({ stored }, index) => [`${stored} stored`, { calls: rounded(calls[index] ?? 0) }])),
    );
    const [few, many] = [sizes[0], sizes.at(-1)];
    const what = `embedded: a job's time (${WHOLE}) at ${many} stored jobs`;
    bench.verdict({ what, value: median(ratiosOf(medians, WHOLE)), unit: `× at ${few}`, atMost: 1.2 });
    const difference = Math.max(...calls) - Math.min(...calls);
    bench.verdict({ what: 'embedded: more calls of the store', value: difference, unit: 'per job', atMost: 0 });
    for (const one of grown) await one.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Walks = Record<string, (walker: Walker, stored: Job) => Promise<unknown>>;
const WALKS: Walks = {
  'a plain job': (walker) => plain(walker),
  'a get': ({ status }, { id }) => status(id),
};
/** A query of the emulator looks at every document: of 100,000 it takes longer than the store may take for an answer. */
const QUERIES: Walks = {
  'a page of 20 jobs': ({ list }) => list(),
  'an idle sweep': ({ sweep }) => sweep(),
};
const QUERIED_MOST = 20_000;

/** A project of the emulators. */
async function openEmulated(hosts: { pubsub: string; firestore: string }, stored: number, jobs: number) {
  const opened = await openWalker(hosts);
  const { projectId, walker } = opened;
  const samples: Samples = await samplesOf(walker.runtime);
  // Of the other tenant's, none is read: the first job is the caller's own.
  const keys: JobKey[] = [];
  await fillFirestore(
    { projectId, emulatorHost: hosts.firestore },
    remembering(manyJobs(samples, stored), keys, stored),
  );
  const { store, close } = firestoreStores({ projectId, emulatorHost: hosts.firestore });
  const counted = new Map<string, Walked>();
  const grown: Grown = {
    stored,
    async round(times) {
      for (let job = 0; job < jobs; job++) {
        const made = { ...samples.open, id: crypto.randomUUID() };
        await timed(times, 'create', () => store.create(made, SUBMISSION.input));
        await timed(times, 'claim', async () => {
          const found = await store.getWithInput(made);
          const changes = { state: 'processing' as const, version: 2, wakeAt: Date.now() + 86_400_000 };
          await store.update(made, found?.revision ?? '', changes);
        });
        const key = keys[Math.floor(Math.random() * keys.length)] ?? made;
        await timed(times, 'get', () => store.get(key));
      }
    },
    async close() {
      await Promise.all([opened.close(), close()]);
    },
  };
  const walks = stored > QUERIED_MOST ? WALKS : { ...WALKS, ...QUERIES };
  // Before the rounds, in which jobs come whom nobody rings for.
  for (const [name, walk] of Object.entries(walks)) {
    counted.set(name, await opened.counted(async (one) => void (await walk(one, samples.ended))));
  }
  return { grown, counted };
}

type Emulated = Awaited<ReturnType<typeof openEmulated>>;

function costsOf(walked: Walked): Record<string, number> {
  const { operations, deletes, kept } = walked;
  const { writes, queries, messages } = operations;
  return { writes, reads: readsOf(walked), queries, deletes: deletes + kept, messages };
}

/** By how much any operation of these walks differs, in front of few stored jobs and of the most before which they were made. */
function compare(bench: Bench, all: readonly Emulated[], walks: Walks): void {
  const names = Object.keys(walks);
  const walked = all.filter(({ counted }) => names.every((name) => counted.has(name)));
  const [few, many] = [walked[0], walked.at(-1)];
  if (!few || !many || few === many) return;
  const inAll = ({ counted }: Emulated) => [...counted].filter(([name]) => names.includes(name));
  const costs = (one: Emulated) => inAll(one).flatMap(([, each]) => Object.values(costsOf(each)));
  const before = costs(few);
  const differences = costs(many).map((count, n) => Math.abs(count - (before[n] ?? Number.NaN)));
  const what = `operations of ${names.join(' and of ')}, ${many.grown.stored} against ${few.grown.stored} stored jobs`;
  bench.verdict({ what, value: Math.max(...differences), unit: 'more or fewer', atMost: 0 });
}

async function emulated(bench: Bench): Promise<void> {
  const commands = findEmulators();
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
  ]);
  const hosts = { pubsub: pubsub.host, firestore: firestore.host };
  const sizes = bench.sized([1_000, QUERIED_MOST, 100_000], [50, 200]);
  const all: Emulated[] = [];
  for (const stored of sizes) {
    bench.say(`storing ${stored} jobs in the emulator`);
    all.push(await openEmulated(hosts, stored, bench.sized(20, 2)));
  }
  const rows = Object.keys({ ...WALKS, ...QUERIES }).flatMap((name) =>
    all.flatMap(({ grown, counted }) => {
      const walked = counted.get(name);
      return walked ? [[`${name}, ${grown.stored} stored`, costsOf(walked)] as const] : [];
    }),
  );
  bench.table('Emulators: operations', Object.fromEntries(rows));
  compare(bench, all, WALKS);
  compare(bench, all, QUERIES);
  const grown = all.map((one) => one.grown);
  const medians = await measured(grown, bench.sized(10, 1), bench.say);
  show(bench, 'Emulators', grown, medians);
  for (const one of grown) await one.close();
  await Promise.all([pubsub.stop(), firestore.stop()]);
}

await bench(
  {
    name: 'growth',
    title: 'Growth',
    about: `The same steps in front of few stored jobs and of many: nine of ten are over, one waits for tomorrow; half are of the caller's tenant. Operations are counted on the wire to the emulators, whose queries look at every document: their time would say nothing of Firestore, and they are asked in front of no more than 20,000 stored jobs; only create, claim and get are timed there. Embedded: the service in this process on files of its own, with a sync for each commit; "in the store" is the time within the store's calls. Medians of each round, and their least and most; rounds take turns.`,
  },
  async (bench) => {
    await bench.attempt('embedded', () => embedded(bench));
    await bench.attempt('emulators', () => emulated(bench));
  },
);
