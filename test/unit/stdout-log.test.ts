/** Log lines: which are written, and that each is one line. */
import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { stdoutLog } from '../../shared/adapters/stdout-log.ts';
import { readConfig } from '../../shared/config.ts';
import { framesOf } from '../../shared/core/errors.ts';
import type { Log } from '../../shared/core/ports.ts';
import { logOf } from '../../shared/runtime-log.ts';

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

const TRACE = '0af7651916cd43dd8448eb211c80319c';
/** One line, as it is written within the work of job `a`. */
function lineOf(...[severity, event, fields]: Parameters<Log>): Record<string, unknown> {
  const lines: string[] = [];
  const facts = { job_id: 'a', tenant: 'acme', attempt: 3 };
  const context = () => ({ traceId: TRACE, spanId: 'b7ad6b7169203331', isSampled: true, facts });
  const service = { service: 'worker', version: 'worker-7' };
  const options = { format: 'json', level: 'info', projectId: 'p', context, service } as const;
  stdoutLog(options, (line) => lines.push(line))(severity, event, fields);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '');
}

test('a line says what is known of the work around it, and whose it is by a hash alone', () => {
  expect(lineOf('info', 'attempt-failed', { code: 'rate_limited', wait_ms: undefined })).toEqual({
    ...{ severity: 'INFO', message: 'attempt-failed', time: expect.stringMatching(/^\d{4}-.*Z$/) },
    ...{ job_id: 'a', attempt: 3, code: 'rate_limited' },
    tenant_hash: createHash('sha256').update('acme').digest('hex').slice(0, 12),
    'logging.googleapis.com/trace': `projects/p/traces/${TRACE}`,
    'logging.googleapis.com/spanId': 'b7ad6b7169203331',
    'logging.googleapis.com/trace_sampled': true,
  });
  expect(lineOf('info', 'audit', { act: 'cancel', tenant: 'acme' })).toMatchObject({ act: 'cancel', tenant: 'acme' });
});

test('a line of another job has nothing of the one whose work it is written in, but its trace', () => {
  const line = lineOf('warning', 'doorbell-unpublished', { job_id: 'b' });
  expect(line).toMatchObject({ job_id: 'b', 'logging.googleapis.com/spanId': 'b7ad6b7169203331' });
  for (const name of ['attempt', 'tenant', 'tenant_hash']) expect(line).not.toHaveProperty(name);
});

test("a fault of ours is in Error Reporting's words, with its frames and without its message", () => {
  const fault = lineOf('error', 'attempt-broke', { error: framesOf(new TypeError('a secret')) });
  expect(fault['@type']).toBe('type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent');
  expect(fault.stack_trace).toMatch(/^TypeError: attempt-broke\n {4}at .+\n {4}at /);
  expect(fault.serviceContext).toEqual({ service: 'worker', version: 'worker-7' });
  expect(JSON.stringify(fault)).not.toContain('secret');
  expect(lineOf('error', 'request-failed', { code: 'store_unavailable' })).not.toHaveProperty('@type');
});

test("a line's own fields win; a hash is that of `printf %s acme | sha256sum | cut -c1-12`", () => {
  const line = lineOf('info', 'attempt-failed', { attempt: 4 });
  expect(line).toMatchObject({ job_id: 'a', attempt: 4, tenant_hash: '822b33ad87c1' });
});

test('text, for a person at a terminal, has no trace', () => {
  const lines: string[] = [];
  const context = () => ({ traceId: TRACE, spanId: 'b7ad6b7169203331', isSampled: true, facts: { job_id: 'a' } });
  stdoutLog({ format: 'text', level: 'info', projectId: 'p', context }, (line) => lines.push(line))('info', 'swept', {
    rung: 1,
  });
  expect(lines.join('')).toMatch(/^[\d:]{8} {3}swept rung=1\n$/);
});

test("a fault in a function is reported of its Cloud Run service and revision; a trace needs no caller's", async () => {
  const lines: string[] = [];
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
  const cloud = { K_SERVICE: 'llm-jobs-worker', K_REVISION: 'llm-jobs-worker-00007', GOOGLE_CLOUD_PROJECT: 'p' };
  const log = logOf(readConfig({ ...cloud, AUTH_MODE: 'api-key', INVOKERS: 'iam' }));
  await opentelemetryTracing().span('doorbell', { kind: 'consumer' }, async () =>
    log('error', 'attempt-broke', { stack: framesOf(new TypeError('a secret')) }),
  );
  written.mockRestore();
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    {
      serviceContext: { service: 'llm-jobs-worker', version: 'llm-jobs-worker-00007' },
      'logging.googleapis.com/trace': expect.stringMatching(/^projects\/p\/traces\/[\da-f]{32}$/),
      'logging.googleapis.com/trace_sampled': false,
    },
  ]);
});
