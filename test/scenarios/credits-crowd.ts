/** B01 and I6 with many jobs at once, and everything that can happen to them. */
import { expect } from 'vitest';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { sleep } from '../../shared/core/ports.ts';
import { chance } from '../simulation/random.ts';
import { ADA } from '../support/core-world.ts';
import { NEED, ON, using } from './credits.ts';
import { callsRecorded } from './invariants.ts';
import { pushingTo } from './pushing.ts';
import { type Open, scenario, type World } from './world.ts';

const submitAll = (world: World, jobs: number) =>
  Promise.all(Array.from({ length: jobs }, () => world.submit({ emptyAccount: 'accept' })));

/** Pushes doorbells, twice where `twice` says so, and sweeps, until all of these are over. */
async function runAll(
  world: World,
  jobs: readonly Job[],
  { processes = 4, harm = async (_: number, __: ReturnType<typeof pushingTo>) => {} } = {},
): Promise<void> {
  const pushing = pushingTo(world, processes, chance(5).next);
  for (let step = 1; step < 5_000; step++) {
    pushing.push(50);
    await harm(step, pushing);
    await world.pass(world.isVirtual ? 200 : 50);
    if (step % 10 === 0) {
      // On the machine's clock nobody waits for the sweeper to ring what nobody claimed.
      const waiting = world.isVirtual ? [] : (await world.jobs()).filter(({ state }) => state === 'pending');
      for (const { tenant, id } of waiting.slice(0, 5)) await world.poke({ tenant, id }, { wakeAt: 1 });
      await world.main.sweep();
    }
    if ((await world.jobs()).filter(({ state }) => isTerminal(state)).length === jobs.length) return;
  }
  throw new Error('they did not end');
}

/** On an account that has tokens for a few of them. */
export function creditCrowdScenarios(open: Open, crowd: number): void {
  const slots = { plain: {}, 'with MAX_RUNNING': { limits: new Map([['*', 3]]) } };
  for (const [name, limits] of Object.entries(slots)) {
    scenario(
      open,
      `B01 ${crowd} submissions at once, tokens for 10, ${name}: exactly 10 reach the provider`,
      async (world) => {
        await world.fund(10 * NEED);
        world.provider.answerWith(async function* ({ nth }) {
          await sleep(world.clock, 20 + nth);
          yield* using(NEED);
        });
        const jobs = await submitAll(world, crowd);
        await runAll(world, jobs);
        const ended = await world.jobs();
        expect(world.provider.calls()).toHaveLength(10);
        expect(ended.filter(({ state }) => state === 'completed')).toHaveLength(10);
        expect(ended.filter(({ error }) => error?.code === 'insufficient_credits')).toHaveLength(crowd - 10);
        const charged = { tokens: 10 * NEED, nanoUsd: 0 };
        expect(await world.account()).toMatchObject({ balance: 0, reserved: { tokens: 0, nanoUsd: 0 }, charged });
        expect(world.accountLooks()).toBeGreaterThanOrEqual(20);
      },
      { ...ON, ...limits },
    );

    scenario(
      open,
      `B01 ${crowd} submissions, ${name}, with deaths, duplicates, faults, cancels and deletes: I6 holds at every commit`,
      async (world) => {
        await world.fund(10 * NEED);
        world.provider.answerWith(async function* ({ nth }) {
          await sleep(world.clock, (world.isVirtual ? 300 : 30) * nth);
          yield* using(NEED + 50);
        });
        const luck = chance(11);
        const jobs = await submitAll(world, crowd);
        let kills = 0;
        const fired = new Map<string, number>();
        await runAll(world, jobs, {
          harm: async (step, pushing) => {
            const [instance] = pushing.instances();
            const job = luck.pick(jobs);
            // Duplicates, and more tokens now and then.
            if (step % 3 === 0) void instance?.run(job).catch(() => {});
            if (step % 11 === 0 && step < 60) await world.fund(NEED);
            if (step % 4 === 0) {
              const fault = luck.pick(['after', 'duplicate', 'before', 'slow'] as const);
              instance?.store.fail('update', fault);
              fired.set(fault, (fired.get(fault) ?? 0) + 1);
            }
            if (step % 7 === 0) await world.main.service.cancel(ADA, luck.pick(jobs).id).catch(() => {});
            if (step % 13 === 0) await world.main.service.remove(ADA, luck.pick(jobs).id).catch(() => {});
            const held = (await world.jobs()).filter(({ leaseExpiresAt }) => leaseExpiresAt !== null);
            const victim = pushing.instances().findIndex(({ name: of }) => held[0]?.holder?.startsWith(`${of}-`));
            if (step % 5 === 0 && kills < 6 && victim >= 0) {
              kills += 1;
              pushing.kill(victim);
            }
          },
        });
        const ended = await world.jobs();
        expect(kills).toBeGreaterThan(1);
        expect(ended.reduce((sum, { losses = 0 }) => sum + losses, 0)).toBeGreaterThan(0);
        expect(ended.some(({ settled, state }) => settled && state === 'completed')).toBe(true);
        expect(ended.some(({ error }) => error?.code === 'insufficient_credits')).toBe(true);
        expect(ended.reduce((sum, job) => sum + callsRecorded(job), 0)).toBeGreaterThan(3);
        expect((await world.account()).reserved).toEqual({ tokens: 0, nanoUsd: 0 });
      },
      { ...ON, ...limits },
    );
  }
}
