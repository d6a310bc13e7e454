/** C01–C04: a cancel at every moment of a job, repeated, unanswered, unheard; and the time to start, to the instant. */
import { expect } from 'vitest';
import { billingOf } from '../../shared/core/billing.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { ADA } from '../support/core-world.ts';
import { answer } from './provider-double.ts';
import { inCall, type Open, refusedWrites, scenario, type World } from './world.ts';

const START_WITHIN_MS = 1_000;

export function cancelScenarios(open: Open): void {
  scenario(open, 'C01 cancel of a pending job: over at once, and the provider is never called', async (world) => {
    const job = await world.submit();
    expect(await cancel(world, job)).toMatchObject({ state: 'cancelled', wakeAt: null });
    expect(await world.deliverRung()).toEqual([{ refused: 'done' }]);
    expect(world.callsOf(job)).toHaveLength(0);
    expect(billingOf(await world.read(job))).toBe('none');
  });

  scenario(
    open,
    'C01 cancel between the look and the write of a claim: the claim is refused, no call is made',
    async (world) => {
      const job = await world.submit();
      const worker = world.instance();
      worker.store.before('update', () => cancel(world, job));
      expect(await world.deliver(job, worker)).toEqual({ refused: 'done' });
      expect(refusedWrites(world, worker)).toHaveLength(1);
      expect(world.callsOf(job)).toHaveLength(0);
      expect(await world.read(job)).toMatchObject({ state: 'cancelled', attempt: 0 });
    },
  );

  for (const deaf of [false, true]) {
    const heard = deaf ? 'its listener broken, heard by the heartbeat' : 'heard at once';
    scenario(
      open,
      `C01 cancel of a job in its call (${heard}): the call is aborted, and the end is cancelled`,
      async (world) => {
        world.provider.answerWith(world.provider.held);
        const job = await world.submit();
        const { outcome } = await inCall(world, job, world.instance({ deaf }));
        const asked = world.clock.monotonicMs();
        expect(await cancel(world, job)).toMatchObject({ state: 'processing', cancelRequestedAt: expect.any(Number) });
        expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
        if (world.isVirtual) expect(world.clock.monotonicMs() - asked).toBe(deaf ? world.leaseMs / 3 : 0);
        expect(world.callsOf(job)[0]?.signal.aborted).toBe(true);
        const ended = await world.read(job);
        expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'cancelled', calls: 1 }] });
        expect(ended).not.toHaveProperty('result');
        expect(billingOf(ended)).toBe('possible');
      },
    );
  }

  scenario(open, 'C01 cancel of a job that waits for its next attempt: over at once', async (world) => {
    world.provider.answerWith(async function* () {
      yield await Promise.reject(new ServiceError('rate_limited', 'refused by the test', { retryAfterMs: 120_000 }));
    });
    const job = await world.submit();
    expect(await world.deliver(job)).toEqual({ handedBack: 'rate_limited' });
    expect(await cancel(world, job)).toMatchObject({ state: 'cancelled', wakeAt: null });
    expect(await world.deliver(job)).toEqual({ refused: 'done' });
    expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'failed' }] });
    expect(world.callsOf(job)).toHaveLength(1);
  });

  scenario(
    open,
    'C01 cancel that lands just before the finish: cancelled, and what was used is kept',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit();
      const worker = world.instance({ deaf: true });
      const { outcome } = await inCall(world, job, worker);
      worker.store.before('update', () => cancel(world, job));
      world.answerTo(job);
      expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
      expect(refusedWrites(world, worker)).toMatchObject([{ changes: { state: 'completed' } }]);
      const ended = await world.read(job);
      expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ usage: { totalTokens: 5 } }] });
      expect(ended).not.toHaveProperty('result');
      expect(billingOf(ended)).toBe('final');
    },
  );

  scenario(
    open,
    'C01 cancel that lands just after the finish: the result was there before, and stays',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit();
      const worker = world.instance({ deaf: true });
      const { outcome } = await inCall(world, job, worker);
      world.main.store.before('update', async () => {
        world.answerTo(job);
        await world.eventually(async () => (await world.read(job)).state === 'completed');
      });
      expect(await cancel(world, job)).toMatchObject({ state: 'completed' });
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(refusedWrites(world, world.main)).toHaveLength(1);
    },
  );

  // DESIGN 9: 200, unchanged.
  scenario(open, 'C01 cancel of a job that is over: it stays as it is', async (world) => {
    world.provider.answerWith(async function* (call) {
      if (call.prompt === 'fail') throw new ServiceError('auth', 'failed by the test');
      yield* answer(call);
    });
    const jobs = [await world.submit(), await world.submit({ input: { prompt: 'fail' } }), await world.submit()];
    for (const job of jobs.slice(0, 2)) await world.deliver(job);
    await cancel(world, jobs[2] as Job);
    for (const [index, state] of ['completed', 'failed', 'cancelled'].entries()) {
      const before = await world.ground.get(jobs[index] as Job);
      expect(before?.job.state).toBe(state);
      expect(await cancel(world, jobs[index] as Job)).toEqual(before?.job);
      expect((await world.ground.get(jobs[index] as Job))?.revision).toBe(before?.revision);
    }
  });

  scenario(open, 'C02 a cancel that was done but reported failed, a second one, and those of others', async (world) => {
    world.provider.answerWith(world.provider.held);
    const [pending, running] = [await world.submit(), await world.submit()];
    const { outcome } = await inCall(world, running, world.instance({ deaf: true }));
    world.main.store.fail('update', 'after', { times: 2 });
    expect(await cancel(world, pending)).toMatchObject({ state: 'cancelled' });
    expect(await cancel(world, running)).toMatchObject({ state: 'processing', cancelRequestedAt: expect.any(Number) });
    expect(world.main.store.fired('after')).toBe(2);
    expect(world.main.store.calls('update')).toBe(2);

    expect(await cancel(world, pending)).toMatchObject({ state: 'cancelled' });
    await cancel(world, running);
    expect(world.main.store.calls('update')).toBe(2);
    for (const who of [
      { ...ADA, tenant: 'other', scopes: ['admin' as const] },
      { ...ADA, user: 'bob' },
    ]) {
      await expect(world.main.service.cancel(who, running.id)).rejects.toMatchObject({ code: 'job_not_found' });
    }
    const nobodys = world.main.service.cancel(ADA, crypto.randomUUID());
    await expect(nobodys).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
  });

  scenario(
    open,
    'C03 a worker that never sees the cancel: the sweeper ends the job after the grace, and a late answer is refused',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit();
      const worker = world.instance();
      const { outcome } = await inCall(world, job, worker);
      worker.pause();
      await cancel(world, job);
      expect(await world.main.sweep()).toMatchObject({ ended: 0 });
      await world.makeDue(job);
      const { leaseExpiresAt } = await world.read(job);
      // Its lease is alive: what ends the job is the cancel's grace alone.
      expect(leaseExpiresAt).toBeGreaterThan(world.clock.nowMs());
      expect(await world.main.sweep()).toEqual({ rung: 0, ended: 1, postponed: 0, removed: 0 });
      const ended = await world.ground.get(job);
      expect(ended?.job).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'lost' }] });
      world.answerTo(job);
      await world.eventually(() => refusedWrites(world, worker).length === 1);
      worker.resume();
      expect(await world.until(outcome)).toEqual({ lost: true });
      expect((await world.ground.get(job))?.revision).toBe(ended?.revision);
    },
    { leaseMs: 60_000 },
  );

  scenario(
    open,
    'C04 the time to start passes while a delivery is under way, ended first: start_timeout, never called',
    async (world) => {
      const job = await world.submit({ limits: { startWithinMs: START_WITHIN_MS } });
      const worker = world.instance();
      let swept: unknown;
      worker.store.before('update', async () => {
        await world.pass(START_WITHIN_MS);
        swept = await world.main.sweep();
      });
      const delivered = worker.run(job);
      // The action before the write passes the time itself.
      await world.eventually(() => swept !== undefined);
      expect(await world.until(delivered)).toEqual({ refused: 'done' });
      expect(swept).toEqual({ rung: 0, ended: 1, postponed: 0, removed: 0 });
      expect(refusedWrites(world, worker)).toHaveLength(1);
      expect(world.callsOf(job)).toHaveLength(0);
      expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'start_timeout' }, attempts: [] });
    },
  );

  scenario(
    open,
    'C04 the time to start passes while a delivery is under way, claimed first: it runs, and nothing ends it',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit({ limits: { startWithinMs: START_WITHIN_MS } });
      const worker = world.instance();

      const sweeper = world.instance();
      const { outcome } = await inCall(world, job, worker);

      await world.pass(START_WITHIN_MS + 1);
      expect(await sweeper.sweep()).toEqual({ rung: 0, ended: 0, postponed: 0, removed: 0 });
      world.answerTo(job);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
    },
  );

  scenario(
    open,
    'C04 a delivery and a sweep that both come too late: one of them ends the job, nobody calls',
    async (world) => {
      const job = await world.submit({ limits: { startWithinMs: START_WITHIN_MS } });
      await world.pass(START_WITHIN_MS + 1);
      const sweeper = world.instance();
      let delivered: unknown;
      sweeper.store.before('update', async () => {
        delivered = await world.main.run(job);
      });
      expect(await sweeper.sweep()).toEqual({ rung: 0, ended: 0, postponed: 0, removed: 0 });
      expect(delivered).toEqual({ refused: 'overdue' });
      expect(refusedWrites(world, sweeper)).toHaveLength(1);
      expect(world.callsOf(job)).toHaveLength(0);
      expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'start_timeout' } });
    },
  );
}

async function cancel(world: World, { id }: Job): Promise<Job> {
  return (await world.main.service.cancel(ADA, id)).job;
}
