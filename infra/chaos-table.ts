/** A chaos run as people see it: a table that is redrawn while it goes on, and the verdict at the end. */
import type { Fault } from './chaos-faults.ts';
import type { ChaosReport, ChaosView } from './chaos-run.ts';

const SHOWN_MOST = 20;
/** Of a terminal that does not say. */
const COLUMNS = 80;
const FAULTS: readonly Fault[] = [
  ...(['kill', 'pause', 'pause cut off', 'cut off', 'drain', 'kill function'] as const),
  ...(['freeze store', 'cut store', 'hold store', 'strand store', 'restart queue', 'cut queue', 'ring'] as const),
];
const NAMES: Record<Fault, string> = {
  kill: 'workers killed (SIGKILL)',
  pause: 'workers paused past their lease (SIGSTOP)',
  'pause cut off': 'workers paused while cut off',
  'cut off': 'workers cut off from the store',
  drain: 'workers drained (SIGTERM)',
  'kill function': 'other functions killed',
  'freeze store': 'store frozen (SIGSTOP)',
  'cut store': 'store cut off',
  'hold store': 'store half-open',
  'strand store': 'connections to the store stranded',
  'restart queue': 'queue started again empty',
  'cut queue': 'queue cut off',
  ring: 'storms of duplicate doorbells',
};

type Row = [name: string, value: string | number];

/** What is known while it runs. */
export function liveRows({ world, ledger, faults, phase }: ChaosView, elapsedMs: number): Row[] {
  const { provider, log } = world;
  const over = ledger.over();
  const done = FAULTS.map((fault): Row => [NAMES[fault], faults.counts(fault).done]);
  return [
    ['elapsed', `${Math.floor(elapsedMs / 1_000)} s, ${phase}`],
    ['jobs accepted / over / in flight', `${ledger.jobs.size} / ${over} / ${ledger.jobs.size - over}`],
    ...done.filter(([, times]) => times !== 0),
    ['messages delivered again', world.redeliveries()],
    ['zombie writes refused', log.count('zombie-write-refused')],
    ['holders stopped by their own clock', log.count('lease-lost', 'not renewed in time')],
    ['calls to the provider', provider.calls.length],
    ['complaints so far', ledger.wrong.length + log.leaks.length + log.crashes.length],
  ];
}

export function verdictRows({ verdict, faults, ...report }: ChaosReport): Row[] {
  const { accepted, states, open } = verdict;
  const ends = Object.entries(states).filter(([, jobs]) => jobs > 0);
  const done = FAULTS.map((fault): Row => {
    const { done: times, hit } = faults(fault);
    return [NAMES[fault], hit > 0 ? `${times} (${hit} while jobs were held)` : times];
  });
  return [
    ['jobs', `${accepted}: ${ends.map(([state, jobs]) => `${jobs} ${state}`).join(', ')}`],
    ...(open > 0 ? [['not over yet', open] as Row] : []),
    ...done.filter(([, times]) => times !== 0),
    ['redeliveries', report.redeliveries],
    ['events told to webhooks', `${report.told.events}, with ${report.told.requests} requests`],
    ['zombie writes refused', report.zombieWrites],
    ['holders stopped by their own clock', report.selfFenced],
    ['calls', verdict.calls],
    ['recorded calls', verdict.recordedCalls],
    ['lost', verdict.lost.length],
    ['doubled', verdict.doubled.length],
    ['violations', verdict.violations.length],
  ];
}

/** What was found, in sentences. */
export function findings({ verdict }: ChaosReport): string[] {
  const { lost, doubled, violations } = verdict;
  const all = [
    ...lost.map((what) => `LOST ${what}`),
    ...doubled.map((what) => `DOUBLED ${what}`),
    ...violations.map((what) => `VIOLATION ${what}`),
  ];
  const more = all.length - SHOWN_MOST;
  return more > 0 ? [...all.slice(0, SHOWN_MOST), `… and ${more} more`] : all;
}

export function toTable(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** Draws rows over the last ones on a terminal, one line into a pipe. */
export function liveTable(output: NodeJS.WriteStream): (rows: readonly Row[]) => void {
  let drawn = 0;
  return (rows) => {
    if (!output.isTTY) {
      output.write(`${rows.map(([name, value]) => `${name}: ${value}`).join('; ')}\n`);
      return;
    }
    const lines = toTable(rows).map((line) => `\u001b[K${line.slice(0, (output.columns || COLUMNS) - 1)}`);
    output.write(`${drawn > 0 ? `\u001b[${drawn}A` : ''}${lines.join('\n')}\n`);
    drawn = lines.length;
  };
}
