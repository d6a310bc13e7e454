/**
 * `npm run bench -- --only stream`: how long a token takes from the provider's socket to a reader's, by how often the text is
 * written; how many tokens in a second a process carries; and what a reader of a stream costs in memory.
 */

import { firestoreStores } from '../support/stores.ts';
import type { Heard, Wanted } from './roles/readers.ts';
import { type Bench, bench, rounded } from './support/bench.ts';
import { memoryMb } from './support/processes.ts';
import { type Role, startRole } from './support/role.ts';
import { emulated, pause, type Stack, type Start, startEmbedded, submitAll, until } from './support/stacks.ts';
import { quantile } from './support/statistics.ts';

const FLUSHES = { embedded: [5, 20, 100], emulators: [50, 100, 250, 1_000] };
/** What a system that does nothing but wait for its interval takes at most, and a little for the way. */
const ALLOWED_MS = { embedded: 20, emulators: 50 };
const TOKEN_EVERY_MS = 50;
/** A model that says so much in a second is a fast one. */
const CARRIED_EVERY_MS = 20;

type Place = keyof typeof FLUSHES;
type Roles = { provider: Role; readers: Role };
type Latency = { place: Place; flushMs: number; took: number[] };
type Carried = { place: Place; jobs: number; perSecond: number; offered: number; took: number[] };

const latencies: Latency[] = [];
const carried: Carried[] = [];
const perReader: Record<string, { 'KB per reader': number }> = {};

await bench(
  {
    name: 'stream',
    title: 'Streaming',
    about:
      'A provider sends tokens that say when they were sent, and readers on the stream, in a process of their own, say how long each took: through the worker, the store and the process that streams. A flush interval is the least time between two writes of a job’s text (FLUSH_MS): in a system that costs nothing a token would wait half of it. What a process carries is measured with more and more jobs at once, each with a reader, 50 tokens a second each: embedded, one process does all; on the emulators one worker and one function stream. The interval is the default there, 10 ms embedded and 250 ms on the emulators. WORKER_CONCURRENCY is raised to 1000 everywhere.',
  },
  async (bench) => {
    const roles = { provider: await startRole('provider'), readers: await startRole('readers') };
    await measureIn(bench, 'embedded', startEmbedded, roles);
    const google = await emulated(bench);
    if (google) {
      await measureIn(bench, 'emulators', google.start, roles);
      bench.table('Firestore alone: a write, heard by a listener in the same process', {
        '': row(await firestoreFloor(google.firestoreHost, bench.sized(200, 10))),
      });
    }
    await google?.stop();
    await roles.readers.stop();
    await roles.provider.stop();
    show(bench);
  },
);

async function measureIn(bench: Bench, place: Place, start: Start, roles: Roles): Promise<void> {
  const environment = {
    ...(await roles.provider.ask<Record<string, string>>('environment')),
    WORKER_CONCURRENCY: '1000',
  };
  const [tokens, rounds] = bench.sized([60, 3], [10, 1]);
  const intervals = bench.sized(FLUSHES[place], FLUSHES[place].slice(0, 1));
  const stacks: [number, Stack][] = [];
  for (const flushMs of intervals) stacks.push([flushMs, await start({ ...environment, FLUSH_MS: String(flushMs) })]);
  // In the short form the first one is asked for everything.
  const fresh = () => (bench.isShort && stacks[0]?.[1]) || start(environment);
  // The first one opens connections. The intervals take turns.
  for (let round = 0; round <= rounds; round++) {
    for (const [flushMs, stack] of stacks) {
      bench.say(`${place}, a flush every ${flushMs} ms, round ${round} of ${rounds}`);
      const { tookMs } = await tokensOf(stack, roles, { jobs: 1, tokens, everyMs: TOKEN_EVERY_MS });
      if (round > 0) latencies.push({ place, flushMs, took: tookMs });
    }
  }
  if (!bench.isShort) for (const [, stack] of stacks) await stack.stop();
  let stack = await fresh();
  const [jobs, seconds] = bench.sized([[10, 50, 100, 200, 400], 8], [[5], 1]);
  for (const many of jobs) {
    bench.say(`${place}, ${many} jobs at once`);
    const wanted = { jobs: many, tokens: (seconds * 1_000) / CARRIED_EVERY_MS, everyMs: CARRIED_EVERY_MS };
    const { tookMs, firstSentMs, lastMs } = await tokensOf(stack, roles, wanted);
    const offered = (many * 1_000) / CARRIED_EVERY_MS;
    const perSecond = (tookMs.length * 1_000) / (lastMs - firstSentMs);
    carried.push({ place, jobs: many, offered, perSecond, took: tookMs });
  }
  const readers = bench.sized(500, 5);
  for (const many of [1, readers]) {
    if (!bench.isShort) await stack.stop();
    stack = await fresh();
    bench.say(`${place}, ${readers} readers of ${many} jobs`);
    const kilobytes = await memoryOf(stack, roles, { readers, jobs: many, settleMs: bench.sized(3_000, 100) });
    perReader[`${place}, ${readers} readers of ${many === 1 ? 'one job' : 'a job each'}`] = {
      'KB per reader': rounded(kilobytes),
    };
  }
  await stack.stop();
}

type Clocked = { jobs: number; tokens: number; everyMs: number };

/** What the readers heard of so many jobs at once, one reader each. */
async function tokensOf(stack: Stack, { readers }: Roles, { jobs, tokens, everyMs }: Clocked): Promise<Heard> {
  const prompts = Array.from({ length: jobs }, () => `[bench clock=${tokens} every=${everyMs}]`);
  await readers.ask('heard');
  const ids = await submitAll(stack.submit, prompts, true);
  await readers.ask('open', { baseUrl: stack.stream.url, way: 'stream', jobs: ids, readers: jobs } satisfies Wanted);
  await allTold(readers);
  await readers.ask('leave');
  return readers.ask<Heard>('heard');
}

async function allTold(readers: Role): Promise<void> {
  const told = () => readers.ask<{ atMs: number | null }[]>('told');
  await until(async () => (await told()).every(({ atMs }) => atMs !== null), 'all streams have ended', 180_000);
}

/** Kilobytes that each reader adds to the process that streams, with as many jobs that run and say nothing. */
async function memoryOf(
  { submit, stream }: Stack,
  { provider, readers: role }: Roles,
  { readers, jobs, settleMs }: { readers: number; jobs: number; settleMs: number },
): Promise<number> {
  const names = Array.from({ length: jobs }, () => `h${crypto.randomUUID().slice(0, 8)}`);
  const prompts = names.map((name) => `[bench hold=${name}]`);
  const ids = await submitAll(submit, prompts, true);
  await until(async () => (await provider.ask<number>('held')) === jobs, 'all jobs run');
  await pause(settleMs);
  const idle = memoryMb(stream.pid).now;
  await role.ask('open', { baseUrl: stream.url, way: 'stream', jobs: ids, readers } satisfies Wanted);
  await pause(settleMs);
  const used = memoryMb(stream.pid).now - idle;
  for (const name of names) await provider.ask('release', name);
  await allTold(role);
  await role.ask('leave');
  return (used * 1_000) / readers;
}

/** What Firestore alone takes from a write's begin to a listener in the same process. */
async function firestoreFloor(emulatorHost: string, writes: number): Promise<number[]> {
  const stores = firestoreStores({ projectId: 'demo-floor', emulatorHost });
  const key = { tenant: 'default', id: crypto.randomUUID() };
  const took: number[] = [];
  const stop = stores.chunks.watch(key, 1, 0, (chunks) => {
    for (const { text } of chunks) took.push(performance.now() - Number(text));
  });
  await pause(2_000);
  for (let n = 1; n <= writes; n++) {
    await stores.chunks.put(key, { attempt: 1, n, text: String(performance.now()) }, Date.now() + 60_000);
    await pause(20);
  }
  await pause(500);
  stop();
  await stores.close();
  return took;
}

function row(took: readonly number[]) {
  return {
    'median ms': rounded(quantile(took, 0.5)),
    '90 % ms': rounded(quantile(took, 0.9)),
    '99 % ms': rounded(quantile(took, 0.99)),
    'longest ms': rounded(quantile(took, 0.999)),
    tokens: took.length,
  };
}

function show(bench: Bench): void {
  const at = [...new Set(latencies.map(({ place, flushMs }) => `${place}, ${flushMs} ms`))];
  const tookAt = (name: string) =>
    latencies.filter(({ place, flushMs }) => `${place}, ${flushMs} ms` === name).flatMap(({ took }) => took);
  bench.table(
    "From the provider's socket to a reader's, by flush interval",
    Object.fromEntries(at.map((name) => [name, row(tookAt(name))])),
  );
  bench.plot({
    ...{ title: "A token from the provider's socket to a reader's", kind: 'lines' },
    ...{ x: { label: 'flush interval, ms', isLogarithmic: true }, y: { label: 'ms', isLogarithmic: true } },
    points: at.flatMap((name) => {
      const [place = '', interval = ''] = name.split(', ');
      const x = Number.parseInt(interval, 10);
      return [0.5, 0.9].map((share) => ({
        ...{ series: `${place}, ${share === 0.5 ? 'median' : '90 %'}`, x },
        y: rounded(quantile(tookAt(name), share)),
      }));
    }),
  });
  for (const name of at) {
    const [place = '', interval = ''] = name.split(', ');
    const atMost = Number.parseInt(interval, 10) + ALLOWED_MS[place as Place];
    const value = quantile(tookAt(name), 0.5);
    bench.verdict({ what: `a token's way, a flush every ${name}: median`, value, unit: 'ms', atMost });
  }
  const rows = carried.map(({ place, jobs, offered, perSecond, took }) => [
    `${place}, ${jobs} jobs at once`,
    { 'offered per second': offered, 'reached readers per second': rounded(perSecond), ...row(took) },
  ]);
  bench.table('Tokens per second', Object.fromEntries(rows));
  bench.plot({
    ...{ title: 'Tokens per second that reach readers', kind: 'lines' },
    ...{ x: { label: 'tokens per second that providers send' }, y: { label: 'tokens per second' } },
    points: carried.map(({ place, offered, perSecond }) => ({ series: place, x: offered, y: rounded(perSecond) })),
  });
  bench.table('Memory of a reader in the process that streams', perReader);
}
