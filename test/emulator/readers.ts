/** Many readers in one process on real listeners: all see the end, and none is left. */
import { expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { LOCAL } from '../support/emulator-stack.ts';
import { emulatorConfig } from '../support/emulators.ts';
import { idsOf, resultText, take, textOf } from '../support/reader.ts';

const AT_ONCE = 50;

/** So many readers, of one job each in `jobs` jobs. */
export function manyReaders(readersOf: { readers: number; jobs: number }[]): void {
  async function withRuntime(use: (runtime: Runtime) => Promise<void>): Promise<void> {
    // Nobody is told of these jobs: they run when the test says so.
    const runtime = googleRuntime(emulatorConfig({ SIMULATED_MS: '300', JOBS_TOPIC: 'nobody-listens' }));
    try {
      // The first call opens the connection.
      await expect.poll(() => runtime.sweep(), { timeout: 20_000 }).toBeTruthy();
      await use(runtime);
      // Kept for a moment for whoever comes back.
      await expect.poll(() => runtime.service.listeners(), { timeout: 10_000 }).toBe(0);
    } finally {
      await runtime.close();
    }
  }

  async function submitted(runtime: Runtime, jobs: number): Promise<Job[]> {
    const all: Job[] = [];
    while (all.length < jobs) {
      const some = Array.from({ length: Math.min(AT_ONCE, jobs - all.length) }, async () => {
        const input = { prompt: 'Read by many.' };
        const job = { jobType: 'general_llm_request', model: 'simulated', stream: true, input, ring: false };
        return (await runtime.service.submit(LOCAL, job)).job;
      });
      all.push(...(await Promise.all(some)));
    }
    return all;
  }

  test.each(readersOf)('$readers readers of $jobs jobs all see the end', async ({ readers: many, jobs: count }) => {
    await withRuntime(async (runtime) => {
      const jobs = await submitted(runtime, count);
      const readers = Array.from({ length: many }, (_, index) =>
        take(runtime.service, jobs[index % count] as Job, (promise) => promise, { as: LOCAL }),
      );
      await expect.poll(() => runtime.service.listeners(), { timeout: 30_000 }).toBe(count);
      for (let done = 0; done < jobs.length; done += AT_ONCE) {
        await Promise.all(jobs.slice(done, done + AT_ONCE).map((job) => runtime.worker.run(job)));
      }
      const taken = await Promise.all(readers);
      const { job } = await runtime.service.read(LOCAL, jobs[0]?.id ?? '');
      for (const { events } of taken) {
        const last = events.at(-1);
        expect(last?.type).toBe('done');
        expect(textOf(events)).toBe(resultText(job));
        expect(idsOf(events)).toEqual([...new Set(idsOf(events))].sort((left, right) => left - right));
      }
    });
  });
}
