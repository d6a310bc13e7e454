/**
 * What stops a job from outside, across real processes: a worker that is told to end (W07), a stray failure in its process
 * (W13), a cancel that another process took.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FunctionProcess, startFunction } from '../../infra/function-process.ts';
import { type PushDriver, startPushDriver } from '../../infra/push-driver.ts';
import type { Job } from '../../shared/core/job.ts';
import { encodeDoorbell } from '../../shared/http/push.ts';
import { LOCAL, startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { pollToEnd, pollUntil, readStatus, request, submit, type View, warmUp } from '../support/http-client.ts';
import { type Provider, startProvider } from '../support/provider.ts';

const LEASE_MS = 3_000;
const DRAIN_MS = 1_000;
const STRAY = pathToFileURL(join(import.meta.dirname, '../support/stray-fetch.mjs')).href;
const isProcessing = (view: View) => view.status === 'processing';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describeOnEmulators('on the emulators,', () => {
  let provider: Provider;
  let stack: TestStack;
  let second: FunctionProcess;
  let secondDriver: PushDriver | undefined;

  beforeAll(async () => {
    provider = await startProvider();
    stack = await startTestStack({
      ...provider.environment,
      LEASE_MS: String(LEASE_MS),
      DRAIN_MS: String(DRAIN_MS),
      SIMULATED_MS: '100',
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${STRAY}`,
    });
    // A lease so long that its heartbeats can't be what hears of a cancel.
    const environment = { ...stack.environment, LEASE_MS: '60000' };
    const onLine = (line: string) => void stack.lines.push(`second: ${line}`);
    second = await startFunction({ name: 'worker', environment, onLine });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await secondDriver?.stop();
    await second?.stop();
    await stack?.stop();
    await provider?.stop();
  });

  const read = async (id: string): Promise<Job> => (await stack.unheard.service.read(LOCAL, id)).job;

  async function started(prompt: string, model = 'simulated'): Promise<string> {
    const id = await submit(stack.baseUrl, request(model, prompt));
    await pollUntil(stack.baseUrl, id, isProcessing);
    return id;
  }

  /** Tells the process to end, and answers how it did: its code and how long it took. */
  async function end(child: ChildProcess): Promise<{ code: number | null; tookMs: number }> {
    const askedMs = performance.now();
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    return { code: await exit, tookMs: performance.now() - askedMs };
  }

  test('W07: a job that ends within the grace of a worker that is told to end is finished, not released', async () => {
    const id = await started('Nearly there. [simulate seconds=3]');
    await pause(2_400);
    expect(await readStatus(stack.baseUrl, id)).toMatchObject({ status: 'processing' });
    const { code } = await end(stack.functions.worker.child());
    expect(code).toBe(0);
    expect(stack.logged('draining').at(-1)).toMatchObject({ jobs: 1, grace_ms: DRAIN_MS });
    expect(await readStatus(stack.baseUrl, id)).toMatchObject({
      status: 'completed',
      attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
    });
  });

  test('W07: a delivery to a worker that is told to end is refused, and comes again', async () => {
    await untilServing(stack.functions.worker);
    await started('Hold on. [simulate seconds=30]');
    // Made before: there is no time for a first connection to the store while the worker ends.
    const { job } = await stack.unheard.service.submit(LOCAL, {
      jobType: 'general_llm_request',
      model: 'simulated',
      input: { prompt: 'Only by hand.' },
    });
    const ending = end(stack.functions.worker.child());
    await expect.poll(() => stack.logged('draining').length).toBe(2);
    const refused = await fetch(stack.functions.worker.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(encodeDoorbell(job, '1', 1)),
    });
    const id = await submit(stack.baseUrl, request('simulated', 'Through the queue.'));
    expect(refused.status).toBe(503);
    expect((await ending).code).toBe(0);
    expect(stack.logged('claim-refused').filter(({ job_id }) => job_id === job.id)).toEqual([]);
    expect(await read(job.id)).toMatchObject({ state: 'pending', attempt: 0 });
    const { delivered, acknowledged } = stack.driver.counts();
    expect(delivered).toBeGreaterThan(acknowledged);
    // Another process took it, with the first call that was made for it.
    const view = await pollToEnd(stack.baseUrl, id);
    expect(view).toMatchObject({ status: 'completed', attempts: [{ n: 1, calls: 1 }] });
  });

  test('W07: a slow job is released by a worker that is told to end, and runs on another one within a second', async () => {
    await untilServing(stack.functions.worker);
    const id = await started('Move over. [simulate seconds=4]');
    // As Cloud Run does: an instance that is told to end gets no more requests.
    secondDriver = await startPushDriver({
      projectId: stack.environment.GOOGLE_CLOUD_PROJECT ?? '',
      emulatorHost: emulators().pubsub,
      topic: 'llm-jobs',
      pushUrl: second.url,
      concurrency: 50,
      onProblem: () => {},
    });
    await stack.driver.stop();
    const { code, tookMs } = await end(stack.functions.worker.child());
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(DRAIN_MS + 3_000);
    await pollUntil(stack.baseUrl, id, (view) => view.attempts.length === 2);
    const [released, next] = (await read(id)).attempts;
    expect(released).toMatchObject({ n: 1, calls: 1, outcome: 'released', errorCode: 'drained' });
    expect((next?.startedAt ?? Infinity) - (released?.endedAt ?? 0)).toBeLessThan(1_000);
    expect(await pollToEnd(stack.baseUrl, id)).toMatchObject({
      status: 'completed',
      billing: 'possible',
      attempts: [
        { n: 1, outcome: 'released', error_code: 'drained' },
        { n: 2, outcome: 'completed' },
      ],
    });
    expect(stack.logged('attempt-started').filter(({ job_id }) => job_id === id)).toHaveLength(2);
    expect(stack.lines.some((line) => line.startsWith('second: ') && line.includes(id))).toBe(true);
  });

  test('a cancel that the submit function took reaches the worker process within a second, by its listener', async () => {
    // The first one finds everything cold on its way.
    await cancelled(await started('Forget it at once. [simulate seconds=50]'));
    const id = await started('Forget it. [simulate seconds=50]');
    const { view, tookMs } = await cancelled(id);
    expect(tookMs).toBeLessThan(1_000);
    expect(view).toMatchObject({
      status: 'cancelled',
      billing: 'possible',
      attempts: [{ n: 1, calls: 1, outcome: 'cancelled' }],
    });
    expect(stack.logged('cancel-accepted').at(-1)).toMatchObject({ job_id: id, state: 'processing' });
  });

  /** Cancels a job whose call is being made, and answers its last view and how long that took. */
  async function cancelled(id: string): Promise<{ view: View; tookMs: number }> {
    const askedMs = performance.now();
    const response = await fetch(`${stack.baseUrl}/api/llm/jobs/${id}/cancel/`, { method: 'POST' });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'processing', cancel_requested_at: expect.any(String) });
    const view = await pollToEnd(stack.baseUrl, id, 10_000);
    return { view, tookMs: performance.now() - askedMs };
  }

  test('W13: a stray rejection and a stray exception in the worker process leave its other jobs alone', async () => {
    const { pid } = second.child();
    const others = await Promise.all([1, 2, 3].map((n) => started(`Neighbour ${n}. [simulate seconds=3]`)));
    const id = await submit(stack.baseUrl, request('gpt-4o', 'A careless [stray] prompt.'));
    await expect.poll(() => stack.logged('stray-failure').length, { timeout: 10_000 }).toBe(2);
    expect((await Promise.all(others.map((other) => readStatus(stack.baseUrl, other)))).every(isProcessing)).toBe(true);
    for (const each of [...others, id]) {
      expect(await pollToEnd(stack.baseUrl, each)).toMatchObject({
        status: 'completed',
        attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
      });
    }
    expect(provider.callsAbout('[stray]')).toBe(1);
    expect(second.child().pid).toBe(pid);
    expect(second.child().exitCode).toBeNull();
    const strays = stack.logged('stray-failure');
    expect(strays.map(({ error }) => String(error)).sort()).toEqual([
      expect.stringMatching(/^Error at /),
      expect.stringMatching(/^TypeError at /),
    ]);
    for (const secret of ['careless', 'Neighbour', 'sk-test']) expect(stack.lines.join('\n')).not.toContain(secret);
  });
});

/** The process that took the place of one that ended takes connections. */
async function untilServing({ url }: FunctionProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answered = await fetch(url, { method: 'POST', body: '{}' }).catch(() => undefined);
    if (answered) return;
    await pause(50);
  }
  throw new Error('the worker was not started again');
}
