/** What metrics count is really in the lines: jobs of every fate, on a real store, with lines as Cloud Logging gets them. */
import { beforeAll, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { stdoutLog } from '../../shared/adapters/stdout-log.ts';
import { readConfig } from '../../shared/config.ts';
import { FAILURES_TO_OPEN } from '../../shared/core/breaker.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Log } from '../../shared/core/ports.ts';
import { routing } from '../../shared/core/routing.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { callsOf, cancelOf, general, pause, SUBMIT } from '../support/app.ts';
import { answer, coreWorld, LEASE_MS } from '../support/core-world.ts';
import { type Metric, readMonitoring } from '../support/infra-monitoring.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import { startReceiver } from '../support/webhook-receiver.ts';

type Line = { message: string; [field: string]: unknown };

const SECRET = `whsec_${Buffer.from('a secret of a receiver: three').toString('base64')}`;
const PATIENCE_MS = 15_000;
const lines: Line[] = [];
const { metrics } = readMonitoring();

/** Waits for as many lines. */
async function until(event: string, times = 1, isSo = (_: Line) => true): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; ; await pause(5)) {
    if (lines.filter((line) => line.message === event && isSo(line)).length >= times) return;
    if (performance.now() > end) throw new Error(`no ${event}`);
  }
}

const ended = (state: string) => until('job-finished', 1, (line) => line.state === state);

/** A runtime whose jobs complete, fail, are cancelled, tried again, told of and handed back. */
async function fates(log: Log): Promise<void> {
  const receiver = await startReceiver({
    secrets: [SECRET],
    mannerOf: ({ type }) => (type === 'job.failed' ? 'refuse' : 'answer'),
  });
  const settings = { DATABASE_URL: ':memory:', SIMULATED_MS: '0', WEBHOOK_SECRETS: SECRET, DRAIN_MS: '0' };
  const runtime = await embeddedRuntime(readConfig(settings), log);
  const { post } = callsOf(publicApp(runtime, EVERYTHING));
  const submit = async (prompt: string) => {
    const { status, body } = await post(SUBMIT, { ...general({ prompt }), webhook: { url: receiver.url } });
    expect(status).toBe(202);
    return body.job_id as string;
  };
  runtime.start();
  try {
    await submit('Hello.');
    await ended('completed');
    await submit('[simulate fail=auth]\nHello.');
    await ended('failed');
    await until('webhook-delivered');
    await until('webhook-failed');
    const slow = await submit('[simulate seconds=20]\nHello.');
    await until('attempt-started', 3);
    await post(cancelOf(slow), {});
    await ended('cancelled');
    await submit('[simulate fail=overloaded]\nHello.');
    await until('attempt-failed');
  } finally {
    await runtime.close();
    await receiver.stop();
  }
}

/** A worker that is drained amid a job, and one whose job is taken over. */
async function losses(log: Log): Promise<void> {
  const open: (() => void)[] = [];
  const world = coreWorld(async function* (_, signal) {
    await new Promise<void>((resolve) => {
      open.push(resolve);
      signal.addEventListener('abort', () => resolve());
    });
    signal.throwIfAborted();
    yield* answer();
  });
  try {
    const zombie = world.anotherWorker({ log });
    const taken = await world.submit();
    const running = zombie.run(taken);
    await world.clock.advance(0);
    const found = await world.store.get({ tenant: taken.tenant, id: taken.id });
    await world.store.update(taken, found?.revision ?? '', { leaseExpiresAt: world.clock.nowMs() });
    const heir = world.run(taken);
    await world.clock.advance(LEASE_MS);
    expect(await running).toEqual({ lost: true });
    open[1]?.();
    expect(await heir).toEqual({ finished: 'completed' });

    const drained = world.anotherWorker({ log });
    const left = await world.submit('Another.');
    const handedBack = drained.run(left);
    await world.clock.advance(0);
    await Promise.all([drained.drain(0), world.clock.advance(1)]);
    await handedBack;
  } finally {
    world.close();
  }
}

/** A route whose calls fail until it is left out. */
async function breaks(log: Log): Promise<void> {
  const routes = routing({ clock: virtualClock(), log });
  for (let n = 0; n < FAILURES_TO_OPEN; n++) {
    const taken = await routes.pass(sampleJob({ id: `job-${n}` }), [0]);
    if ('pass' in taken) taken.pass.end(new ServiceError('overloaded', 'by the test'));
  }
}

beforeAll(async () => {
  const log = stdoutLog({ format: 'json', level: 'info' }, (line) => void lines.push(JSON.parse(line)));
  await fates(log);
  await losses(log);
  await breaks(log);
}, 60_000);

/** The fields that a metric reads and no line of its event has as a plain value, or whose numbers its buckets cannot tell apart. */
function unread({ event, labels, value, buckets }: Metric): string[] {
  const counted = lines.filter(({ message }) => message === event);
  const valuesOf = (field: string) => counted.map((line) => line[field]).filter((found) => found !== undefined);
  const isPlain = (found: unknown) => ['string', 'number', 'boolean'].includes(typeof found);
  const missing = Object.values(labels).filter((field) => {
    const values = valuesOf(field);
    return values.length === 0 || !values.every(isPlain);
  });
  if (value === undefined) return missing;
  const top = buckets ? buckets.scale * buckets.growth ** buckets.count : 0;
  const numbers = valuesOf(value);
  const isMeasured = numbers.length > 0 && numbers.every((n) => typeof n === 'number' && n >= 0 && n < top);
  return isMeasured ? missing : [...missing, value];
}

test('each fate was met', () => {
  const states = new Set(lines.filter(({ message }) => message === 'job-finished').map(({ state }) => state));
  expect([...states].sort()).toEqual(['cancelled', 'completed', 'failed']);
  const told = lines.filter(({ message }) => message === 'webhook-failed');
  expect(told[0]).toMatchObject({ type: 'failed', severity: 'WARNING' });
  expect(lines.filter(({ message }) => message === 'zombie-write-refused').length).toBeGreaterThan(0);
});

const READ = Object.entries(metrics).filter(
  ([, { event, labels, value }]) => event && (value || Object.keys(labels).length > 0),
);

test.each(READ)('%s reads fields that are there', (_, metric) => {
  expect(unread(metric)).toEqual([]);
});

test('a label, a value or a bucket that is wrong is found', () => {
  const { queue_ms: measured } = metrics;
  if (!measured) throw new Error('no queue_ms');
  expect(unread({ ...measured, labels: { type: 'type' } })).toEqual(['type']);
  expect(unread({ ...measured, value: 'waited_ms' })).toEqual(['waited_ms']);
  expect(unread({ ...measured, value: 'model' })).toEqual(['model']);
  expect(unread({ ...measured, value: 'attempt', buckets: { scale: 1, growth: 1, count: 1 } })).toEqual(['attempt']);
});
