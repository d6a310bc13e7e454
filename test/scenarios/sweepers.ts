/** R02: sweepers that meet, die half-way or are misinformed, and backlogs. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { type Open, refusedWrites, scenario, type World } from './world.ts';

const IDLE = { rung: 0, ended: 0, postponed: 0, removed: 0 };

export function sweeperScenarios(open: Open): void {
  scenario(open, 'R02 two sweepers at once: each job is rung once', async (world) => {
    const jobs = await dueJobs(world, 30);
    const [left, right] = [world.instance(), world.instance()];
    const swept = await Promise.all([left.sweep(), right.sweep()]);
    expect(swept.reduce((sum, { rung }) => sum + rung, 0)).toBe(30);
    expect(jobs.map((job) => world.published(job))).toEqual(jobs.map(() => 2));
    // They did meet: some writes were refused.
    if (world.isVirtual) expect(refusedWrites(world, left).length + refusedWrites(world, right).length).toBe(30);
  });

  scenario(
    open,
    'R02 a sweeper that dies half-way: the next ones ring what it did not, and each job runs once',
    async (world) => {
      const jobs = await dueJobs(world, 30);
      const dying = world.instance();
      dying.store.fail('update', 'crash', { skip: 10 });
      void dying.sweep();
      await world.eventually(() => dying.store.fired('crash') === 1);
      const first = await world.main.sweep();
      // What it wrote, but did not ring, is due again a minute later.
      for (const job of jobs) await world.makeDue(job);
      await world.main.sweep();
      expect(first.rung).toBeGreaterThanOrEqual(1);
      for (const job of jobs) {
        expect(world.published(job) - 1).toBeGreaterThanOrEqual(1);
        expect(world.published(job) - 1).toBeLessThanOrEqual(3);
      }
      await world.deliverRung();
      expect((await world.jobs()).map(({ state }) => state)).toEqual(jobs.map(() => 'completed'));
      expect(world.provider.calls()).toHaveLength(30);
    },
  );

  scenario(
    open,
    'R02 a sweeper whose writes were done but reported failed: it rings all the same, each job once',
    async (world) => {
      const jobs = await dueJobs(world, 30);
      world.main.store.fail('update', 'after', { times: 5 });
      const { rung } = await world.main.sweep();
      expect(world.main.store.fired('after')).toBe(5);
      expect(rung).toBe(25);
      expect(await world.main.sweep()).toEqual(IDLE);
      expect(jobs.map((job) => world.published(job))).toEqual(jobs.map(() => 2));
    },
  );

  scenario(open, 'R02 many due jobs are paged', async (world) => {
    await dueJobs(world, 230);
    expect(await world.main.sweep()).toEqual({ ...IDLE, rung: 230 });
    expect(world.main.store.calls('due')).toBe(3);
    expect(await world.main.sweep()).toEqual(IDLE);
    expect(world.main.store.calls('due')).toBe(4);
  });
}

/** A backlog of ten thousand, whose times only virtual time can bring. */
export function backlogScenarios(open: Open): void {
  scenario(
    open,
    'R02 ten thousand pending jobs that nobody claims: 2,000 a sweep, each rung at most four times in ten minutes',
    async (world) => {
      const JOBS = 10_000;
      for (let made = 0; made < JOBS; made += 500) await Promise.all(Array.from({ length: 500 }, () => world.submit()));
      const submitted = world.doorbells.length;
      expect(submitted).toBe(JOBS);
      for (let minute = 0; minute < 10; minute++) {
        await world.pass(60_000);
        const queries = world.main.store.calls('due');
        const writes = world.main.store.calls('update');
        expect((await world.main.sweep()).rung).toBeLessThanOrEqual(2_000);
        expect(world.main.store.calls('due') - queries).toBeLessThanOrEqual(20);
        expect(world.main.store.calls('update') - writes).toBeLessThanOrEqual(2_000);
      }
      const rings = new Map<string, number>();
      for (const { id } of world.doorbells.slice(submitted)) rings.set(id, (rings.get(id) ?? 0) + 1);
      // All had their turn, and none more often than rings that come later and later allow.
      expect(rings.size).toBe(JOBS);
      expect(Math.max(...rings.values())).toBeLessThanOrEqual(4);
      expect(world.doorbells.length - submitted).toBeLessThanOrEqual(2 * JOBS);
    },
  );

  scenario(
    open,
    'R02 a thousand pending jobs that nobody claims: not rung by each sweep, but four times in ten minutes',
    async (world) => {
      const JOBS = 1_000;
      await Promise.all(Array.from({ length: JOBS }, () => world.submit()));
      const rung: number[] = [];
      for (let minute = 1; minute <= 10; minute++) {
        await world.pass(60_000);
        if ((await world.main.sweep()).rung === JOBS) rung.push(minute);
      }
      expect(rung).toEqual([1, 2, 4, 8]);
      expect(world.doorbells.length).toBe(5 * JOBS);
    },
  );
}

/** Jobs whose first doorbells came to nothing, and which are due. */
async function dueJobs(world: World, count: number): Promise<Job[]> {
  const jobs = await Promise.all(Array.from({ length: count }, () => world.submit()));
  if (world.isVirtual) for (const job of jobs) await world.makeDue(job);
  else await Promise.all(jobs.map(world.makeDue));
  return jobs;
}
