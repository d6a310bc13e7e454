/** W12: a job that kills the process of every worker that takes it, among others that have done nothing wrong. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { pollToEnd, readStatus, request, submit, type View, warmUp } from '../support/http-client.ts';
import { PACED, type PacedProvider, startPacedProvider } from '../support/paced-provider.ts';

const POISON = pathToFileURL(join(import.meta.dirname, '../support/poisoned-fetch.mjs')).href;
const LEASE_MS = 3_000;
/** Eight leases that end by themselves, with pauses of up to a minute between them. */
const PATIENCE_MS = 400_000;
const BYSTANDER_EVERY_MS = 2_000;

describeOnEmulators('W12: on the emulators,', () => {
  let provider: PacedProvider;
  let stack: TestStack;

  beforeAll(async () => {
    provider = await startPacedProvider();
    stack = await startTestStack({
      ...provider.environment,
      LEASE_MS: String(LEASE_MS),
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${POISON}`,
    });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await stack?.stop();
    await provider?.stop();
  });

  test('a poison job ends as a crash loop, and those that shared its processes complete', async () => {
    const submitPaced = (prompt: string) => submit(stack.baseUrl, request(PACED, prompt));
    const poison = await submitPaced('A [poison] job. [seconds=3]');
    const bystanders = new Map<string, string>();
    const untilMs = performance.now() + PATIENCE_MS;
    // Others come all the time, and are being worked on when it strikes.
    while (!(await readStatus(stack.baseUrl, poison)).is_complete && performance.now() < untilMs) {
      const prompt = `Bystander ${bystanders.size}. [seconds=3]`;
      bystanders.set(prompt, await submitPaced(prompt));
      await pause(BYSTANDER_EVERY_MS);
    }
    const view = await readStatus(stack.baseUrl, poison);
    expect(view).toMatchObject({ status: 'failed', error_code: 'crash_loop' });
    expect(view.attempts.map(({ outcome }) => outcome)).toEqual(Array(LOSSES_MOST).fill('lost'));
    const deaths = stack.lines.filter((line) => line.includes('worker died (SIGKILL)'));
    expect(deaths).toHaveLength(LOSSES_MOST);
    expect(provider.callsAbout('[poison]')).toBeGreaterThan(1);
    expect(provider.callsAbout('[poison]')).toBeLessThanOrEqual(recordedCalls(view));

    let lost = 0;
    for (const [prompt, id] of bystanders) {
      const ended = await pollToEnd(stack.baseUrl, id, PATIENCE_MS);
      expect(ended).toMatchObject({ status: 'completed' });
      expect(provider.callsAbout(prompt)).toBeLessThanOrEqual(recordedCalls(ended));
      lost += ended.attempts.filter(({ outcome }) => outcome === 'lost').length;
    }
    expect(lost).toBeGreaterThan(0);
  });
});

const recordedCalls = ({ attempts }: View) => attempts.reduce((sum, { calls }) => sum + calls, 0);
