/** Limits of models, as set and as providers say: jobs wait for them, and none fails. */
import { expect } from 'vitest';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import type { LlmPart, ProviderLimits } from '../../shared/core/llm.ts';
import { answer, type ProviderCall } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const MODEL = 'simulated';
const MINUTE_MS = 60_000;

/** Doorbells and sweeps, by turns of two processes, until all are over; answers how long that took. */
async function runAll(world: World, jobs: readonly Job[], sweepMs: number): Promise<number> {
  const two = [world.main, world.instance()] as const;
  for (let turn = 0; turn < 1_000; turn++) {
    await world.deliverRung(two[turn % 2]);
    const now = await Promise.all(jobs.map((job) => world.read(job)));
    if (now.every(({ state }) => isTerminal(state))) return turn * sweepMs;
    await world.pass(sweepMs);
    await world.until(two[turn % 2 === 0 ? 1 : 0].sweep());
  }
  throw new Error('they did not end');
}

/** The most calls in any minute, its first and last instant included. */
function peakOf(calls: readonly ProviderCall[]): number {
  const counts = calls.map(({ atMs: fromMs }) => {
    const within = calls.filter(({ atMs }) => atMs >= fromMs && atMs <= fromMs + MINUTE_MS);
    return within.length;
  });
  return Math.max(...counts);
}

async function expectOneAttemptEach(world: World, jobs: readonly Job[]): Promise<void> {
  for (const job of jobs) {
    expect(await world.read(job)).toMatchObject({ state: 'completed', attempts: [{ outcome: 'completed', calls: 1 }] });
  }
  expect(world.provider.calls()).toHaveLength(jobs.length);
}

/** Minutes go by: in virtual time alone. */
export function setLimitScenarios(open: Open): void {
  for (const [sweeps, sweepMs, minutesMost] of [
    ['each two seconds', 2_000, 4],
    ['each minute', MINUTE_MS, 5],
  ] as const) {
    scenario(
      open,
      `20 jobs at 10 requests a minute, swept ${sweeps}: none fails, no minute has more than 10 calls, and none is idle`,
      async (world) => {
        const jobs: Job[] = [];
        for (let n = 0; n < 20; n++) jobs.push(await world.submit());
        const tookMs = await runAll(world, jobs, sweepMs);
        await expectOneAttemptEach(world, jobs);
        expect(peakOf(world.provider.calls())).toBeLessThanOrEqual(10);
        expect(tookMs).toBeGreaterThan(MINUTE_MS);
        expect(tookMs).toBeLessThanOrEqual(minutesMost * MINUTE_MS);
      },
      { requestsPerMinute: new Map([[MODEL, 10]]) },
    );
  }
}

/** Answers as ever, and says with the nth call of the world what is left. */
const saying = (limits: (nth: number) => ProviderLimits | undefined) => {
  let calls = 0;
  return async function* (call: ProviderCall): AsyncIterable<LlmPart> {
    calls += 1;
    for await (const part of answer(call)) {
      yield part.type === 'accepted' ? { ...part, limits: limits(calls) } : part;
    }
  };
};

/** What a provider says with its answer to one job holds for the next one of the same process. */
export function saidLimitScenarios(open: Open): void {
  for (const [resetMs, waits] of [
    [1_500, 'its worker waits'],
    [6_000, 'it is put off'],
  ] as const) {
    scenario(
      open,
      `a provider that says 0 remaining for ${resetMs} ms: the next job's call is not earlier, ${waits}`,
      async (world) => {
        const said = (nth: number) => (nth === 1 ? { requests: { remaining: 0, resetMs } } : undefined);
        world.provider.answerWith(saying(said));
        const [first, second] = [await world.submit(), await world.submit()];
        expect(await world.deliver(first)).toEqual({ finished: 'completed' });
        const outcome = await world.deliver(second);
        const isPutOff = resetMs > 2_000;
        expect('finished' in outcome).toBe(!isPutOff);
        if (isPutOff) {
          const putOff = { state: 'pending', attempt: 0, attempts: [], nextAttemptAt: expect.any(Number) };
          expect(await world.read(second)).toMatchObject(putOff);
          await world.eventually(async () => {
            await world.pass(250);
            await world.until(world.main.sweep());
            await world.deliverRung();
            return isTerminal((await world.read(second)).state);
          });
        }
        await expectOneAttemptEach(world, [first, second]);
        const [answered, next] = world.provider.calls();
        expect((next?.atMs ?? 0) - (answered?.atMs ?? 0)).toBeGreaterThanOrEqual(resetMs);
      },
    );
  }
}
