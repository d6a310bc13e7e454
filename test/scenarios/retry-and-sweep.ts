/** R01, R03, R05: retries whose doorbells are lost, workers that race the sweeper, jobs that lost too many workers. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import { deadDoorbellHandler, encodeDoorbell } from '../../shared/http/push.ts';
import { answer, type ProviderCall, resultOf } from './provider-double.ts';
import { heldBy } from './rescue.ts';
import { inCall, type Open, refusedWrites, scenario, type World } from './world.ts';

const IDLE = { rung: 0, ended: 0, postponed: 0, removed: 0 };

export function sweepScenarios(open: Open): void {
  scenario(
    open,
    'R01 a crash right after the job was handed back: the sweeper finds it when it is due, and it runs once',
    async (world) => {
      world.provider.answerWith(refusedFirst);
      const job = await world.submit();
      const victim = world.instance();
      victim.store.fail('update', 'crash-after', { skip: 1 });
      await inCall(world, job, victim);
      await world.eventually(async () => (await world.read(job)).stage === 'waiting');
      expect(victim.store.fired('crash-after')).toBe(1);
      expect(await world.read(job)).toMatchObject({ stage: 'waiting', leaseExpiresAt: null, refusals: 1 });
      expect(await world.main.sweep()).toEqual(IDLE);
      await oneMoreAttempt(world, job);
    },
  );

  scenario(
    open,
    'R01 a crash between a hand-back that is due at once and its doorbell: the sweeper rings',
    async (world) => {
      world.provider.answerWith((call) => (call.nth === 1 ? world.provider.held(call) : answer(call)));
      const job = await world.submit();
      const victim = world.instance();
      await inCall(world, job, victim);
      victim.queue.fail('publish', 'crash');
      void victim.worker.drain(0);
      await world.eventually(() => victim.queue.fired('crash') === 1);
      expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'released' }], leaseExpiresAt: null });
      await oneMoreAttempt(world, job);
    },
  );

  scenario(
    open,
    'R01 the doorbell of a retry is lost with its publish: it is rung again a minute later',
    async (world) => {
      world.provider.answerWith(refusedFirst);
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ handedBack: 'rate_limited' });
      const unlucky = world.instance();
      unlucky.queue.fail('publish', 'before');
      await world.makeDue(job);
      expect(await unlucky.sweep()).toEqual(IDLE);
      expect(unlucky.queue.fired('before')).toBe(1);
      expect(await world.main.sweep()).toEqual(IDLE);
      await oneMoreAttempt(world, job);
    },
  );

  scenario(
    open,
    'R03 a worker that finishes while the sweeper is about to take its job for lost: the end stands',
    async (world) => {
      const { job, late } = await stalledJob(world);
      world.main.store.before('update', async () => {
        world.answerTo(job);
        await world.eventually(async () => (await world.read(job)).state === 'completed');
      });
      expect(await world.main.sweep()).toEqual(IDLE);
      expect(refusedWrites(world, world.main)).toHaveLength(1);
      expect(await world.until(late.outcome)).toEqual({ finished: 'completed' });
      expect(world.published(job)).toBe(1);
      expect(await world.read(job)).toMatchObject({ result: resultOf(1), attempts: [{ outcome: 'completed' }] });
    },
  );

  scenario(
    open,
    'R03 a sweeper that takes a job for lost while its worker is about to finish: the paid answer is kept',
    async (world) => {
      const { job, late, worker } = await stalledJob(world);
      let swept = IDLE;
      worker.store.before('update', async () => {
        swept = await world.main.sweep();
      });
      world.answerTo(job);
      expect(await world.until(late.outcome)).toEqual({ finished: 'completed' });
      expect(swept).toEqual({ ...IDLE, rung: 1 });
      expect(refusedWrites(world, worker)).toHaveLength(1);
      expect(await world.deliver(job)).toEqual({ refused: 'done' });
      expect(world.callsOf(job)).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({ result: resultOf(1), attempts: [{ n: 1, outcome: 'completed' }] });
    },
  );

  for (const by of ['sweep', 'claim'] as const) {
    // DESIGN 4.8: no record of a dead letter; the job is the record.
    scenario(
      open,
      `R05 a job that lost its last worker, found by a ${by}: failed, not rung; its dead letter changes nothing`,
      async (world) => {
        const job = await world.submit();
        const found = await world.ground.get(job);
        const nowMs = found?.readAtMs ?? 0;
        const last = { n: LOSSES_MOST, startedAt: nowMs, provider: 'simulated', model: 'simulated', calls: 1 };
        await world.poke(job, {
          ...heldBy(nowMs, nowMs - LEASE_GRACE_MS - 1),
          ...{ losses: LOSSES_MOST - 1, attempt: LOSSES_MOST, attempts: [last] },
        });
        const letters: string[] = [];
        const bury = deadDoorbellHandler({ log: (_, event) => void letters.push(event) });
        expect(await bury(encodeDoorbell(job, 'm-1', 21))).toBe(true);
        if (by === 'sweep') expect(await world.main.sweep()).toEqual({ ...IDLE, ended: 1 });
        else expect(await world.deliver(job)).toEqual({ refused: 'overdue' });
        const ended = await world.ground.get(job);
        expect(ended?.job).toMatchObject({ state: 'failed', error: { code: 'crash_loop' }, losses: LOSSES_MOST });
        expect(await bury(encodeDoorbell(job, 'm-1', 21))).toBe(true);
        expect(letters).toEqual(['doorbell-dead', 'doorbell-dead']);
        expect((await world.ground.get(job))?.revision).toBe(ended?.revision);
        expect(world.published(job)).toBe(1);
        expect(await world.main.sweep()).toEqual(IDLE);
        expect(world.callsOf(job)).toHaveLength(0);
      },
    );
  }
}

/** A job whose worker stands still in its call, and which is due to be taken for lost. */
async function stalledJob(world: World) {
  world.provider.answerWith(world.provider.held);
  const job = await world.submit();
  const worker = world.instance();
  const late = await inCall(world, job, worker);
  worker.pause();
  await world.pass(world.leaseMs + LEASE_GRACE_MS + 1);
  return { job, worker, late };
}

/** The first call is refused for so long that nobody waits with the lease in hand. */
async function* refusedFirst(call: ProviderCall) {
  if (call.nth === 1) throw new ServiceError('rate_limited', 'refused by the test', { retryAfterMs: 120_000 });
  yield* answer(call);
}

/** The job is rung when its time has come, runs once more, and is over. */
async function oneMoreAttempt(world: World, job: Job): Promise<void> {
  const rung = world.published(job);
  await world.makeDue(job);
  expect(await world.main.sweep()).toEqual({ ...IDLE, rung: 1 });
  expect(world.published(job)).toBe(rung + 1);
  expect(await world.main.sweep()).toEqual(IDLE);
  expect(await world.deliver(job)).toEqual({ finished: 'completed' });
  expect(await world.deliver(job)).toEqual({ refused: 'done' });
  expect(world.callsOf(job)).toHaveLength(2);
  expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 2 });
}
