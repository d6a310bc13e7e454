/**
 * `Log` as lines on standard output: JSON in Cloud Logging's words, or short text for a person at a terminal.
 * The caller puts ids, numbers and codes into fields; prompts, answers and keys never get here.
 */
import type { Log } from '../core/ports.ts';

export type LogFormat = 'json' | 'text';

export function stdoutLog(
  format: LogFormat,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Log {
  return (severity, event, fields = {}) => {
    const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    if (format === 'json') {
      const time = new Date().toISOString();
      write(`${JSON.stringify({ severity: severity.toUpperCase(), message: event, time, ...known })}\n`);
      return;
    }
    const time = new Date().toTimeString().slice(0, 8);
    const words = Object.entries(known).map(([name, value]) => `${name}=${value}`);
    write(`${[time, severity === 'info' ? ' ' : severity, event, ...words].join(' ')}\n`);
  };
}
