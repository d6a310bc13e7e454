/** W02, W03, W09, W11: workers that stall beyond their lease and come back. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { answer, resultOf } from './provider-double.ts';
import { inCall, type Open, refusedWrites, scenario, type World } from './world.ts';

export function zombieScenarios(open: Open): void {
  for (const clockStood of [false, true]) {
    const how = clockStood ? ', its clock with it' : '';

    scenario(
      open,
      `W02 a zombie (its process stood still${how}) brings its answer after attempt 2 finished: refused, nothing changes`,
      async (world) => {
        const { job, zombie, outcome } = await stalled(world);
        const heir = await inCall(world, job, world.main);
        world.answerTo(job, 2);
        expect(await world.until(heir.outcome)).toEqual({ finished: 'completed' });
        const ended = await world.ground.get(job);

        if (clockStood) zombie.resume({ clockStood });
        world.answerTo(job, 1);
        expect(await world.until(outcome)).toEqual({ lost: true });
        expect(refusedWrites(world, zombie)).toMatchObject([{ refused: 'changed', changes: { state: 'completed' } }]);
        if (!clockStood) zombie.resume();
        await world.pass(world.leaseMs / 2);
        expect(await world.ground.get(job)).toMatchObject({ job: ended?.job, revision: ended?.revision });
        expect(ended?.job).toMatchObject({
          result: resultOf(2),
          attempts: [
            { n: 1, outcome: 'lost' },
            { n: 2, outcome: 'completed' },
          ],
        });
        expect(ended?.job.attempts[0]).not.toHaveProperty('usage');
        expect(world.lines.filter((line) => line.includes('"write-refused"'))).toHaveLength(1);
      },
    );

    scenario(
      open,
      `W03 a zombie (its process stood still${how}) brings its answer while attempt 2 runs: refused, attempt 2 goes on`,
      async (world) => {
        const { job, zombie, outcome } = await stalled(world);
        const heir = await inCall(world, job, world.main);
        const running = await world.read(job);
        if (clockStood) zombie.resume({ clockStood });
        world.answerTo(job, 1);
        expect(await world.until(within(world, outcome))).toEqual({ lost: true });
        expect(refusedWrites(world, zombie)).toMatchObject([{ refused: 'changed', changes: { state: 'completed' } }]);
        // A heartbeat of attempt 2 may have come meanwhile.
        const { leaseExpiresAt: _, wakeAt: __, sequence: ___, ...same } = running;
        expect(await world.read(job)).toMatchObject(same);
        expect(await world.read(job)).not.toHaveProperty('result');
        world.answerTo(job, 2);
        expect(await world.until(heir.outcome)).toEqual({ finished: 'completed' });
        expect(await world.read(job)).toMatchObject({ result: resultOf(2), attempt: 2 });
      },
    );
  }

  // A loop that is really blocked would block the test, too: what it does is that no timer fires.
  scenario(
    open,
    'W09 an event loop blocked beyond the lease: the worker stops itself, and writes nothing',
    async (world) => {
      const { job, zombie, outcome } = await stalled(world);
      const before = await world.ground.get(job);
      const writes = world.writes.length;
      zombie.resume();
      await world.eventually(() => world.callsOf(job)[0]?.signal.aborted ?? false);
      expect(await world.until(within(world, outcome))).toEqual({ lost: true });
      world.answerTo(job, 1);
      await world.pass(world.leaseMs / 2);
      expect(world.writes).toHaveLength(writes);
      expect((await world.ground.get(job))?.revision).toBe(before?.revision);

      world.provider.answerWith(answer);
      expect(await world.deliverRung()).toContainEqual({ finished: 'completed' });
      expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'lost' }, { outcome: 'completed' }] });
    },
  );

  scenario(open, 'W11 a lease that ended is not renewed, though nobody took over', async (world) => {
    world.provider.answerWith(world.provider.held);
    const job = await world.submit();
    const late = world.instance();
    const { outcome } = await inCall(world, job, late);
    late.pause();
    const { leaseMs } = world;
    await world.pass(leaseMs + LEASE_GRACE_MS);
    const ended = await world.ground.get(job);
    const { readAtMs: nowMs = 0, storedAtMs = 0 } = ended ?? {};
    const renew = { type: 'renew', nowMs, storedAtMs, leaseMs, token: ended?.job.token ?? '' } as const;
    expect(transition(ended?.job as Job, renew)).toEqual({ refused: 'lease-ended' });
    late.resume();
    expect(await world.until(within(world, outcome))).toEqual({ lost: true });
    expect(world.lines.join()).toContain('lease-lost');
    expect((await world.ground.get(job))?.revision).toBe(ended?.revision);
    world.answerTo(job, 2);
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
  });

  scenario(
    open,
    'W11 a worker whose clock stood still thinks that its lease is alive: what it renews gives it no time',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit();
      const frozen = world.instance();
      const { outcome } = await inCall(world, job, frozen);
      frozen.pause();
      await world.pass(world.leaseMs + LEASE_GRACE_MS);
      frozen.resume({ clockStood: true });
      await world.pass(world.leaseMs / 2);
      expect(world.writes.filter(({ by }) => by === frozen.name).length).toBeGreaterThanOrEqual(2);
      expect(await within(world, outcome)).toEqual({ lost: true });
      expect(world.callsOf(job)[0]?.signal.aborted).toBe(true);
      const found = await world.ground.get(job);
      expect(found?.job.leaseExpiresAt).toBeLessThanOrEqual(found?.readAtMs ?? 0);
      world.answerTo(job, 2);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'lost' }, { outcome: 'completed' }] });
    },
  );
}

/** A job whose holder stands still in its call until lease and grace are over, and whose doorbell was rung again. */
async function stalled(world: World) {
  world.provider.answerWith(world.provider.held);
  const job = await world.submit();
  await world.deliverRung(await drained(world));
  const zombie = world.instance();
  const { outcome } = await inCall(world, job, zombie);
  zombie.pause();
  await world.pass(world.leaseMs + LEASE_GRACE_MS + 1);
  expect(await world.main.sweep()).toMatchObject({ rung: 1 });
  return { job, zombie, outcome };
}

/** An instance that takes nothing: it uses up the doorbells so far. */
async function drained(world: World) {
  const instance = world.instance();
  await instance.worker.drain(0);
  return instance;
}

/** A promise that needs no time: what it waits for has happened. */
async function within<T>(world: World, promise: Promise<T>): Promise<T> {
  let settled = false;
  void promise.finally(() => {
    settled = true;
  });
  await world.eventually(() => settled);
  return promise;
}
