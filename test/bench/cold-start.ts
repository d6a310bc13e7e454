/**
 * `npm run bench -- --only cold-start`: from the start of a function's process to its first answer, beside a bare
 * functions-framework hello in the same run, in rounds that take turns; and what of it is whose. Alone
 * (`node --import tsx test/bench/cold-start.ts`) `--node /path/to/node` measures on another Node, `--rounds N` as often,
 * `--compile-cache` with the compile cache that a bundle's `gcp-build` fills; the bare one has none (Node 22 and newer).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { bundleAll, bundleOf, type FunctionName } from '../../infra/bundle.ts';
import { CACHE_FOLDER } from '../../infra/bundle-cache.ts';
import { startEmulator } from '../../infra/emulator-processes.ts';
import { readConfig } from '../../shared/config.ts';
import { googleRuntime } from '../../shared/runtime.ts';
import { request } from '../support/http-client.ts';
import { type Bench, bench, rounded } from './support/bench.ts';
import { emulatorsHere } from './support/emulators-here.ts';
import { FRAMEWORK, type Start, startOf, startToAnswerMs } from './support/function-start.ts';
import { bytesIn, filesIn, timesIn } from './support/start-profile.ts';
import { median, spread } from './support/statistics.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    rounds: { type: 'string' },
    'compile-cache': { type: 'boolean', default: false },
    short: { type: 'boolean' },
  },
});
const { node } = options;
const HELLO = "exports.hello = (request, response) => response.send('hello');\n";
const SAMPLES_EVERY_US = 200;
const MODULES_SHOWN = 12;
const BODY = JSON.stringify(request('simulated', 'cold'));
const SUBMIT = { method: 'POST', path: '/api/llm/jobs/submit/', body: BODY, answers: 202 };

await bench(
  {
    name: 'cold-start',
    title: 'Cold starts',
    about: `From the start of a function’s process to its first answer on the emulators, beside a bare functions-framework hello; Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}, ${options['compile-cache'] ? 'compile cache filled' : 'no compile cache'}. Then what of it is whose, from a sampling profile of a start: the time in a module’s own code, its evaluation and its first calls, not that of what it calls. Being profiled makes a start slower, so these are shares rather than times.`,
  },
  async (bench) => {
    const commands = emulatorsHere(bench.leaveOut);
    if (!commands) return;
    bench.say('bundling');
    const [pubsub, firestore] = await Promise.all([
      startEmulator(commands, 'pubsub'),
      startEmulator(commands, 'firestore'),
      bundleAll({ sourcemap: false }),
    ]);
    const environment: Record<string, string> = {
      GOOGLE_CLOUD_PROJECT: 'demo-cold',
      PUBSUB_EMULATOR_HOST: pubsub.host,
      FIRESTORE_EMULATOR_HOST: firestore.host,
      SIMULATED_MS: '0',
    };
    const folder = temporaryFolder();
    const store = storedJobs(environment);
    await compare(bench, environment, folder, await store.submitted());
    await breakDown(bench, environment, folder, store);
    await store.close();
    await Promise.all([pubsub.stop(), firestore.stop()]);
  },
);

/** As the buildpack does it, with the Node that is measured. */
function fillCache(name: FunctionName): void {
  const PATH = `${dirname(node)}:${process.env.PATH}`;
  execFileSync('npm', ['run', 'gcp-build'], { cwd: bundleOf(name), env: { ...process.env, PATH }, stdio: 'ignore' });
}

/** Jobs to ask for. */
function storedJobs(environment: Record<string, string>) {
  const runtime = googleRuntime(readConfig({ ...environment, LOG_LEVEL: 'error' }));
  const app = publicApp(runtime, ['writes']);
  const post = (path: string, body?: string) =>
    app.request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, ...(body ? { body } : {}) });
  /** The first calls of an emulator that just started may take too long. */
  async function submitted(): Promise<string> {
    for (let tries = 3; ; tries--) {
      const response = await post('/api/llm/jobs/submit/', BODY);
      const { job_id: id } = (await response.json()) as { job_id: string };
      if (response.status !== 503 || tries === 0) return id;
    }
  }
  return {
    submitted,
    async cancelled(): Promise<string> {
      const id = await submitted();
      await post(`/api/llm/jobs/${id}/cancel/`);
      return id;
    },
    close: () => runtime.close(),
  };
}

async function compare(
  { sized, say, table, plot, verdict }: Bench,
  environment: Record<string, string>,
  folder: string,
  id: string,
): Promise<void> {
  const rounds = Number(options.rounds ?? sized(9, 1));
  const hello = join(folder, 'hello');
  mkdirSync(hello);
  writeFileSync(join(hello, 'index.js'), HELLO);
  writeFileSync(join(hello, 'package.json'), '{ "main": "index.js" }\n');
  symlinkSync(join(FRAMEWORK, '../../../../..'), join(folder, 'node_modules'));
  if (options['compile-cache']) for (const name of ['submit', 'status', 'api'] as const) fillCache(name);
  const status = { name: 'status: its first job', path: `/api/llm/jobs/${id}/status/`, answers: 200 };
  const starts: { start: Start; limit?: number }[] = [
    { start: { name: 'a bare hello', source: hello, target: 'hello', path: '/', answers: 200 } },
    ...(['submit', 'status', 'api'] as const).map((name) => ({
      start: startOf(name, { name: `${name}: GET /health`, path: '/health', answers: 200 }),
      limit: 1.4,
    })),
    { start: startOf('status', status), limit: 3 },
    { start: startOf('submit', { name: 'submit: its first job', ...SUBMIT }), limit: 4 },
  ];
  const taken = starts.map((one) => ({ ...one, times: [] as number[] }));
  // Not counted: files come into memory, emulators warm up.
  for (let round = -sized(2, 1); round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    for (const { start, times } of round % 2 === 0 ? taken : taken.toReversed()) {
      // Ended by force, a process writes no cache itself.
      const cache = options['compile-cache'] ? { NODE_COMPILE_CACHE: join(start.source, CACHE_FOLDER) } : {};
      const ms = await startToAnswerMs(start, { node, environment: { ...environment, ...cache } });
      if (round >= 0) times.push(ms);
    }
  }
  const [bare] = taken;
  const shown = taken.map(({ start, limit, times }) => {
    const ratios = times.map((ms, n) => ms / (bare?.times[n] ?? Number.NaN));
    return { name: start.name, limit, times, ratio: median(ratios) };
  });
  table(
    `From the start to the first answer, median of ${rounds}`,
    Object.fromEntries(
      shown.map(({ name, limit, times, ratio }) => [name, { ms: spread(times), ratio: rounded(ratio), limit }]),
    ),
  );
  plot({
    title: 'From the start to the first answer',
    kind: 'bars',
    x: { label: '' },
    y: { label: 'ms' },
    points: shown.map(({ name, times }) => ({ x: name, y: median(times) })),
  });
  for (const { name, limit, ratio } of shown)
    if (limit) verdict({ what: name, value: ratio, unit: '× a bare hello', atMost: limit });
}

async function breakDown(
  { sized, say, table, plot }: Bench,
  environment: Record<string, string>,
  folder: string,
  store: ReturnType<typeof storedJobs>,
): Promise<void> {
  const rounds = sized(5, 1);
  const ofJob = (name: FunctionName, path: string) => async () =>
    startOf(name, { name, path: path.replace('ID', await store.cancelled()), answers: 200 });
  const functions: [name: FunctionName, start: () => Promise<Start>][] = [
    ['submit', async () => startOf('submit', { name: 'submit', ...SUBMIT })],
    ['status', ofJob('status', '/api/llm/jobs/ID/status/')],
    ['stream', ofJob('stream', '/api/llm/jobs/ID/stream/')],
    ['worker', async () => startOf('worker', { name: 'worker', ...doorbell(await store.submitted()) })],
    ['api', async () => startOf('api', { name: 'api', ...SUBMIT })],
  ];
  for (const [name, start] of sized(functions, functions.slice(0, 2))) {
    say(`what is whose in a start of ${name}`);
    const found: Map<string, number>[] = [];
    for (let round = 0; round < rounds; round++) {
      const profiles = mkdtempSync(join(folder, 'profile-'));
      const profiling = ['--cpu-prof', `--cpu-prof-interval=${SAMPLES_EVERY_US}`, `--cpu-prof-dir=${profiles}`];
      await startToAnswerMs(await start(), { node, environment, options: profiling, ending: 'SIGTERM' });
      found.push(timesIn(profiles));
    }
    const coverage = mkdtempSync(join(folder, 'coverage-'));
    const covered = { ...environment, NODE_V8_COVERAGE: coverage };
    await startToAnswerMs(await start(), { node, environment: covered, ending: 'SIGTERM' });
    const bytes = bytesIn(filesIn(coverage));
    const modules = [...new Set(found.flatMap((times) => [...times.keys()]))]
      .map((module) => ({ module, ms: median(found.map((times) => times.get(module) ?? 0)) }))
      .sort((one, other) => other.ms - one.ms);
    const all = modules.reduce((sum, { ms }) => sum + ms, 0);
    const shown = modules.slice(0, MODULES_SHOWN);
    const rest = modules.slice(MODULES_SHOWN).reduce((sum, { ms }) => sum + ms, 0);
    const row = (ms: number, kilobytes?: number) => ({
      ...{ 'CPU, ms': rounded(ms), share: `${Math.round((100 * ms) / all)} %` },
      kB: kilobytes === undefined ? undefined : Math.round(kilobytes / 1_000),
    });
    table(`${name}: whose a start is, median of ${rounds}`, {
      ...Object.fromEntries(shown.map(({ module, ms }) => [module, row(ms, bytes.get(module))])),
      'all others': row(rest),
      all: row(
        all,
        [...bytes.values()].reduce((sum, one) => sum + one, 0),
      ),
    });
    plot({
      title: `${name}: whose a start is`,
      kind: 'bars',
      x: { label: '' },
      y: { label: 'CPU, ms' },
      points: shown.map(({ module, ms }) => ({ x: module, y: ms })),
    });
  }
}

/** What Pub/Sub pushes for a job. */
function doorbell(id: string): Omit<Start, 'name' | 'source' | 'target'> {
  const data = Buffer.from(JSON.stringify({ tenant: 'default', job_id: id })).toString('base64');
  const message = { data, messageId: '1', publishTime: new Date().toISOString() };
  return { method: 'POST', path: '/', body: JSON.stringify({ message, subscription: 'jobs' }), answers: 204 };
}
