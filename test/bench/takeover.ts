/**
 * `npm run bench -- --only takeover`: on the emulators with separate processes, how long it takes until a job runs again
 * whose worker was killed, or told to stop, and until a cancel has ended one; beside what the settings allow.
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { bundleAll } from '../../infra/bundle.ts';
import { startEmulator } from '../../infra/emulator-processes.ts';
import { startEmulatorStack } from '../../infra/emulators.ts';
import { type FunctionProcess, startFunction } from '../../infra/function-process.ts';
import { type PushDriver, startPushDriver } from '../../infra/push-driver.ts';
import { readConfig } from '../../shared/config.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { pollToEnd, pollUntil, request, submit, warmUp } from '../support/http-client.ts';
import { type Bench, bench } from './support/bench.ts';
import { emulatorsHere } from './support/emulators-here.ts';
import { median, spread } from './support/statistics.ts';

const SWEEP_MS = 500;
const DRAIN_MS = 500;

type Line = { worker: string; message: string; job_id: string; attempt: number; atMs: number };

await bench(
  {
    name: 'takeover',
    title: 'How soon another worker takes over',
    about:
      'Two workers, each a process of its own, on the emulators: one is killed in the middle of a call, or told to stop, until the other one begins the next attempt; and from a cancel to the end of its job. What is allowed follows from the settings of this run: the lease, its grace, and how often the sweeper looks.',
  },
  takeover,
);

async function takeover({ sized, say, table, plot, verdict, leaveOut }: Bench): Promise<void> {
  const commands = emulatorsHere(leaveOut);
  if (!commands) return;
  const rounds = sized(5, 1);
  const leaseMs = sized(3_000, 1_500);
  const callSeconds = sized(4, 2);
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
    bundleAll(),
  ]);
  const config = readConfig({ PORT: '0', SWEEP_MS: String(SWEEP_MS) });
  const environment = {
    ...{ LEASE_MS: String(leaseMs), DRAIN_MS: String(DRAIN_MS), LOG_FORMAT: 'json', SIMULATED_MS: '100' },
    ...{
      GOOGLE_CLOUD_PROJECT: config.projectId,
      PUBSUB_EMULATOR_HOST: pubsub.host,
      FIRESTORE_EMULATOR_HOST: firestore.host,
    },
  };
  const lines: Line[] = [];
  const onLine = (line: string) => {
    const [, worker = '', json = ''] = /^(\w+): (\{.*)$/.exec(line) ?? [];
    if (json !== '') lines.push({ ...JSON.parse(json), worker, atMs: Date.now() });
  };
  const stack = await startEmulatorStack({
    config,
    pubsubHost: pubsub.host,
    firestoreHost: firestore.host,
    environment,
    onLine,
  });
  const second = await startFunction({ name: 'worker', environment, onLine: (line) => onLine(`second: ${line}`) });
  const { projectId, jobsTopic: topic } = config;
  const deliverTo = ({ url: pushUrl }: FunctionProcess) =>
    startPushDriver({
      ...{ projectId, emulatorHost: pubsub.host, topic, pushUrl, concurrency: 50, onProblem: () => {} },
    });
  const workers: Record<string, FunctionProcess> = { worker: stack.functions.worker, second };
  const drivers: Record<string, PushDriver> = { worker: stack.driver, second: await deliverTo(second) };
  await warmUp(stack.baseUrl);

  const found = (message: string, id: string, attempt: number) =>
    lines.find((line) => line.message === message && line.job_id === id && line.attempt === attempt);

  async function until(message: string, id: string, attempt: number): Promise<Line> {
    for (;;) {
      const line = found(message, id, attempt);
      if (line) return line;
      await pause(5);
    }
  }

  /** A slow job in the middle of its call, and the process that has it. */
  async function held(seconds: number): Promise<{ id: string; name: string; by: FunctionProcess }> {
    const id = await submit(stack.baseUrl, request('simulated', `Take over. [simulate seconds=${seconds}]`));
    const { worker } = await until('attempt-started', id, 1);
    await pause(200 + Math.random() * 500);
    return { id, name: worker, by: workers[worker] as FunctionProcess };
  }

  const rows: Record<string, number[]> = {
    ...{ 'worker killed': [], 'worker told to stop': [], 'cancelled, new workers': [], cancelled: [] },
  };
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    const killed = await held(callSeconds);
    const killedMs = Date.now();
    killed.by.child().kill('SIGKILL');
    rows['worker killed']?.push((await until('attempt-started', killed.id, 2)).atMs - killedMs);
    await pollToEnd(stack.baseUrl, killed.id);

    const stopped = await held(callSeconds);
    const ended = once(stopped.by.child(), 'exit');
    // An instance that the platform tells to stop gets no more requests.
    await drivers[stopped.name]?.stop();
    stopped.by.child().kill('SIGTERM');
    const released = await until('job-handed-back', stopped.id, 1);
    rows['worker told to stop']?.push((await until('attempt-started', stopped.id, 2)).atMs - released.atMs);
    await ended;
    await pollToEnd(stack.baseUrl, stopped.id);
    drivers[stopped.name] = await deliverTo(stopped.by);
  }
  // The listener of a new process takes a moment to open; until then heartbeats are what hears.
  for (let round = 0; round < 3 * rounds; round++) {
    say(`cancel ${round + 1} of ${3 * rounds}`);
    const { id } = await held(60);
    const askedMs = Date.now();
    await fetch(`${stack.baseUrl}/api/llm/jobs/${id}/cancel/`, { method: 'POST' });
    await pollUntil(stack.baseUrl, id, (view) => view.is_complete);
    rows[round < rounds ? 'cancelled, new workers' : 'cancelled']?.push(Date.now() - askedMs);
  }

  const allowed: Record<string, { ms: number; is: string }> = {
    'worker killed': { ms: leaseMs + LEASE_GRACE_MS + SWEEP_MS, is: 'lease + grace + a sweep' },
    'worker told to stop': { ms: 1_000, is: 'a second' },
    'cancelled, new workers': { ms: leaseMs / 3, is: 'a heartbeat' },
    cancelled: { ms: leaseMs / 3, is: 'a heartbeat' },
  };
  table(
    'Milliseconds until it is done',
    Object.fromEntries(
      Object.entries(rows).map(([name, times]) => [
        name,
        { 'median ms': spread(times), 'allowed ms': allowed[name]?.ms, 'which is': allowed[name]?.is },
      ]),
    ),
  );
  plot({
    title: 'Until it is done, and what is allowed',
    kind: 'bars',
    x: { label: '' },
    y: { label: 'ms' },
    points: Object.entries(rows).flatMap(([x, times]) => [
      { x, y: median(times), series: 'median' },
      { x, y: Math.max(...times), series: 'longest' },
      { x, y: allowed[x]?.ms ?? Number.NaN, series: 'allowed' },
    ]),
  });
  for (const [name, times] of Object.entries(rows))
    verdict({ what: `${name}: the longest`, value: Math.max(...times), unit: 'ms', atMost: allowed[name]?.ms ?? 0 });
  await Promise.all(Object.values(drivers).map((driver) => driver.stop()));
  await Promise.all([second.stop(), stack.stop()]);
  await Promise.all([pubsub.stop(), firestore.stop()]);
}
