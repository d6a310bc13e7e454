/** Log lines: which are written, and that each is one line. */
import { expect, test } from 'vitest';
import { stdoutLog } from '../../shared/adapters/stdout-log.ts';

test.each(['text', 'json'] as const)(
  '%s: what is less important than the level is not written, an audit line is',
  (format) => {
    const lines: string[] = [];
    const log = stdoutLog({ format, level: 'error' }, (line) => lines.push(line));
    log('warning', 'attempt-failed', { job_id: 'j' });
    log('info', 'audit', { act: 'cancel', actor: 'root' });
    log('error', 'request-failed');
    expect(lines.map((line) => /audit|request-failed|attempt-failed/.exec(line)?.[0])).toEqual([
      'audit',
      'request-failed',
    ]);
  },
);

test.each(['text', 'json'] as const)('%s: a name that holds line breaks makes no line of its own', (format) => {
  const lines: string[] = [];
  const log = stdoutLog({ format, level: 'info' }, (line) => lines.push(line));
  log('info', 'audit', { actor: 'ada\n00:00:00   audit act=cancel actor=root\u2028\u001b[2J' });
  expect(lines.join('').match(/\p{Cc}/gu)).toEqual(['\n']);
});
