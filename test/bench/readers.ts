/**
 * `npm run bench -- --only readers`: what it costs one process that many wait there for jobs to end, by `?wait=` or on a
 * stream, all for the same job or each for one of their own; and how soon each is told.
 */
import type { Told, Wanted, Way } from './roles/readers.ts';
import { type Bench, bench, rounded } from './support/bench.ts';
import { memoryMb } from './support/processes.ts';
import { type Role, startRole } from './support/role.ts';
import { emulated, pause, type Stack, type Start, startEmbedded, submitAll, until } from './support/stacks.ts';
import { median, quantile, spread } from './support/statistics.ts';

const TOLD_WITHIN_MS = 250;
const MEMORY_MOST_MB = 64;
const WAYS: readonly Way[] = ['poll', 'stream'];
const CALLED: Record<Way, string> = { poll: 'long polls', stream: 'streams' };
/** Ends of jobs come one by one, as many as the machine finishes while it does all the rest. */
const ENDS_PER_SECOND = { embedded: 100, emulators: 40 };
const SETTLE_MS = 1_000;

type Place = keyof typeof ENDS_PER_SECOND;
type Case = { place: Place; way: Way; isShared: boolean; readers: number };
type Measured = Case & { memory: number; took: number[] };

await bench(
  {
    name: 'readers',
    title: 'Readers who wait',
    about:
      'Readers in one process, each with a connection of its own, wait for jobs that run: their provider has said something and is held. Memory is the resident memory of the process that serves them, all of them waiting, less what it had with the same jobs running and nobody waiting; none of it is asked to collect garbage. A job ends when its provider sends the last event, and the time to the reader’s socket counts from there: the finishing write is in it. On the emulators the functions status and stream are asked themselves. WORKER_CONCURRENCY is raised to 1000, so that as many jobs run; nothing else differs from the defaults.',
  },
  async (bench) => {
    const provider = await startRole('provider');
    const environment = {
      ...(await provider.ask<Record<string, string>>('environment')),
      WORKER_CONCURRENCY: '1000',
    };
    const measured = await measureIn(bench, 'embedded', startEmbedded, environment, provider);
    const google = await emulated(bench);
    const start = google?.start;
    const more = start && (() => measureIn(bench, 'emulators', start, environment, provider));
    if (more) measured.push(...((await bench.attempt('emulators', more)) ?? []));
    await google?.stop();
    await provider.stop();
    show(bench, measured);
  },
);

/** Every way, each in processes that have served nobody else; in the short form, one after the other in the same. */
async function measureIn(
  bench: Bench,
  place: Place,
  start: Start,
  environment: Record<string, string>,
  provider: Role,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  const sizes = bench.sized([1, 100, 1_000], [5]);
  let stack: Stack | undefined;
  const readers = await startRole('readers');
  for (const isShared of [true, false]) {
    for (const way of WAYS) {
      if (!bench.isShort) await stack?.stop();
      if (!bench.isShort || !stack) stack = await start(environment);
      for (const count of sizes) {
        // A round of a job each is as many ends.
        for (let round = 0; round < (isShared && !bench.isShort ? 3 : 1); round++) {
          const one = { place, way, isShared, readers: count };
          const what = `${place}, ${count} ${CALLED[way]} of ${isShared ? 'one job' : 'a job each'}, round ${round + 1}`;
          bench.say(what);
          const on = stack;
          const settleMs = bench.sized(SETTLE_MS, 100);
          const found = await bench.attempt(what, () => measure(on, one, provider, readers, settleMs));
          if (found) measured.push({ ...one, ...found });
          else await readers.ask('leave');
        }
      }
    }
  }
  await readers.stop();
  await stack?.stop();
  return measured;
}

/** Memory above what the process has without these readers, and how long each was not told. */
async function measure(stack: Stack, one: Case, provider: Role, readers: Role, settleMs: number) {
  const { pid, url } = stack[one.way === 'poll' ? 'status' : 'stream'];
  const names = Array.from({ length: one.isShared ? 1 : one.readers }, () => `h${crypto.randomUUID().slice(0, 8)}`);
  const jobs = await submitAll(
    stack.submit,
    names.map((name) => `[bench hold=${name}]`),
    one.way === 'stream',
  );
  await until(async () => (await provider.ask<number>('held')) === names.length, 'all jobs run');
  await pause(settleMs);
  const idle = memoryMb(pid).now;
  await readers.ask('open', { baseUrl: url, way: one.way, jobs, readers: one.readers } satisfies Wanted);
  await pause(settleMs);
  const memory = memoryMb(pid).now - idle;
  const endedAtMs = new Map<string, number>();
  const startedMs = performance.now();
  for (const [n, name] of names.entries()) {
    await pause(startedMs + (n * 1_000) / ENDS_PER_SECOND[one.place] - performance.now());
    endedAtMs.set(jobs[n] ?? '', await provider.ask<number>('release', name));
  }
  // IPC has no value for a time that is not known yet.
  const told = () => readers.ask<{ job: string; atMs: number | null }[]>('told');
  await until(async () => (await told()).every(({ atMs }) => atMs !== null && !Number.isNaN(atMs)), 'all are told');
  const took = ((await told()) as Told[]).map(({ job, atMs }) => atMs - (endedAtMs.get(job) ?? Number.NaN));
  await readers.ask('leave');
  return { memory, took };
}

function show(bench: Bench, measured: readonly Measured[]): void {
  const named = ({ place, way, isShared }: Case) => `${place}, ${CALLED[way]}, ${isShared ? 'one job' : 'a job each'}`;
  const series = [...new Set(measured.map(named))];
  const points = (of: (rounds: Measured[]) => number) =>
    series.flatMap((name) =>
      sizesOf(measured, name).map((readers) => {
        const rounds = measured.filter((one) => named(one) === name && one.readers === readers);
        return { series: name, x: readers, y: rounded(of(rounds)) };
      }),
    );
  const slow = (rounds: Measured[]) =>
    quantile(
      rounds.flatMap(({ took }) => took),
      0.99,
    );
  const share = (took: readonly number[]) => took.filter((ms) => ms <= TOLD_WITHIN_MS).length / took.length;
  const memoryOf = (rounds: Measured[]) => median(rounds.map(({ memory }) => memory));
  for (const name of series) {
    const rows = sizesOf(measured, name).map((readers) => {
      const rounds = measured.filter((one) => named(one) === name && one.readers === readers);
      const took = rounds.flatMap((one) => one.took);
      const row = {
        'MB above idle': spread(rounds.map(({ memory }) => memory)),
        'KB per reader': rounded((memoryOf(rounds) * 1_000) / readers),
        'told after, median ms': rounded(median(took)),
        '99 % ms': rounded(slow(rounds)),
        'last ms': rounded(Math.max(...took)),
        [`told within ${TOLD_WITHIN_MS} ms`]: `${rounded(100 * share(took))} %`,
        rounds: rounds.length,
      };
      return [`${readers} reader${readers === 1 ? '' : 's'}`, row] as const;
    });
    bench.table(name, Object.fromEntries(rows));
    const most = Math.max(...sizesOf(measured, name));
    const rounds = measured.filter((one) => named(one) === name && one.readers === most);
    const memory = Math.max(...rounds.map((one) => one.memory));
    const told = median(rounds.map(({ took }) => 100 * share(took)));
    bench.verdict({ what: `${name}: memory of ${most}`, value: memory, unit: 'MB', atMost: MEMORY_MOST_MB });
    bench.verdict({
      ...{ what: `${name}: of ${most} told within ${TOLD_WITHIN_MS} ms`, value: told, unit: '%' },
      atLeast: 99,
    });
  }
  const x = { label: 'readers', isLogarithmic: true };
  bench.plot({
    ...{ title: 'Memory above idle of the process that serves them', kind: 'lines', x },
    ...{ y: { label: 'MB' }, points: points(memoryOf) },
  });
  bench.plot({
    ...{ title: 'Until 99 % are told', kind: 'lines', x },
    ...{ y: { label: 'ms', isLogarithmic: true }, points: points(slow) },
  });
}

function sizesOf(measured: readonly Measured[], name: string): number[] {
  const of = measured.filter(
    ({ place, way, isShared }) => `${place}, ${CALLED[way]}, ${isShared ? 'one job' : 'a job each'}` === name,
  );
  return [...new Set(of.map(({ readers }) => readers))];
}
