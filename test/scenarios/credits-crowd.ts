/** B01 and I6 with many jobs at once, and everything that can happen to them. */
import { expect } from 'vitest';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { sleep } from '../../shared/core/ports.ts';
import { chance } from '../simulation/random.ts';
import { ADA } from '../support/core-world.ts';
import { NEED, ON, using } from './credits.ts';
import { callsRecorded } from './invariants.ts';
import { type Pushing, pushingTo } from './pushing.ts';
import { type Open, scenario, type World } from './world.ts';

const submitAll = (world: World, jobs: number) =>
  Promise.all(Array.from({ length: jobs }, () => world.submit({ emptyAccount: 'accept' })));

type Running = { isAll?: () => boolean; before?: (step: number, pushing: Pushing) => Promise<void> };

/** Pushes doorbells to some processes, and sweeps, until all jobs are over; `before` each step something may happen. */
async function runAll(world: World, { isAll = () => true, before = async () => {} }: Running = {}): Promise<void> {
  const pushing = pushingTo(world, 4, chance(5).next);
  for (let step = 1; step < 3_000; step++) {
    await before(step, pushing);
    pushing.push(50);
    await world.pass(world.isVirtual ? 500 : 50);
    if (step % 10 !== 0) continue;
    const left = (await world.jobs()).filter(({ state }) => !isTerminal(state));
    if (left.length === 0 && isAll()) return;
    // On the machine's clock nobody waits for the sweeper to ring what nobody claimed.
    for (const job of world.isVirtual ? [] : left.slice(0, 5)) await hurry(world, job);
    await world.main.sweep();
  }
  throw new Error('they did not end');
}

/** Nobody holds the job, and it is due; one that somebody changes meanwhile is left alone. */
async function hurry({ ground }: World, job: Job): Promise<void> {
  const found = await ground.get(job);
  if (!found || isTerminal(found.job.state) || found.job.leaseExpiresAt !== null) return;
  await ground.update(job, found.revision, { wakeAt: 1 });
}

/** On an account that has tokens for a few of them. */
export function creditCrowdScenarios(open: Open, crowd: number): void {
  scenario(
    open,
    'claims of one process take turns at an account: none gets in the way of another',
    async (world) => {
      await world.fund(20 * NEED);
      world.provider.answerWith(world.provider.held);
      const jobs = await submitAll(world, 20);
      const outcomes = jobs.map((job) => world.deliver(job));
      await world.eventually(() => world.provider.calls().length === jobs.length);
      expect(world.writes.filter(({ refused }) => refused !== undefined)).toEqual([]);
      expect((await world.account()).reserved.tokens).toBe(20 * NEED);
      for (const job of jobs) world.answerTo(job);
      for (const outcome of outcomes) expect(await world.until(outcome)).toEqual({ finished: 'completed' });
    },
    { ...ON, leaseMs: 60_000 },
  );

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
        await submitAll(world, crowd);
        await runAll(world);
        const ended = await world.jobs();
        expect(world.provider.calls()).toHaveLength(10);
        expect(ended.filter(({ state }) => state === 'completed')).toHaveLength(10);
        expect(ended.filter(({ error }) => error?.code === 'insufficient_credits')).toHaveLength(crowd - 10);
        const charged = { tokens: 10 * NEED, nanoUsd: 0 };
        expect(await world.account()).toMatchObject({ balance: 0, reserved: { tokens: 0, nanoUsd: 0 }, charged });
        expect(world.accountLooks()).toBeGreaterThanOrEqual(20);
      },
      // No worker of a machine that is busy with others is to be thought dead.
      { ...ON, ...limits, leaseMs: 60_000 },
    );

    scenario(
      open,
      `B01 ${crowd} submissions, ${name}, with deaths, duplicates, faults, cancels and deletes: I6 holds at every commit`,
      async (world) => {
        world.provider.answerWith(async function* ({ nth }) {
          await sleep(world.clock, (world.isVirtual ? 3_000 : 100) * nth);
          yield* using(NEED + 50);
        });
        const luck = chance(11);
        const jobs: Job[] = [];
        let kills = 0;
        const held = async () => (await world.jobs()).filter(({ leaseExpiresAt }) => leaseExpiresAt !== null);
        await runAll(world, {
          isAll: () => jobs.length >= crowd,
          async before(step, pushing) {
            const [instance] = pushing.instances();
            // As many as there are tokens for, and twice as many more.
            if (step % 8 === 1 && jobs.length < crowd) {
              await world.fund(5 * NEED);
              jobs.push(...(await submitAll(world, 15)));
            }
            if (step % 3 === 0) void instance?.run(luck.pick(jobs)).catch(() => {});
            if (step % 4 === 0) instance?.store.fail('update', luck.pick(['after', 'duplicate', 'before', 'slow']));
            // Mostly one that runs: of those that wait a cancel settles nothing.
            if (step % 7 === 0) {
              const { id } = luck.pick([...(await held()), luck.pick(jobs)]);
              await world.main.service.cancel(ADA, id).catch(() => {});
            }
            if (step % 9 === 0) await world.main.service.remove(ADA, luck.pick(jobs).id).catch(() => {});
            if (step % 5 !== 0 || kills >= 5) return;
            const [job] = await held();
            const victim = pushing.instances().findIndex(({ name: of }) => job?.holder?.startsWith(`${of}-`));
            if (victim < 0) return;
            kills += 1;
            pushing.kill(victim);
          },
        });
        const ended = await world.jobs();
        expect(kills).toBeGreaterThan(0);
        const settled = ended.filter((job) => job.settled);
        expect(settled.some(({ state }) => state === 'completed')).toBe(true);
        if (world.isVirtual) {
          expect(kills).toBe(5);
          expect(ended.reduce((sum, { losses = 0 }) => sum + losses, 0)).toBeGreaterThan(0);
          expect(new Set(settled.map(({ state }) => state))).toEqual(new Set(['completed', 'cancelled']));
          expect(ended.some(({ deletedAt }) => deletedAt !== undefined)).toBe(true);
          expect(ended.some(({ error }) => error?.code === 'insufficient_credits')).toBe(true);
          expect(settled.reduce((sum, job) => sum + callsRecorded(job), 0)).toBeGreaterThan(settled.length);
        }
        expect((await world.account()).reserved).toEqual({ tokens: 0, nanoUsd: 0 });
        expect(world.accountLooks()).toBeGreaterThanOrEqual(2 * settled.length);
      },
      { ...ON, ...limits },
    );
  }
}
