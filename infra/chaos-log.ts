/** What the processes of a chaos run say in their logs: counted, and looked through for what must not be in them. */
import { CHAOS_KEY, markIn } from './chaos-provider.ts';

export type LogWatch = {
  /** Takes a line, as `<process>: <line>`. */
  take(line: string): void;
  /** How often an event was logged; with `why`, for this reason. */
  count(event: string, why?: string): number;
  /** Warnings and errors by event, the most frequent first. */
  troubles(): [event: string, times: number][];
  /** Lines that hold a key or a word of a prompt. */
  leaks: readonly string[];
  /** Processes that ended by themselves: nobody had sent them a signal. */
  crashes: readonly string[];
};

const LINES_KEPT = 20;

export function logWatch(): LogWatch {
  const events = new Map<string, number>();
  const troubles = new Map<string, number>();
  const leaks: string[] = [];
  const crashes: string[] = [];
  const add = (counts: Map<string, number>, name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1);
  const keep = (lines: string[], line: string) => {
    if (lines.length < LINES_KEPT) lines.push(line);
  };
  return {
    take(line) {
      if (line.includes(CHAOS_KEY) || markIn(line)) keep(leaks, line);
      const [, status] = / died \((\w+)\); starting it again$/.exec(line) ?? [];
      // 0 is the end of a process that was told to stop.
      if (status !== undefined && status !== 'SIGKILL' && status !== '0') keep(crashes, line);
      const logged = parse(line);
      if (!logged) return;
      const { message, why, severity } = logged;
      add(events, message);
      if (why !== undefined) add(events, `${message} ${why}`);
      if (severity === 'ERROR' || severity === 'WARNING') add(troubles, message);
    },
    count: (event, why) => events.get(why === undefined ? event : `${event} ${why}`) ?? 0,
    troubles: () => [...troubles].sort(([, left], [, right]) => right - left),
    leaks,
    crashes,
  };
}

function parse(line: string): { message: string; severity?: string; why?: string } | undefined {
  const at = line.indexOf('{');
  if (at < 0) return undefined;
  try {
    return JSON.parse(line.slice(at));
  } catch {
    return undefined;
  }
}
