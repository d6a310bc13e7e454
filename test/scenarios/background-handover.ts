/** P11, W07: workers hand jobs in the background on: those that are told to end, and those that lose their lease. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { atProvider, begun, logged, MINUTE_MS, submitBackground, toItsEnd, upstreamsOf } from './background-jobs.ts';
import type { Instance } from './instance.ts';
import { resultOf } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

export function backgroundHandoverScenarios(open: Open): void {
  scenario(
    open,
    'W07 a worker is told to end while the provider is asked: the id is saved, another worker goes on',
    async (world) => {
      const job = await submitBackground(world);
      const worker = world.instance();
      const starting = atProvider(world, 'start');
      const outcome = worker.run(job);
      await world.eventually(starting.isThere);
      const drained = worker.worker.drain(0);
      starting.goOn();
      await world.until(drained);
      expect(await world.until(outcome)).toEqual({ left: true });
      await goesOnElsewhere(world, job);
    },
  );

  scenario(open, 'W07 a worker is told to end while it looks: another worker goes on', async (world) => {
    const job = await submitBackground(world);
    const worker = world.instance();
    const looking = atProvider(world, 'look');
    const outcome = worker.run(job);
    await world.eventually(looking.isThere);
    await world.until(worker.worker.drain(0));
    expect(await world.until(outcome)).toEqual({ left: true });
    await goesOnElsewhere(world, job);
  });

  scenario(
    open,
    'P11 a worker loses its lease while the provider is asked: it has its orphan stopped, the other goes on',
    async (world) => {
      const { job, outcome } = await takenOver(world, 'start');
      expect(await world.until(outcome)).toEqual({ lost: true });
      expect(upstreamsOf(world, job)).toMatchObject([
        { given: 1, cancels: 0 },
        { given: 0, cancels: 1 },
      ]);
    },
  );

  scenario(
    open,
    'P11 a worker loses its lease as it looks: it lets the other go on with the same answer',
    async (world) => {
      const { job, outcome } = await takenOver(world, 'look');
      expect(await world.until(outcome)).toEqual({ lost: true });
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 0 }]);
      expect(await world.read(job)).toMatchObject({ result: resultOf(1), attempt: 1, losses: 1 });
    },
  );

  scenario(
    open,
    'P11 a worker that stalled between two looks finds its lease lost: it leaves the answer to the other',
    async (world) => {
      world.provider.background.takes(10 * MINUTE_MS);
      const job = await submitBackground(world);
      const zombie = world.instance();
      const { outcome } = await begun(world, job, zombie);
      zombie.pause();
      await world.makeDue(job);
      await world.main.sweep();
      const other = world.instance();
      const taken = other.run(job);
      await world.eventually(async () => (await world.read(job)).losses === 1);
      zombie.resume();
      expect(await world.until(outcome)).toEqual({ lost: true });
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 0 }]);
      await world.until(other.worker.drain(0));
      await world.until(taken);
    },
  );

  scenario(
    open,
    'P11 a worker that knows its lease lost before the provider answers has its orphan stopped',
    async (world) => {
      const job = await submitBackground(world);
      const zombie = world.instance();
      const starting = atProvider(world, 'start');
      const outcome = zombie.run(job);
      await world.eventually(starting.isThere);
      zombie.pause();
      await world.makeDue(job);
      zombie.resume();
      await world.eventually(() => logged(world, 'lease-lost') > 0);
      starting.goOn();
      expect(await world.until(outcome)).toEqual({ lost: true });
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1, given: 0 }]);
      expect(await toItsEnd(world, job)).toMatchObject({ state: 'completed', losses: 1 });
    },
  );
}

/** In virtual time alone. */
export function backgroundSlotScenarios(open: Open): void {
  const one = new Map([['*', 1]]);
  scenario(
    open,
    'P11 a job that nobody has keeps its slot; one whose slot has expired goes on all the same',
    async (world) => {
      world.provider.background.takes(20 * MINUTE_MS);
      const job = await submitBackground(world);
      expect(await world.deliver(job)).toEqual({ left: true });
      const next = await world.submit();
      expect(await world.deliver(next)).toEqual({ refused: 'parked' });
      // Nobody comes for longer than a slot is kept.
      await world.pass(16 * MINUTE_MS);
      expect(await world.deliver(next)).toEqual({ finished: 'completed' });
      expect(await world.deliver(job)).toEqual({ left: true });
      expect((await world.read(job)).slotUntil).toBeGreaterThan(world.clock.nowMs());
      expect(await toItsEnd(world, job)).toMatchObject({ state: 'completed', attempt: 1 });
      expect(await world.ground.slots('default')).toMatchObject({ running: {} });
    },
    { limits: one },
  );
}

/** A worker is at its provider for longer than its lease; another one ends the job, and then the first comes back. */
async function takenOver(world: World, at: Parameters<typeof atProvider>[1]) {
  const job = await submitBackground(world);
  const zombie = world.instance();
  const call = atProvider(world, at);
  const outcome = zombie.run(job);
  await world.eventually(call.isThere);
  zombie.pause();
  await world.makeDue(job);
  await world.main.sweep();
  expect(await world.deliver(job)).toEqual({ finished: 'completed' });
  zombie.resume();
  call.goOn();
  return { job, outcome };
}

async function goesOnElsewhere(world: World, job: Job, by: Instance = world.instance()): Promise<void> {
  expect(await world.read(job)).toMatchObject({
    upstream: { id: expect.any(String) },
    leaseExpiresAt: null,
    attempt: 1,
  });
  expect(await world.deliverRung(by)).toContainEqual({ finished: 'completed' });
  expect(upstreamsOf(world, job)).toMatchObject([{ given: 1, cancels: 0 }]);
  expect((await world.read(job)).attempts).toMatchObject([{ calls: 1, outcome: 'completed' }]);
}
