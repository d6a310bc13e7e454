/**
 * `npm run chaos -- --minutes 3 --seed 1`: the service on emulators of its own, under load, while its processes are
 * killed and its store and queue are taken away; then whether anything was lost, or done twice. Ends with 1 if so.
 */
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Chance } from '../test/simulation/random.ts';
import type { Fault } from './chaos-faults.ts';
import { MANY_HABITS } from './chaos-load.ts';
import { MOODY } from './chaos-provider.ts';
import { type ChaosView, runChaos } from './chaos-run.ts';
import { findings, liveRows, liveTable, toTable, verdictRows } from './chaos-table.ts';
import { explain } from './explain.ts';
import { OperatorError } from './operating.ts';

const USAGE = 'npm run chaos -- [--minutes N] [--seed S] [--log FILE]';
const WORKERS = 3;
/** So many jobs are in flight at once; two cores keep up with them. */
const CLIENTS = 14;
const GAP_MS = [500, 3_500] as const;
/** Processes that just started are slow: the first faults come when so many jobs are over. */
const WARM_JOBS = 5;
const WARM_LOOK_MS = 100;
/** The end of the time is quiet: this share of it, so long at most. */
const QUIET_SHARE = 0.25;
const QUIET_MOST_MS = 60_000;
/** A job whose doorbell was lost again and again is rung after 1, 2, 4, 8 minutes. */
const DRAIN_MS = 1_200_000;
const DRAWN_EACH_MS = { terminal: 300, pipe: 5_000 };

const WEIGHTS: Record<Fault, number> = {
  ...{ kill: 16, pause: 5, 'pause cut off': 7, drain: 6, 'cut off': 6, 'kill function': 6, ring: 4 },
  ...{ 'freeze store': 2, 'cut store': 2, 'hold store': 2, 'strand store': 1, 'restart queue': 1, 'cut queue': 1 },
};

/** Faults at random instants until the time is over. */
async function* faultsFor(ms: number, { ledger }: ChaosView, luck: Chance): AsyncIterable<Fault> {
  const all = (Object.entries(WEIGHTS) as [Fault, number][]).flatMap(([fault, weight]) => Array(weight).fill(fault));
  const untilMs = performance.now() + ms;
  while (ledger.over() < WARM_JOBS && performance.now() < untilMs) await pause(WARM_LOOK_MS);
  while (performance.now() < untilMs) {
    yield luck.pick(all) as Fault;
    await pause(luck.between(...GAP_MS));
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function readWords(): { minutes: number; seed: number; log: string | undefined } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { minutes: text, seed: text, log: text } });
  const minutes = Number(values.minutes ?? 1);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  if (!(minutes > 0 && minutes <= 600)) throw new OperatorError('--minutes must be a number above 0, at most 600.');
  if (!Number.isSafeInteger(seed) || seed < 0) throw new OperatorError('--seed must be a whole number.');
  return { minutes, seed, log: values.log };
}

async function main(): Promise<void> {
  const { minutes, seed, log } = readWords();
  const interrupt = new AbortController();
  const stop = () => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
    console.log('Stopping; once more to stop at once.');
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  console.log(`Seed ${seed}, ${minutes} minutes. Starting the emulators and bundling the functions…`);
  const draw = liveTable(process.stdout);
  const { terminal, pipe } = DRAWN_EACH_MS;
  let drawing: NodeJS.Timeout | undefined;
  const onView = (view: ChaosView) => {
    const startedMs = performance.now();
    const drawNow = () => draw(liveRows(view, performance.now() - startedMs));
    drawing = setInterval(drawNow, process.stdout.isTTY ? terminal : pipe);
  };
  const timeMs = minutes * 60_000;
  const report = await runChaos({
    ...{ seed, workers: WORKERS, clients: CLIENTS, temper: MOODY, habits: MANY_HABITS, drainMs: DRAIN_MS, onView },
    faults: (view, luck) => faultsFor(timeMs - Math.min(timeMs * QUIET_SHARE, QUIET_MOST_MS), view, luck),
    ...(log === undefined ? {} : { onLine: (line: string) => void appendFileSync(log, `${line}\n`) }),
    interrupt: interrupt.signal,
  }).finally(() => clearInterval(drawing));
  const { lost, doubled, violations } = report.verdict;
  const isGood = lost.length + doubled.length + violations.length === 0;
  console.log(['', ...toTable(verdictRows(report))].join('\n'));
  console.log(`logged: ${report.troubles.map(([event, times]) => `${event} ${times}`).join(', ') || 'no trouble'}`);
  for (const line of findings(report)) console.error(line);
  const broken = interrupt.signal.aborted ? 'broken off' : 'whole run';
  console.log(`\nVERDICT (seed ${seed}, ${broken}): ${isGood ? 'nothing lost, nothing doubled' : 'BROKEN'}`);
  process.exitCode = isGood ? 0 : 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    const isWords = error instanceof OperatorError || (error instanceof TypeError && 'code' in error);
    console.error(isWords ? `${error.message}\n${USAGE}` : explain(error));
    process.exit(1);
  },
);
