/** Q04 with real processes: equal jobs on three workers, one of which is killed while it makes the call. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BATCH, general } from '../support/app.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { ask, submit, type View, warmUp } from '../support/http-client.ts';
import { ANSWER, type Provider, startProvider } from '../support/provider.ts';

const CROWD = 100;
/** A batch is published at once, and goes to one worker where the emulator likes. */
const BATCHES = 10;
const WORKERS = 3;

describeOnEmulators('on the emulators,', () => {
  let provider: Provider;
  let stack: TestStack;
  beforeAll(async () => {
    provider = await startProvider();
    const environment = { ...provider.environment, LEASE_MS: '10000', SWEEP_MS: '1000' };
    stack = await startTestStack(environment, emulators(), WORKERS);
    await warmUp(stack.baseUrl);
    // Which worker gets a message is the emulator's affair: each has to have had one.
    const workersAtWork = () => workersWith((line) => line.includes('"attempt-started"')).size;
    while (workersAtWork() < WORKERS) {
      await Promise.all(Array.from({ length: 10 }, () => submit(stack.baseUrl, general({ prompt: 'Hello.' }))));
      await pause(500);
    }
  }, 150_000);
  afterAll(async () => {
    await stack?.stop();
    await provider?.stop();
  });

  /** Submits the crowd, and answers its views when all of it is over. */
  async function crowdOf(prompt: string, meanwhile: () => Promise<void> = async () => {}): Promise<View[]> {
    const equal = { ...general({ prompt }, 'gpt-4o'), cache_ttl_seconds: 600 };
    const ids: string[] = [];
    const statusUrls: string[] = [];
    const met = meanwhile();
    for (let n = 0; n < BATCHES; n++) {
      const { status, body } = await ask(stack.baseUrl, BATCH, { jobs: Array(CROWD / BATCHES).fill(equal) });
      expect(status).toBe(202);
      ids.push(...body.items.map(({ job_id }: { job_id: string }) => job_id));
      statusUrls.push(body.urls.status);
    }
    await met;
    for (const url of statusUrls) {
      const completed = async () => (await ask(stack.baseUrl, url)).body.counts.completed;
      await expect.poll(completed, { timeout: 100_000, interval: 500 }).toBe(CROWD / BATCHES);
    }
    return Promise.all(ids.map(async (id) => (await ask(stack.baseUrl, `/api/llm/jobs/${id}/status/`)).body));
  }

  /** The workers that printed such a line. */
  const workersWith = (isOne: (line: string) => boolean) =>
    new Set(
      stack.lines
        .filter((line) => line.startsWith('worker') && isOne(line))
        .map((line) => line.slice(0, line.indexOf(':'))),
    );

  function expectOneAnswer(views: readonly View[]): void {
    for (const { result_data } of views) expect(result_data).toMatchObject({ success: true, result: ANSWER });
    const own = views.filter(({ cached }) => cached !== true);
    expect(own).toHaveLength(1);
    for (const view of views) if (view.cached) expect(view).toMatchObject({ cost: 0, attempts: [], billing: 'none' });
  }

  test('Q04 100 equal jobs on three workers: one call, 100 equal results', async () => {
    const views = await crowdOf('equal, on three workers');
    expectOneAnswer(views);
    expect(views.find(({ cached }) => cached !== true)?.attempts).toMatchObject([{ outcome: 'completed', calls: 1 }]);
    expect(provider.callsAbout('equal, on three workers')).toBe(1);
    expect(workersWith((line) => views.some(({ job_id }) => line.includes(job_id))).size).toBeGreaterThan(1);
  }, 150_000);

  test('Q04 the worker that makes the call is killed: another one makes it again, and one answer is shared', async () => {
    const about = 'equal, and its worker is killed';
    const views = await crowdOf(about, async () => {
      await expect.poll(() => provider.callsAbout(about), { timeout: 30_000, interval: 5 }).toBe(1);
      const started = stack.lines.findLast((line) => line.includes('"attempt-started"')) ?? '';
      const [, n = '0'] = /^worker ?(\d*):/.exec(started) ?? [];
      stack.workers[Number(n)]?.child().kill('SIGKILL');
    });
    expectOneAnswer(views);
    const leader = views.find(({ cached }) => cached !== true);
    expect(leader?.attempts).toMatchObject([{ outcome: 'lost' }, { outcome: 'completed' }]);
    expect(provider.callsAbout(about)).toBe(2);
  }, 150_000);
});
