/** R08 with real processes: retries at once over HTTP. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LIST, retryOf } from '../support/app.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { ask, pollToEnd, pollUntil, request, submit, type View, warmUp } from '../support/http-client.ts';

const AT_ONCE = 20;
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

  test('R08 twenty retries of a failed job at once: one new job, which completes, and both views say so', async () => {
    const old = await submit(stack.baseUrl, { ...request('simulated', failing('once')), tags: ['once'] });
    expect(await pollToEnd(stack.baseUrl, old)).toMatchObject({ status: 'failed', error_code: 'auth' });
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => ask(stack.baseUrl, retryOf(old), {})));
    expect(answers.map(({ status }) => status)).toEqual(Array(AT_ONCE).fill(202));
    const [made, ...others] = new Set(answers.map(({ body }) => body.job_id as string));
    expect(others).toEqual([]);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);

    const done = await pollToEnd(stack.baseUrl, made ?? '');
    expect(done).toMatchObject({ status: 'completed', retry_of: old, attempts: [{ n: 1, calls: 1 }] });
    // Another process may remember for a moment how it was.
    const before = await pollUntil(stack.baseUrl, old, (view) => view.retried_as !== undefined);
    expect(before).toMatchObject({ status: 'failed', retried_as: made, attempts: [{ n: 1, calls: 1 }] });
    expect((await listed('tag=once')).map(({ job_id }) => job_id).sort()).toEqual([old, made].sort());
  });
});
