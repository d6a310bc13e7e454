/** What processes use, as Linux counts it; elsewhere it is unknown. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Linux counts in hundredths of a second, on every machine that Node runs on. */
const TICK_SECONDS = 0.01;

/** Is there what the functions below read? */
export function isCounted(): boolean {
  return existsSync('/proc/self/stat');
}

/** What `/proc/<pid>/stat` says after the name, which may hold anything and ends at the last parenthesis. */
function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
}

/** Seconds of processor time that these processes have used themselves. */
export function cpuSeconds(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    // User and system time are fields 14 and 15 of the whole line.
    const fields = statOf(pid);
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, used) => sum + used, 0) * TICK_SECONDS;
}

/** A process and all that it started. */
export function withChildren(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, parent] = statOf(Number(name));
        return [[Number(name), Number(parent)] as const];
      } catch {
        return [];
      }
    });
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/** Megabytes (of a million bytes) of memory that a process has now, and had at most since `forgetPeak`. */
export function memoryMb(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1_024) / 1_000_000;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** From now on its peak is anew. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/**
 * What a process needs in its environment so that, at its end, it leaves `<name>.cpuprofile` in the folder that
 * `BENCH_CPU_PROF` names; nothing without that.
 */
export function profiling(name: string): Record<string, string> {
  const { BENCH_CPU_PROF: folder, NODE_OPTIONS = '' } = process.env;
  if (!folder) return {};
  const first = pathToFileURL(join(import.meta.dirname, 'profiled.mjs'));
  return { NODE_OPTIONS: `${NODE_OPTIONS} --import=${first}`, CPU_PROFILE: resolve(folder, `${name}.cpuprofile`) };
}
