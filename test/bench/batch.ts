/**
 * `npm run bench -- --only batch`: many jobs in one request, beside as many requests with one each: time until all are
 * accepted, operations, and memory of the process that takes them in.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleAll } from '../../infra/bundle.ts';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { EmulatorsMissing, findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { startFunction } from '../../infra/function-process.ts';
import { readConfig } from '../../shared/config.ts';
import { BATCH, general, SUBMIT } from '../support/app.ts';
import { type Counted, createTopic, startCountedWire } from '../support/counted-wire.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { bundlePrograms } from '../support/programs.ts';
import { type Bench, bench, type Rows, rounded } from './support/bench.ts';
import { forgetPeak, memoryMb } from './support/processes.ts';
import { median, spread } from './support/statistics.ts';

/** As many single submits are under way as the service has of a batch. */
const AT_ONCE = 40;
const WAYS = ['one batch', 'single submits'] as const;
type Way = (typeof WAYS)[number];
/** A service that takes jobs in. */
type Place = { name: string; baseUrl: string; pid: number; rest(): Promise<void> };
type Found = { ms: number[]; mb: number[] };

const hasProcesses = existsSync('/proc/self/status');
const JOB = general({ prompt: 'One of many.' });

async function post(url: string, body: object): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (response.status !== 202) throw new Error(`${url} answered ${response.status} ${text.slice(0, 500)}`);
}

async function submitAll(baseUrl: string, way: Way, jobs: number): Promise<void> {
  if (way === 'one batch') return post(`${baseUrl}${BATCH}`, { jobs: Array(jobs).fill(JOB) });
  const left = Array.from({ length: jobs }).values();
  const lanes = Array.from({ length: Math.min(jobs, AT_ONCE) }, async () => {
    for (const _ of left) await post(`${baseUrl}${SUBMIT}`, JOB);
  });
  await Promise.all(lanes);
}

/** One size, both ways in turns; the first round warms up. */
async function measured(place: Place, jobs: number, rounds: number): Promise<Record<Way, Found>> {
  const found: Record<Way, Found> = { 'one batch': { ms: [], mb: [] }, 'single submits': { ms: [], mb: [] } };
  for (let round = 0; round <= rounds; round++) {
    for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
      if (hasProcesses) forgetPeak(place.pid);
      const startedMs = performance.now();
      await submitAll(place.baseUrl, way, jobs);
      const ms = performance.now() - startedMs;
      if (round > 0) found[way].ms.push(ms);
      if (round > 0 && hasProcesses) found[way].mb.push(memoryMb(place.pid).peak);
      await place.rest();
    }
  }
  return found;
}

/** What one job of it costs, by the way that it is submitted. */
type Costs = (jobs: number, way: Way) => Counted | undefined;

async function show(bench: Bench, place: Place, costs: Costs): Promise<void> {
  const rows: Rows = {};
  const points: { x: number; y: number; series: string }[] = [];
  for (const jobs of bench.sized([1, 10, 100, 500], [2])) {
    bench.say(`${place.name}: ${jobs} jobs`);
    const found = await measured(place, jobs, bench.sized(7, 1));
    const ratios = found['one batch'].ms.map((ms, round) => ms / (found['single submits'].ms[round] ?? Number.NaN));
    for (const way of WAYS) {
      const { ms, mb } = found[way];
      const one = costs(jobs, way);
      const per = (count: number) => rounded(count / jobs);
      rows[`${jobs} jobs, ${way}`] = {
        'ms until all are accepted': spread(ms),
        'ms per job': rounded(median(ms) / jobs),
        ...(way === 'one batch' ? { '× single submits': spread(ratios) } : {}),
        ...(hasProcesses ? { 'peak MB': spread(mb) } : {}),
        ...(one
          ? {
              'writes per job': per(one.operations.writes),
              'reads per job': per(one.operations.reads + one.queryReads),
              'messages per job': per(one.operations.messages),
            }
          : {}),
      };
      points.push({ x: jobs, y: median(ms) / jobs, series: way });
    }
  }
  bench.table(place.name, rows);
  bench.plot({
    title: `${place.name}: time per job until all are accepted`,
    kind: 'lines',
    x: { label: 'jobs', isLogarithmic: true },
    y: { label: 'milliseconds per job', isLogarithmic: true },
    points,
  });
}

async function embedded(bench: Bench): Promise<void> {
  await bundlePrograms();
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-batch-'));
  const settings = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db'), SIMULATED_MS: '0' };
  const { baseUrl, child } = await startLocalProcess(settings);
  const isOver = async (status: string) => {
    const answer = await fetch(`${baseUrl}/api/llm/jobs/?limit=1&status=${status}`);
    return ((await answer.json()) as { jobs: object[] }).jobs.length === 0;
  };
  /** Until its worker has run them. */
  async function rest(): Promise<void> {
    while (!((await isOver('pending')) && (await isOver('processing'))))
      await new Promise((done) => setTimeout(done, 50));
  }
  await show(bench, { name: 'Embedded', baseUrl, pid: child.pid ?? 0, rest }, () => undefined);
  await stopGroup(child);
  rmSync(folder, { recursive: true });
}

async function emulated(bench: Bench): Promise<void> {
  const commands = findEmulators();
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
    bundleAll(),
  ]);
  const wire = await startCountedWire({ pubsub: pubsub.host, firestore: firestore.host });
  const straight = { PUBSUB_EMULATOR_HOST: pubsub.host, FIRESTORE_EMULATOR_HOST: firestore.host };
  const { projectId, jobsTopic } = readConfig({ GOOGLE_CLOUD_PROJECT: 'demo-batch', ...straight });
  await createTopic(pubsub.host, projectId, jobsTopic);
  const start = (hosts: Record<string, string>) =>
    startFunction({ name: 'submit', environment: { GOOGLE_CLOUD_PROJECT: projectId, ...hosts }, onLine() {} });
  // What counts stands in the way: it has a process of its own.
  const [submit, countedSubmit] = await Promise.all([start(straight), start(wire.environment)]);
  // What such jobs usually take is asked once by a process.
  await submitAll(countedSubmit.url, 'single submits', 1);
  const counted = new Map<string, Counted>();
  for (const jobs of bench.sized([1, 10, 100, 500], [2])) {
    for (const way of WAYS) {
      wire.take();
      await submitAll(countedSubmit.url, way, jobs);
      counted.set(`${jobs} ${way}`, wire.take());
    }
  }
  await countedSubmit.stop();
  const place = { name: 'Emulators', baseUrl: submit.url, pid: submit.child().pid ?? 0, rest: async () => {} };
  await show(bench, place, (jobs, way) => counted.get(`${jobs} ${way}`));
  await Promise.all([submit.stop(), wire.close()]);
  await Promise.all([pubsub.stop(), firestore.stop()]);
}

await bench(
  {
    name: 'batch',
    title: 'Batches',
    about: `Jobs in one POST ${BATCH}, and as many with one POST ${SUBMIT} each, ${AT_ONCE} at once over connections that are kept, in turns. Embedded: the bundled service of \`npm start\` on a file, whose worker runs the jobs of the simulated model meanwhile, and has run them before the next turn. Emulators: the bundled submit function alone; its doorbells ring for nobody. Operations are those of being accepted, counted through a second process. Memory: the most that the process had during the requests; it keeps what smaller ones before them took. What the processes log goes nowhere.`,
  },
  async (bench) => {
    if (!hasProcesses) bench.leaveOut('memory', 'there is no /proc here');
    await embedded(bench);
    try {
      await emulated(bench);
    } catch (error) {
      if (!(error instanceof EmulatorsMissing)) throw error;
      bench.leaveOut('emulators', error.message);
    }
  },
);
