/**
 * `npm run bench -- --only results`: what a result of 1 KB to 8 MB costs the processes that it goes through, from the
 * provider's socket to a reader's: memory, and for how long one stands still.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Bench, bench, rounded } from './support/bench.ts';
import { forgetPeak, memoryMb } from './support/processes.ts';
import { type Role, startRole } from './support/role.ts';
import {
  emulated,
  pause,
  type Served,
  type Stack,
  type Start,
  startEmbedded,
  submitAll,
  until,
} from './support/stacks.ts';
import { median, spread } from './support/statistics.ts';

/** In the short form, the first two. */
const SIZES = { '1 KB': 1_000, '10 KB': 10_000, '100 KB': 100_000, '1 MB': 1_000_000, '8 MB': 8_000_000 };
const PEAK_MOST = 6;
const STALL_MOST_MS = 50;
/** What a process does at first it does not do again: small jobs before anything is measured. */
const WARMING_JOBS = 50;

type Measured = { size: string; process: string; peakMb: number; stallMs: number; tookMs: number };

const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-bench-'));

await bench(
  {
    name: 'results',
    title: 'Results from 1 KB to 8 MB',
    about:
      'A provider streams an answer as fast as it is taken, and repeats it in its last events, as OpenAI does; the job is waited for, and its result is read by the status route and by the result route. Peak is the highest resident memory meanwhile, less what the process had after 50 small jobs, its garbage collected; each round is in processes of its own. A stall is the longest time that the main thread computed between two turns of its event loop, its own processor time alone.',
  },
  async (bench) => {
    if (!existsSync('/proc/self/schedstat')) return bench.leaveOut('everything', 'it needs /proc of Linux');
    const provider = await startRole('provider');
    const environment = {
      ...(await provider.ask<Record<string, string>>('environment')),
      NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'support/stalls.mjs'))}`,
      STALLS_FOLDER: folder,
    };
    const measured: Measured[] = [];
    const google = await emulated(bench);
    for (let round = 0; round < bench.sized(5, 1); round++) {
      bench.say(`round ${round + 1}`);
      measured.push(...(await measureIn(bench, startEmbedded, environment, provider, ['embedded'])));
      if (google) measured.push(...(await measureIn(bench, google.start, environment, provider, ['worker', 'status'])));
    }
    await google?.stop();
    await provider.stop();
    rmSync(folder, { recursive: true });
    show(bench, measured);
  },
);

/** All sizes, once, in processes of their own. */
async function measureIn(
  bench: Bench,
  start: Start,
  environment: Record<string, string>,
  provider: Role,
  processes: readonly string[],
): Promise<Measured[]> {
  const stack = await start(environment);
  const watched = processes.map((name) => ({ name, pid: stack[name === 'worker' ? 'worker' : 'status'].pid }));
  for (let job = 0; job < bench.sized(WARMING_JOBS, 5); job++) await wholePath(stack, 100);
  await pause(bench.sized(1_000, 100));
  for (const { pid } of watched) await stallOf(pid);
  const idle = watched.map(({ pid }) => memoryMb(pid).now);
  const measured: Measured[] = [];
  for (const [size, bytes] of Object.entries(SIZES).slice(0, bench.sized(undefined, 2))) {
    await provider.ask('prepare', bytes);
    for (const { pid } of watched) {
      await stallOf(pid);
      forgetPeak(pid);
    }
    const startedMs = performance.now();
    await wholePath(stack, bytes);
    const tookMs = performance.now() - startedMs;
    for (const [n, { name, pid }] of watched.entries()) {
      const peakMb = memoryMb(pid).peak - (idle[n] ?? 0);
      measured.push({ size, process: name, peakMb, stallMs: await stallOf(pid), tookMs });
    }
  }
  await stack.stop();
  return measured;
}

/** A job with an answer of this size, waited for, and read by both routes. */
async function wholePath({ submit, status }: Stack, bytes: number): Promise<void> {
  const [id] = await submitAll(submit, [`[bench bytes=${bytes}]`], false);
  const path = `/api/llm/jobs/${id}`;
  await until(async () => /"is_complete":true/.test((await read(status, `${path}/status/?wait=55`)).head), 'completed');
  for (const route of ['status', 'result']) {
    const answer = await read(status, `${path}/${route}/`);
    if (answer.code !== 200 || answer.bytes < bytes) {
      throw new Error(`${route} answered ${answer.code} with ${answer.bytes} bytes of ${bytes}`);
    }
  }
}

/** Reads an answer as fast as it comes, and keeps its beginning alone. */
function read({ url }: Served, path: string): Promise<{ code: number; bytes: number; head: string }> {
  return new Promise((resolve, reject) => {
    get(`${url}${path}`, (response) => {
      let [bytes, head] = [0, ''];
      response.on('data', (part: Buffer) => {
        if (bytes === 0) head = part.toString();
        bytes += part.byteLength;
      });
      response.once('error', reject).once('end', () => resolve({ code: response.statusCode ?? 0, bytes, head }));
    }).once('error', reject);
  });
}

/** The longest stall of a process since it was asked last, in milliseconds; its garbage is collected then. */
async function stallOf(pid: number): Promise<number> {
  const file = join(folder, String(pid));
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  await until(() => existsSync(file), `process ${pid} tells its stalls`);
  return Number(readFileSync(file, 'utf8'));
}

function show(bench: Bench, measured: readonly Measured[]): void {
  const sizes = [...new Set(measured.map(({ size }) => size))];
  const processes = [...new Set(measured.map((one) => one.process))];
  const of = (process: string, size: string) => measured.filter((one) => one.process === process && one.size === size);
  const megabytes = (size: string) => SIZES[size as keyof typeof SIZES] / 1_000_000;
  for (const process of processes) {
    const rows = sizes.map((size) => {
      const rounds = of(process, size);
      const row = {
        'peak above idle, MB': spread(rounds.map(({ peakMb }) => peakMb)),
        'times its size': rounded(median(rounds.map(({ peakMb }) => peakMb)) / megabytes(size)),
        'longest stall, ms': spread(rounds.map(({ stallMs }) => stallMs)),
        'whole path, ms': spread(rounds.map(({ tookMs }) => tookMs)),
      };
      return [size, row] as const;
    });
    bench.table(process === 'embedded' ? process : `function ${process}`, Object.fromEntries(rows));
    const rounds = of(process, '8 MB');
    bench.verdict({
      ...{ what: `${process}: peak memory of a result of 8 MB`, unit: '× its size', atMost: PEAK_MOST },
      value: median(rounds.map(({ peakMb }) => peakMb)) / 8,
    });
    bench.verdict({
      ...{ what: `${process}: longest stall by a result of 8 MB`, unit: 'ms of own CPU', atMost: STALL_MOST_MS },
      value: median(rounds.map(({ stallMs }) => stallMs)),
    });
  }
  const points = (of: (one: Measured) => number) =>
    processes.flatMap((process) =>
      sizes.map((size) => ({
        ...{ series: process, x: megabytes(size) * 1_000 },
        y: rounded(median(measured.filter((one) => one.process === process && one.size === size).map(of))),
      })),
    );
  const x = { label: 'KB of the result', isLogarithmic: true };
  bench.plot({
    ...{ title: 'Peak memory above idle', kind: 'lines', x, y: { label: 'MB' } },
    points: points(({ peakMb }) => peakMb),
  });
  bench.plot({
    ...{ title: 'Peak memory above idle, times the size', kind: 'lines', x },
    ...{ y: { label: '×', isLogarithmic: true }, points: points((one) => one.peakMb / megabytes(one.size)) },
  });
  bench.plot({
    ...{ title: 'Longest stall, own CPU', kind: 'lines', x, y: { label: 'ms' } },
    points: points(({ stallMs }) => stallMs),
  });
}
