/**
 * What all programs here have in common: each measures in rounds that take turns, prints its tables, says of each limit
 * whether it passes, and hands what it found to `npm run bench`, which makes the report of it.
 */
import { cpus, totalmem } from 'node:os';
import { CLEAR } from '../../../shared/client/progress-bar.ts';

export type Cell = string | number | boolean | undefined;
export type Rows = Record<string, Record<string, Cell>>;

export type Table = { title: string; rows: Rows };

/** One picture: points of one or more series. `bars`: `x` is a name. */
export type Plot = {
  title: string;
  kind: 'lines' | 'bars' | 'dots';
  x: { label: string; isLogarithmic?: boolean };
  y: { label: string; isLogarithmic?: boolean };
  points: { x: number | string; y: number; series?: string }[];
};

/** A limit, and what was measured. */
export type Verdict = { what: string; value: number; unit: string; atMost?: number; atLeast?: number };

/** What one program found. */
export type Part = {
  name: string;
  title: string;
  /** What was compared with what, in some sentences. */
  about: string;
  isShort: boolean;
  tookMs: number;
  tables: Table[];
  plots: Plot[];
  /** None in the short form: it shows that the program runs, on a machine that has other things to do. */
  verdicts: Verdict[];
  leftOut: { rows: string; why: string }[];
};

export type Bench = {
  /** The short form: as little of everything as shows that it works. */
  isShort: boolean;
  /** Of two sizes, that of this form. */
  sized<T>(whole: T, short: T): T;
  table(title: string, rows: Rows): void;
  plot(plot: Plot): void;
  verdict(verdict: Verdict): void;
  /** Rows that could not be measured here, and what they would need. */
  leaveOut(rows: string, why: string): void;
  /** Measures something that may fail: then it is left out, and what was and is measured beside it is shown all the same. */
  attempt<T>(rows: string, work: () => Promise<T>): Promise<T | undefined>;
  /** What is being done now, in the last line of a terminal. */
  say(what: string): void;
};

/**
 * Runs a program: `work` adds what it finds, and what a standalone run shows is printed at its end. Exits the process: what
 * was started and not stopped ends with it.
 */
export async function bench(
  what: { name: string; title: string; about: string },
  work: (bench: Bench) => Promise<void>,
): Promise<never> {
  // Without it Google's clients look for the metadata server, and warn.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const isShort = process.argv.includes('--short');
  const part: Part = { ...what, isShort, tookMs: 0, tables: [], plots: [], verdicts: [], leftOut: [] };
  const startedMs = performance.now();
  endWithParent();
  const erase = () => {
    if (process.stderr.isTTY) process.stderr.write(CLEAR);
  };
  await work({
    isShort,
    sized: (whole, short) => (isShort ? short : whole),
    table: (title, rows) => void part.tables.push({ title, rows }),
    plot: (plot) => void part.plots.push(plot),
    verdict: (verdict) => {
      if (!isShort) part.verdicts.push(verdict);
    },
    leaveOut: (rows, why) => void part.leftOut.push({ rows, why }),
    attempt: (rows, work) =>
      work().catch((error: unknown) => {
        part.leftOut.push({ rows, why: error instanceof Error ? error.message : String(error) });
        return undefined;
      }),
    say(text) {
      if (!process.stderr.isTTY) return;
      const columns = process.stderr.columns || 80;
      process.stderr.write(CLEAR + `${what.name}: ${text}`.slice(0, columns - 1));
    },
  });
  erase();
  part.tookMs = Math.round(performance.now() - startedMs);
  if (process.send) await new Promise((resolve) => process.send?.(part, resolve));
  else printPart(part);
  process.exit(0);
}

/** Told to end, or alone, it takes along what it has started: `exit` is what tells those who started something. */
function endWithParent(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  if (process.send) process.once('disconnect', () => process.exit(1));
}

/** Does it keep its limit? What could not be measured does not. */
export function passes({
  value,
  atMost = Number.POSITIVE_INFINITY,
  atLeast = Number.NEGATIVE_INFINITY,
}: Verdict): boolean {
  return value <= atMost && value >= atLeast;
}

/** `passes      throughput: 0.91 × the floor (at least 0.85)`. */
export function verdictLine(verdict: Verdict): string {
  const { what, value, unit, atMost, atLeast } = verdict;
  const limit = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${passes(verdict) ? 'passes     ' : 'FALLS SHORT'} ${what}: ${rounded(value)} ${unit} (${limit})`;
}

/** Prints what a program found, as people read it. */
export function printPart({ title, tables, verdicts, leftOut, tookMs }: Part): void {
  console.log(`\n${title} (${Math.round(tookMs / 1_000)} s)`);
  for (const { title, rows } of tables) {
    console.log(`\n${title}`);
    console.table(rows);
  }
  for (const { rows, why } of leftOut) console.log(`LEFT OUT    ${rows}: ${why}`);
  for (const verdict of verdicts) console.log(verdictLine(verdict));
}

/** The machine, for who compares: figures of two machines say nothing, ratios of one run do. */
export function machine(): string {
  const { model = 'unknown' } = cpus()[0] ?? {};
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${model.trim()}, ${gib} GiB, ${process.platform}, Node ${process.version}`;
}

/** Three digits that count. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
