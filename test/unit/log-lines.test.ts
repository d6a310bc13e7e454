/** Lines of a log are read as `stdout-log.ts` writes them. */
import { describe, expect, test } from 'vitest';
import { factsOfLine, isShown } from '../../infra/log-lines.ts';
import { type LogFormat, type LogLevel, stdoutLog } from '../../shared/adapters/stdout-log.ts';

function written(format: LogFormat, ...[severity, event, fields]: Parameters<ReturnType<typeof stdoutLog>>): string {
  const lines: string[] = [];
  stdoutLog({ format, level: 'debug' }, (line) => lines.push(line))(severity, event, fields);
  return lines.join('').trimEnd();
}

describe.each<LogFormat>(['text', 'json'])('as %s', (format) => {
  test.each<LogLevel>(['debug', 'info', 'warning', 'error'])('a line of %s', (severity) => {
    const line = written(format, severity, 'claim-refused', { job_id: 'a', why: 'not-due' });
    const facts = { severity, event: 'claim-refused', why: 'not-due' };
    expect(factsOfLine(line)).toEqual(facts);
    expect(factsOfLine(`dead-letter: ${line}`)).toEqual(facts);
    expect(factsOfLine(`worker 1: ${line}`)).toEqual(facts);
  });

  test('a line without fields', () => {
    expect(factsOfLine(written(format, 'info', 'draining'))).toEqual({ severity: 'info', event: 'draining' });
  });
});

test('what is no line of a log is none', () => {
  for (const line of ['worker: worker died (SIGKILL); starting it again', 'Pub/Sub: gone', 'worker: {"a":1}', '', '{'])
    expect(factsOfLine(line)).toBeUndefined();
});

test('what is shown is as important as was asked for, and what auditors read', () => {
  expect(isShown({ severity: 'debug', event: 'claim-refused' }, 'info')).toBe(false);
  expect(isShown({ severity: 'debug', event: 'claim-refused' }, 'debug')).toBe(true);
  expect(isShown({ severity: 'info', event: 'job-finished' }, 'error')).toBe(false);
  expect(isShown({ severity: 'info', event: 'audit' }, 'error')).toBe(true);
});
