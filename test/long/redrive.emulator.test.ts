/** R08 with real processes: `npm run redrive` that is killed in its midst. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BATCH, general, LIST } from '../support/app.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { ask, type View, warmUp } from '../support/http-client.ts';
import { runRedrive } from '../support/operator-process.ts';
import { argumentsFor } from '../support/programs.ts';

const MANY = 60;
/** The provider refuses each of these once, for good, and answers the next time. */
const failing = (what: string) => `[simulate fail=auth times=1] ${what}`;

describeOnEmulators('on the emulators,', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ SIMULATED_MS: '0' });
    await warmUp(stack.baseUrl);
  }, 90_000);
  afterAll(() => stack?.stop());

  const listed = async (query: string): Promise<View[]> =>
    (await ask(stack.baseUrl, `${LIST}?limit=100&${query}`)).body.jobs;

  test('npm run redrive, killed in its midst and run again: one new job of each, and all complete', async () => {
    const jobs = Array.from({ length: MANY }, (_, n) => ({
      ...general({ prompt: failing(`job ${n}`) }),
      tags: ['many'],
    }));
    const { body: batch } = await ask(stack.baseUrl, BATCH, { jobs });
    const ids: string[] = batch.items.map(({ job_id }: { job_id: string }) => job_id);
    await expect
      .poll(async () => (await ask(stack.baseUrl, batch.urls.status)).body.counts?.failed, { timeout: 60_000 })
      .toBe(MANY);

    const words = ['--tag', 'many', '--code', 'auth'];
    const child = spawn(process.execPath, [...argumentsFor('infra/redrive.ts'), ...words], {
      env: { ...process.env, KEPT_OUTPUT: '', ...stack.environment },
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(child.signalCode).toBe('SIGKILL');
    const first = printed.trimEnd().split('\n').length;
    expect(first).toBeLessThan(MANY);

    const { code, stdout, stderr } = await runRedrive(stack.environment, ...words);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/\d+ jobs? redriven, \d+ redriven before\./)]);
    const [, made, before] = /(\d+) jobs? redriven, (\d+) redriven before/.exec(stderr) ?? [];
    expect(Number(made) + Number(before)).toBe(MANY);
    expect(Number(before)).toBeGreaterThanOrEqual(first);
    expect(stdout.trimEnd().split('\n')).toHaveLength(Number(made));
    const nothing = await runRedrive(stack.environment, ...words, '--dry-run');
    expect(nothing.stderr).toContain(`0 jobs would be redriven, ${MANY} redriven before.`);

    await expect
      .poll(async () => (await listed('tag=many&status=completed')).length, { timeout: 60_000, interval: 500 })
      .toBe(MANY);
    const completed = await listed('tag=many&status=completed');
    expect(completed.map(({ retry_of }) => retry_of).sort()).toEqual([...ids].sort());
    expect(await listed('tag=many&status=pending')).toEqual([]);
  }, 200_000);
});
