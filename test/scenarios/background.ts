/** P11: answers that a provider works on by itself, under every fault of those who wait for them. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { resultOf } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const MINUTE_MS = 60_000;

export function backgroundScenarios(open: Open): void {
  scenario(
    open,
    'P11 an answer in the background: one call, its id saved, looked for until it is there',
    async (world) => {
      world.provider.background.takes(1_000);
      const job = await world.submit({ background: true });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      const [upstream] = upstreamsOf(world, job);
      expect(upstream?.looksMs).toHaveLength(1);
      const ended = await world.read(job);
      expect(ended).toMatchObject({
        ...{ state: 'completed', result: resultOf(1), attempt: 1 },
        attempts: [{ n: 1, outcome: 'completed', calls: 1, providerRequestId: 'req-1', usage: { totalTokens: 5 } }],
      });
      expect(ended).not.toHaveProperty('upstream');
      expect(world.callsOf(job)).toHaveLength(1);
    },
  );
}

/** In virtual time alone. */
export function backgroundTimeScenarios(open: Open): void {
  scenario(
    open,
    'P11 an answer of half an hour: one call, and looks that are at most five minutes apart',
    async (world) => {
      world.provider.background.takes(30 * MINUTE_MS);
      const job = await world.submit({ background: true });
      expect(await world.deliver(job)).toEqual({ left: true });
      await toItsEnd(world, job);
      expect(await world.read(job)).toMatchObject({
        state: 'completed',
        result: resultOf(1),
        attempts: [{ calls: 1 }],
      });
      const [upstream, ...others] = upstreamsOf(world, job);
      expect(others).toEqual([]);
      const looks = [upstream?.startedMs ?? 0, ...(upstream?.looksMs ?? [])];
      const pauses = looks.slice(1).map((atMs, index) => atMs - (looks[index] ?? 0));
      expect(Math.max(...pauses)).toBeLessThanOrEqual(5 * MINUTE_MS);
      expect(pauses.slice(0, 6)).toEqual([2_000, 4_000, 8_000, 16_000, 32_001, 64_001]);
    },
  );
}

/** What the provider began for a job. */
function upstreamsOf(world: World, { questionId }: Job) {
  return world.provider.background.begun(questionId);
}

/** As time and sweeps go by, workers come back to the job until it is over. */
async function toItsEnd(world: World, job: Job): Promise<void> {
  for (let rounds = 0; rounds < 50; rounds++) {
    if ((await world.read(job)).wakeAt === null) return;
    await world.makeDue(job);
    await world.main.sweep();
    await world.deliverRung();
  }
  throw new Error('it does not end');
}
