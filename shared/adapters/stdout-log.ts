/**
 * `Log` as lines on standard output: JSON in Cloud Logging's words, or short text for a person at a terminal.
 * The caller puts ids, numbers and codes into fields; prompts, answers and keys never get here.
 */
import type { Log } from '../core/ports.ts';

export type LogFormat = 'json' | 'text';

export const LOG_LEVELS = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Whatever the level of other lines. */
const AUDIT = 'audit';

export function stdoutLog(
  { format, level }: { format: LogFormat; level: LogLevel },
  write: (line: string) => void = (line) => process.stdout.write(line),
): Log {
  return (severity, event, fields = {}) => {
    if (LOG_LEVELS.indexOf(severity) < LOG_LEVELS.indexOf(level) && event !== AUDIT) return;
    const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    if (format === 'json') {
      const time = new Date().toISOString();
      write(`${JSON.stringify({ severity: severity.toUpperCase(), message: event, time, ...known })}\n`);
      return;
    }
    const time = new Date().toTimeString().slice(0, 8);
    // A name that holds a line break makes no line of its own.
    const words = Object.entries(known).map(([name, value]) => `${name}=${String(value).replace(/\p{Cc}/gu, '�')}`);
    write(`${[time, severity === 'info' ? ' ' : severity, event, ...words].join(' ')}\n`);
  };
}
