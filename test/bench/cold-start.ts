/**
 * `npm run bench:cold-start`: from the start of a function's process to its first answer, beside a bare functions-framework
 * hello in the same run, in rounds that take turns. `--node /path/to/node` measures on another Node, `--rounds N` as often,
 * `--compile-cache` with the compile cache that a bundle's `gcp-build` fills; the bare one has none (Node 22 and newer).
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { bundleAll, bundleOf, entryPointOf, type FunctionName } from '../../infra/bundle.ts';
import { CACHE_FOLDER } from '../../infra/bundle-cache.ts';
import { freePort } from '../../infra/child-processes.ts';
import { findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { readConfig } from '../../shared/config.ts';
import { googleRuntime } from '../../shared/runtime.ts';
import { request } from '../support/http-client.ts';

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    rounds: { type: 'string', default: '9' },
    'compile-cache': { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const framework = join(dirname(createRequire(import.meta.url).resolve('@google-cloud/functions-framework')), 'main.js');
const HELLO = "exports.hello = (request, response) => response.send('hello');\n";

/** One start: what is loaded, and the request that it is started for. */
type Start = {
  name: string;
  source: string;
  target: string;
  method?: string;
  path: string;
  body?: string;
  /** The status that the first answer must have. */
  answers: number;
  /** The ratio to the bare one that must not be passed. */
  limit?: number;
};

function ask(port: number, { method = 'GET', path, body }: Start): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const asked = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response: IncomingMessage) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    asked.once('error', reject).end(body);
  });
}

/** Nobody listens at first; the first request that is taken is the one that is answered. */
async function firstAnswer(port: number, start: Start, child: ChildProcess): Promise<number> {
  for (;;) {
    try {
      return await ask(port, start);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ECONNREFUSED' || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

/** Ended by force, a process writes none itself. */
const cacheOf = ({ source }: Pick<Start, 'source'>): Record<string, string> =>
  options['compile-cache'] ? { NODE_COMPILE_CACHE: join(source, CACHE_FOLDER) } : {};

/** As the buildpack does it, with the Node that is measured. */
function fillCache(name: FunctionName): void {
  const PATH = `${dirname(options.node)}:${process.env.PATH}`;
  execFileSync('npm', ['run', 'gcp-build'], { cwd: bundleOf(name), env: { ...process.env, PATH }, stdio: 'ignore' });
}

async function startToAnswerMs(start: Start, environment: Record<string, string>): Promise<number> {
  const port = await freePort();
  const args = [framework, `--source=${start.source}`, `--target=${start.target}`, `--port=${port}`];
  const startedMs = performance.now();
  const child = spawn(options.node, args, {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none', ...environment, ...cacheOf(start) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const answered = await firstAnswer(port, start, child);
    if (answered !== start.answers) throw new Error(`${start.name} answered ${answered}`);
    return performance.now() - startedMs;
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

const health = (name: FunctionName): Start => ({
  name: `${name}: GET /health`,
  ...{ source: bundleOf(name), target: entryPointOf(name), path: '/health', answers: 200, limit: 1.4 },
});

/** A job to ask for. The first calls of an emulator that just started may take too long. */
async function submittedJob(environment: Record<string, string>): Promise<string> {
  const runtime = googleRuntime(readConfig({ ...environment, LOG_LEVEL: 'error' }));
  const app = publicApp(runtime, ['writes']);
  for (let tries = 3; ; tries--) {
    const response = await app.request('/api/llm/jobs/submit/', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request('simulated', 'cold')),
    });
    const { job_id: id } = (await response.json()) as { job_id: string };
    if (response.status === 503 && tries > 0) continue;
    await runtime.close();
    return id;
  }
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function main(): Promise<void> {
  // Without it the clients look for Google's metadata server, and warn.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-cold-'));
  mkdirSync(join(folder, 'hello'));
  writeFileSync(join(folder, 'hello', 'index.js'), HELLO);
  writeFileSync(join(folder, 'hello', 'package.json'), '{ "main": "index.js" }\n');
  symlinkSync(join(framework, '../../../../..'), join(folder, 'node_modules'));
  const commands = findEmulators();
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
    bundleAll({ sourcemap: false }),
  ]);
  try {
    if (options['compile-cache']) for (const name of ['submit', 'status', 'api'] as const) fillCache(name);
    const environment: Record<string, string> = {
      GOOGLE_CLOUD_PROJECT: 'demo-cold',
      PUBSUB_EMULATOR_HOST: pubsub.host,
      FIRESTORE_EMULATOR_HOST: firestore.host,
    };
    const id = await submittedJob(environment);
    const status = { source: bundleOf('status'), target: 'status', path: `/api/llm/jobs/${id}/status/`, answers: 200 };
    const submit = { source: bundleOf('submit'), target: 'submit', path: '/api/llm/jobs/submit/', answers: 202 };
    const body = JSON.stringify(request('simulated', 'cold'));
    const starts: Start[] = [
      { name: 'a bare hello', source: join(folder, 'hello'), target: 'hello', path: '/', answers: 200 },
      ...(['submit', 'status', 'api'] as const).map(health),
      { name: 'status: its first job', ...status, limit: 3 },
      { name: 'submit: its first job', ...submit, method: 'POST', body, limit: 4 },
    ];
    const taken = new Map(starts.map((start) => [start, [] as number[]]));
    // Not counted: files come into memory, emulators warm up.
    for (let round = -2; round < rounds; round++) {
      process.stderr.write(`\rround ${round + 1} of ${rounds} `);
      for (const [start, times] of taken) {
        const ms = await startToAnswerMs(start, environment);
        if (round >= 0) times.push(ms);
      }
    }
    process.stderr.write('\n');
    const [bare = Number.NaN] = [...taken.values()].map(median);
    const version = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim();
    console.log(
      `Node ${version}, ${options['compile-cache'] ? 'compile cache filled' : 'no compile cache'}, median of ${rounds}`,
    );
    console.table(
      Object.fromEntries(
        [...taken].map(([{ name, limit }, times]) => [
          name,
          { ms: Math.round(median(times)), ratio: Number((median(times) / bare).toFixed(2)), limit: limit ?? '' },
        ]),
      ),
    );
  } finally {
    await Promise.all([pubsub.stop(), firestore.stop()]);
    rmSync(folder, { recursive: true });
  }
}

await main();
