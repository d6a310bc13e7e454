/** P11 with real processes: workers are killed at every step of a job in the background, and the provider counts. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BackgroundProvider, startBackgroundProvider } from '../support/background-provider.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { type GrpcProxy, startGrpcProxy } from '../support/grpc-proxy.ts';
import { ask, pollToEnd, pollUntil, request, submit, type View, warmUp } from '../support/http-client.ts';

const JOBS = 20;
const KILLS = 5;

describeOnEmulators('P11: on the emulators,', () => {
  let provider: BackgroundProvider;
  let proxy: GrpcProxy;
  let stack: TestStack;

  beforeAll(async () => {
    const { pubsub, firestore } = emulators();
    provider = await startBackgroundProvider();
    proxy = await startGrpcProxy(firestore);
    const environment = { ...provider.environment, LEASE_MS: '3000', SIMULATED_MS: '100' };
    stack = await startTestStack(environment, { pubsub, firestore: proxy.host });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await stack?.stop();
    await proxy?.close();
    await provider?.stop();
  });

  const begin = (prompt: string) => submit(stack.baseUrl, { ...request('gpt-4o-mini', prompt), background: true });
  const kill = () => void stack.functions.worker.child().kill('SIGKILL');
  const isBegun = ({ attempts }: View) => 'provider_request_id' in (attempts[0] ?? {});

  /** The worker serves again, so that what dies next is not what died before. */
  async function untilServing(pid: number | undefined): Promise<void> {
    const { worker } = stack.functions;
    await expect.poll(() => worker.child().pid, { timeout: 20_000 }).not.toBe(pid);
    const isUp = () =>
      fetch(worker.url).then(
        () => true,
        () => false,
      );
    await expect.poll(isUp, { timeout: 20_000 }).toBe(true);
  }

  const steps: [name: string, arm: () => void, orphans: number, outcomes: string[]][] = [
    ['as the provider is asked', () => provider.upon('POST /v1/responses', kill), 1, ['lost', 'completed']],
    ['when the id is saved', () => killAtSave(), 0, ['completed']],
    ['as it looks', () => provider.upon('GET /v1/responses/', kill), 0, ['completed']],
    ['as it ends the job', () => killAtEnd(), 0, ['completed']],
  ];

  /** Kills the worker when a commit has landed that holds this text, before it hears of it. */
  function killAtCommit(text: string): void {
    proxy.loseAnswer(({ method, message }) => {
      const isIt = method === 'Commit' && message.includes(text);
      if (isIt) kill();
      return isIt;
    });
  }
  const killAtSave = () => killAtCommit('resp_');
  const killAtEnd = () => killAtCommit('Done.');

  test.each(steps)(
    'a worker is killed %s',
    async (name, arm, orphans, outcomes) => {
      const { pid } = stack.functions.worker.child();
      arm();
      const id = await begin(`Killed ${name}. [seconds=1]`);
      const view = await pollToEnd(stack.baseUrl, id, 60_000);
      await untilServing(pid);
      expect(view).toMatchObject({ status: 'completed', result_data: { result: 'Done.' } });
      expect(view.attempts.map(({ outcome }) => outcome)).toEqual(outcomes);
      expect(view.attempts.every(({ calls }) => calls === 1)).toBe(true);
      const answers = provider.begun(`Killed ${name}.`);
      expect(answers).toHaveLength(1 + orphans);
      expect(answers.filter(({ looks }) => looks > 0)).toHaveLength(1);
    },
    90_000,
  );

  test('workers are killed at random: every job completes, and what was begun in vain is recorded as lost', async () => {
    const ids = await Promise.all(Array.from({ length: JOBS }, (_, n) => begin(`Random ${n}. [seconds=5]`)));
    for (let kills = 0; kills < KILLS; kills++) {
      const { pid } = stack.functions.worker.child();
      await pause(500 + Math.random() * 1_500);
      kill();
      await untilServing(pid);
    }
    const views = await Promise.all(ids.map((id) => pollToEnd(stack.baseUrl, id, 120_000)));
    expect(views.map(({ status }) => status)).toEqual(ids.map(() => 'completed'));
    for (const [n, { attempts }] of views.entries()) {
      const answers = provider.begun(`Random ${n}.`);
      const recorded = attempts.reduce((sum, { calls }) => sum + calls, 0);
      expect(answers.length).toBeLessThanOrEqual(recorded);
      expect(answers.filter(({ looks }) => looks > 0)).toHaveLength(1);
      expect(attempts.slice(0, -1).every(({ outcome }) => outcome === 'lost')).toBe(true);
    }
    // The kills hit something: workers came back to answers that others had begun.
    expect(stack.logged('attempt-goes-on').length).toBeGreaterThan(0);
  }, 200_000);

  test('a worker is told to end: another process goes on with the answer, and a cancel stops the provider', async () => {
    const id = await begin('Hand over. [seconds=600]');
    await pollUntil(stack.baseUrl, id, isBegun);
    const { pid } = stack.functions.worker.child();
    const goneOn = stack.logged('attempt-goes-on').length;
    stack.functions.worker.child().kill('SIGTERM');
    await untilServing(pid);
    // Doorbells that the worker refused while it ended come again after a while.
    await expect.poll(() => stack.logged('attempt-goes-on').length, { timeout: 60_000 }).toBeGreaterThan(goneOn);
    expect((await ask(stack.baseUrl, `/api/llm/jobs/${id}/cancel/`, {})).status).toBe(200);
    const view = await pollToEnd(stack.baseUrl, id);
    expect(view).toMatchObject({ status: 'cancelled', attempts: [{ n: 1, calls: 1, outcome: 'cancelled' }] });
    expect(provider.begun('Hand over.')).toMatchObject([{ isCancelled: true }]);
  }, 150_000);
});
