/**
 * `npm run bench -- --only embedded`: the embedded service on its SQLite file, beside what a user would build instead,
 * BullMQ on a real Redis, behind the same contract and with the same provider; and beside a bare SQLite pipeline without
 * any guarantee. `BENCH_CPU_PROF=<folder>` writes CPU profiles of our service there.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { bundlePrograms } from '../support/programs.ts';
import type { ClosedLoop, OpenLoop, Took } from './roles/load.ts';
import { type Bench, bench, type Rows } from './support/bench.ts';
import { cpuSeconds } from './support/processes.ts';
import { hasRedis, startDurableRedis } from './support/redis.ts';
import { type Role, startRole } from './support/role.ts';
import { median, quantile, spread } from './support/statistics.ts';

/** How many callers there are, and how many calls of the provider each contestant has under way at most. */
const IN_FLIGHT = 50;
const OPEN_PER_SECOND = 200;
const SLOW_MS = 200;

const OURS = 'llm-jobs, embedded';
const PEER = 'BullMQ, Redis synced each second';
const PEER_ALWAYS = 'BullMQ, Redis synced always';
const BARE = 'bare SQLite pipeline';

const BUILD = join(import.meta.dirname, '../../.build');
const profileFolder = process.env.BENCH_CPU_PROF;
const countsCpu = existsSync('/proc/self/stat');

type Environment = Record<string, string>;
type Contestant = { name: string; baseUrl: string; pids: number[]; stop(): Promise<void> };

/** What one round of one contestant showed. */
type Round = {
  'jobs/s': number;
  'submit p50, ms': number;
  'submit p99, ms': number;
  'submit to done p50, ms': number;
  'submit to done p99, ms': number;
  'CPU ms per job': number;
};
type Rounds = { rounds: Round[]; doneMs: number[] };

/** A program behind a port, bundled like all others, with its lines to nobody. */
async function startProgram(program: string, environment: Environment, nodeOptions?: readonly string[]) {
  const common = { PORT: String(await freePort()), WORKER_CONCURRENCY: String(IN_FLIGHT) };
  return await startLocalProcess({ ...common, ...environment }, program, nodeOptions);
}

async function startOnSqlite(name: string, program: string, folder: string, environment: Environment) {
  const isProfiled = profileFolder !== undefined && name === OURS;
  const options = isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : [];
  const file = { DATABASE_URL: join(folder, `${basename(program, '.ts')}.db`) };
  const { baseUrl, child } = await startProgram(program, { ...environment, ...file }, options);
  const stop = async () => {
    if (!isProfiled) return await stopGroup(child);
    // To write a profile takes longer than `stopGroup` waits.
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  return { name, baseUrl, pids: [child.pid ?? 0], stop };
}

async function startPeer(name: string, appendfsync: 'everysec' | 'always', folder: string, environment: Environment) {
  const data = join(folder, appendfsync);
  mkdirSync(data);
  const redis = await startDurableRedis(data, appendfsync);
  const program = 'test/bench/roles/bullmq.ts';
  const { baseUrl, child } = await startProgram(program, { ...environment, REDIS_URL: redis.url });
  const stop = async () => {
    await stopGroup(child);
    await redis.stop();
  };
  return { name, baseUrl, pids: [child.pid ?? 0, redis.pid], stop };
}

/** Those of them that can run here, with a provider of their own. */
async function withContestants(
  names: readonly string[],
  provider: Environment,
  work: (contestants: Contestant[]) => Promise<void>,
) {
  mkdirSync(join(BUILD, 'bench'), { recursive: true });
  // Not in the folder for temporary files, which may be memory.
  const folder = mkdtempSync(join(BUILD, 'bench', 'embedded-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const role = await startRole('provider', provider);
  const environment = await role.ask<Environment>('environment');
  const starts: Record<string, () => Promise<Contestant>> = {
    [OURS]: () => startOnSqlite(OURS, 'infra/local.ts', folder, environment),
    ...(hasRedis() && {
      [PEER]: () => startPeer(PEER, 'everysec', folder, environment),
      [PEER_ALWAYS]: () => startPeer(PEER_ALWAYS, 'always', folder, environment),
    }),
    [BARE]: () => startOnSqlite(BARE, 'test/bench/roles/bare-sqlite.ts', folder, environment),
  };
  const contestants: Contestant[] = [];
  for (const name of names) {
    const start = starts[name];
    if (start) contestants.push(await start());
  }
  await work(contestants);
  for (const { stop } of contestants) await stop();
  await role.stop();
}

async function measured({ pids }: Contestant, work: () => Promise<Took>): Promise<{ round: Round; took: Took }> {
  const used = () => (countsCpu ? cpuSeconds(pids) : Number.NaN);
  const before = used();
  const took = await work();
  const jobs = took.doneMs.length;
  const round: Round = {
    'jobs/s': jobs / took.seconds,
    'submit p50, ms': median(took.submitMs),
    'submit p99, ms': quantile(took.submitMs, 0.99),
    'submit to done p50, ms': median(took.doneMs),
    'submit to done p99, ms': quantile(took.doneMs, 0.99),
    'CPU ms per job': ((used() - before) * 1_000) / jobs,
  };
  return { round, took };
}

/** They take turns, and another one begins each time. */
async function inTurns(
  contestants: readonly Contestant[],
  rounds: number,
  load: (contestant: Contestant) => Promise<Took>,
  say: (what: string) => void,
): Promise<Map<string, Rounds>> {
  const found = new Map<string, Rounds>(contestants.map(({ name }) => [name, { rounds: [], doneMs: [] }]));
  for (let round = 0; round < rounds; round++) {
    const first = round % contestants.length;
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      say(`${contestant.name}, round ${round + 1} of ${rounds}`);
      const one = await measured(contestant, () => load(contestant));
      found.get(contestant.name)?.rounds.push(one.round);
      found.get(contestant.name)?.doneMs.push(...one.took.doneMs);
    }
  }
  return found;
}

/** What ours had more of (or less) than another in the same round, of each round. */
function ratios(found: Map<string, Rounds>, of: string, column: keyof Round): number[] {
  const others = found.get(of)?.rounds ?? [];
  return (found.get(OURS)?.rounds ?? []).flatMap((round, n) => {
    const other = others[n];
    return other ? [round[column] / other[column]] : [];
  });
}

function rowsOf(found: Map<string, Rounds>): Rows {
  const columns = Object.keys([...found.values()][0]?.rounds[0] ?? {}) as (keyof Round)[];
  const shown = columns.filter((column) => countsCpu || column !== 'CPU ms per job');
  const row = (of: (column: keyof Round) => number[]) =>
    Object.fromEntries(shown.map((column) => [column, spread(of(column))]));
  const names = [...found.keys()];
  return Object.fromEntries([
    ...names.map((name) => [name, row((column) => (found.get(name)?.rounds ?? []).map((round) => round[column]))]),
    ...names
      .filter((name) => name !== OURS)
      .map((name) => [`ours ÷ ${name}`, row((column) => ratios(found, name, column))]),
  ]);
}

async function atOnce(bench: Bench, contestants: readonly Contestant[], load: Role): Promise<void> {
  const closed = (jobs: number) => (contestant: Contestant) =>
    load.ask<Took>('closed', { baseUrl: contestant.baseUrl, jobs, inFlight: IN_FLIGHT } satisfies ClosedLoop);
  await inTurns(contestants, 1, closed(bench.sized(2_000, 20)), () => bench.say('warm-up'));
  const jobs = bench.sized(1_500, 50);
  const found = await inTurns(contestants, bench.sized(7, 1), closed(jobs), bench.say);
  bench.table(`${IN_FLIGHT} callers, each with one job at a time; ${jobs} jobs a round`, rowsOf(found));
  bench.plot({
    ...{ title: 'Jobs per second', kind: 'bars', x: { label: '' }, y: { label: 'jobs per second' } },
    points: [...found].map(([x, { rounds }]) => ({ x, y: median(rounds.map((round) => round['jobs/s'])) })),
  });
  bench.plot({
    ...{ title: 'From submit to done', kind: 'lines' },
    ...{ x: { label: 'share of the jobs, %' }, y: { label: 'ms', isLogarithmic: true } },
    points: [...found].flatMap(([series, { doneMs }]) =>
      [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9].map((x) => ({ x, y: quantile(doneMs, x / 100), series })),
    ),
  });
  if (found.has(PEER)) {
    const against = (column: keyof Round) => median(ratios(found, PEER, column));
    const unit = '× BullMQ';
    bench.verdict({ what: 'jobs per second', value: against('jobs/s'), unit, atLeast: 1 });
    if (countsCpu) bench.verdict({ what: 'CPU per job', value: against('CPU ms per job'), unit, atMost: 0.9 });
    bench.verdict({ what: 'p99 submit to done', value: against('submit to done p99, ms'), unit, atMost: 1 });
  }

  const open = (seconds: number) => (contestant: Contestant) =>
    load.ask<Took>('open', {
      ...{ baseUrl: contestant.baseUrl, perSecond: OPEN_PER_SECOND, seconds },
    } satisfies OpenLoop);
  const atRate = await inTurns(contestants, bench.sized(3, 1), open(bench.sized(5, 0.3)), bench.say);
  bench.table(`${OPEN_PER_SECOND} submits per second, whatever becomes of them`, rowsOf(atRate));
  const submitP99 = median((atRate.get(OURS)?.rounds ?? []).map((round) => round['submit p99, ms']));
  bench.verdict({ what: `submit p99 at ${OPEN_PER_SECOND} per second`, value: submitP99, unit: 'ms', atMost: 100 });
}

async function slowly(bench: Bench, contestants: readonly Contestant[], load: Role): Promise<void> {
  const closed =
    (jobs: number) =>
    ({ baseUrl }: Contestant) =>
      load.ask<Took>('closed', { baseUrl, jobs, inFlight: IN_FLIGHT } satisfies ClosedLoop);
  await inTurns(contestants, 1, closed(bench.sized(500, 20)), () => bench.say('warm-up'));
  const found = await inTurns(contestants, bench.sized(3, 1), closed(bench.sized(1_000, 50)), bench.say);
  const most = (IN_FLIGHT * 1_000) / SLOW_MS;
  bench.table(
    `The same with a provider that takes ${SLOW_MS} ms: more than ${most} jobs/s there cannot be`,
    rowsOf(found),
  );
}

await bench(
  {
    name: 'embedded',
    title: 'Embedded, beside BullMQ on Redis',
    about: [
      'One process of the embedded service on one SQLite file, and one process with a BullMQ queue, worker and event',
      'listener on a Redis server of its own, both behind the same HTTP contract, with the same provider (OpenAI’s',
      `Responses API, streamed, no latency), at most ${IN_FLIGHT} calls at once, data on the same disk, bundled the same way.`,
      'An accepted job of ours is on the disk before the answer (SQLite with a write-ahead log, synchronous=FULL), and so',
      'is each later step of it. With BullMQ’s recommended setting (append-only file, synced each second) a power cut',
      'loses up to a second of accepted jobs, with `always` none; a killed Redis process loses none in either. BullMQ keeps',
      'done jobs for an hour, as its documentation recommends. The bare pipeline keeps a job as safely as ours does, and',
      'promises nothing else. CPU is that of all server processes, Redis included. Ours logs as it does by default, the',
      'others only failures; nobody reads the lines.',
    ].join(' '),
  },
  async (bench) => {
    await bundlePrograms();
    if (!hasRedis()) bench.leaveOut('BullMQ', 'there is no `redis-server` on this machine');
    if (!countsCpu) bench.leaveOut('CPU per job', 'it is read from /proc, which only Linux has');
    const load = await startRole('load');
    await withContestants([OURS, PEER, PEER_ALWAYS, BARE], {}, (contestants) => atOnce(bench, contestants, load));
    const slow = { LATENCY_MS: String(SLOW_MS) };
    await withContestants([OURS, PEER], slow, (contestants) => slowly(bench, contestants, load));
    await load.stop();
  },
);
