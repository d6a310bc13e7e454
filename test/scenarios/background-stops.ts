/** P11, C01: a job in the background is cancelled, deleted, out of time, or its worker is told to stop. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { CANCEL_GRACE_MS, UPSTREAM_GRACE_MS } from '../../shared/core/leases.ts';
import { ADA } from '../support/core-world.ts';
import {
  atProvider,
  begun,
  leftAlone,
  logged,
  MINUTE_MS,
  submitBackground,
  toItsEnd,
  upstreamsOf,
} from './background-jobs.ts';
import { type Open, scenario, type World } from './world.ts';

const USAGE = { inputTokens: 7, outputTokens: 9, totalTokens: 16 };

export function backgroundStopScenarios(open: Open): void {
  for (const isCounted of [true, false]) {
    const known = isCounted ? 'what was used is charged' : 'what was used is estimated';
    scenario(open, `P11 cancel of a job that nobody has: a worker has the provider stop, ${known}`, async (world) => {
      world.provider.background.takes(10 * MINUTE_MS);
      if (isCounted) world.provider.background.counts(USAGE);
      const job = await submitBackground(world, { model: 'gpt-4o' });
      await leftAlone(world, job);
      const rung = world.published(job);
      expect(await cancel(world, job)).toMatchObject({ state: 'processing', cancelRequestedAt: expect.any(Number) });
      expect(world.published(job)).toBe(rung + 1);
      expect(await world.deliver(job)).toEqual({ finished: 'cancelled' });
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1, looksMs: [], given: 0 }]);
      const [attempt, ...others] = (await world.read(job)).attempts;
      expect(others).toEqual([]);
      expect(attempt).toMatchObject({ outcome: 'cancelled', calls: 1, providerRequestId: 'req-1' });
      if (isCounted) expect(attempt?.usage).toEqual(USAGE);
      expect(attempt?.cost?.nanoUsd).toBeGreaterThan(0);
      expect(attempt?.cost?.isEstimated ?? false).toBe(!isCounted);
    });
  }

  scenario(open, 'P11 a cancel is repeated, and doorbells come twice: the provider is stopped once', async (world) => {
    world.provider.background.takes(10 * MINUTE_MS);
    const job = await submitBackground(world);
    await leftAlone(world, job);
    await cancel(world, job);
    await cancel(world, job);
    const outcomes = await world.until(Promise.all([world.main.run(job), world.instance().run(job)]));
    expect(outcomes).toContainEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
    expect(await world.deliver(job)).toEqual({ refused: 'done' });
  });

  scenario(open, 'P11 cancel while a worker waits for its next look: heard at once', async (world) => {
    world.provider.background.takes(10 * MINUTE_MS);
    const job = await submitBackground(world);
    const { outcome } = await begun(world, job, world.instance());
    await cancel(world, job);
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
  });

  scenario(open, 'P11 cancel while a worker looks: the look is broken off', async (world) => {
    const job = await submitBackground(world);
    const looking = atProvider(world, 'look');
    const outcome = world.instance().run(job);
    await world.eventually(looking.isThere);
    await cancel(world, job);
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1, given: 0 }]);
  });

  scenario(open, 'P11 cancel while the provider is asked: its answer is waited for, and stopped', async (world) => {
    const job = await submitBackground(world);
    const starting = atProvider(world, 'start');
    const outcome = world.instance().run(job);
    await world.eventually(starting.isThere);
    await cancel(world, job);
    starting.goOn();
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
    expect((await world.read(job)).attempts).toMatchObject([{ outcome: 'cancelled', calls: 1 }]);
  });

  scenario(open, 'P11 cancel just before the id is saved: the provider is stopped', async (world) => {
    const job = await submitBackground(world);
    const worker = world.instance({ deaf: true });
    worker.store.before('update', async () => {
      worker.store.before('update', () => cancel(world, job));
    });
    expect(await world.deliver(job, worker)).toEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
  });

  scenario(open, 'P11 delete of a job that nobody has: the provider is stopped, nothing is left', async (world) => {
    world.provider.background.takes(10 * MINUTE_MS);
    const job = await submitBackground(world);
    await leftAlone(world, job);
    await world.main.service.remove(ADA, job.id);
    expect(await world.deliver(job)).toEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
  });

  scenario(
    open,
    'P11 the time of the job ends while a worker waits for its next look: the provider is stopped',
    async (world) => {
      world.provider.background.takes(10 * MINUTE_MS);
      const job = await submitBackground(world, { limits: { timeoutMs: 4_000 } });
      expect(await world.deliver(job)).toEqual({ finished: 'failed' });
      expect(await world.read(job)).toMatchObject({
        error: { code: 'job_timeout' },
        attempts: [{ errorCode: 'job_timeout' }],
      });
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
    },
  );
}

/** In virtual time alone. */
export function backgroundStopTimeScenarios(open: Open): void {
  scenario(open, 'P11 the doorbell of a cancel is lost: the sweeper rings', async (world) => {
    const job = await leftFor(world, 10 * MINUTE_MS);
    world.main.queue.fail('publish', 'before');
    await cancel(world, job);
    expect(world.main.queue.fired()).toBe(1);
    await world.makeDue(job);
    expect(await world.main.sweep()).toMatchObject({ rung: 1 });
    expect(await world.deliverRung()).toContainEqual({ finished: 'cancelled' });
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1 }]);
  });

  scenario(
    open,
    'P11 no worker hears of a cancel: the job is over after its grace, at an estimated cost',
    async (world) => {
      const job = await leftFor(world, 10 * MINUTE_MS);
      await cancel(world, job);
      await world.pass(CANCEL_GRACE_MS);
      expect(await world.main.sweep()).toMatchObject({ ended: 1 });
      expect(await world.read(job)).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'lost' }] });
      expect(await world.deliver(job)).toEqual({ refused: 'done' });
    },
  );

  scenario(open, 'P11 a provider that does not stop: the job ends all the same, soon', async (world) => {
    const job = await leftFor(world, 10 * MINUTE_MS);
    world.provider.background.port.fail('cancel', 'before', { times: 100 });
    await cancel(world, job);
    const askedMs = world.clock.monotonicMs();
    expect(await world.deliver(job)).toEqual({ finished: 'cancelled' });
    expect(world.clock.monotonicMs() - askedMs).toBeLessThanOrEqual(5_000);
    expect(logged(world, 'upstream-not-cancelled')).toBeGreaterThan(5);
  });

  scenario(open, 'P11 the time of a job ends that nobody has: a worker has the provider stop', async (world) => {
    const job = await leftFor(world, 3 * MINUTE_MS, 2 * MINUTE_MS);
    const ended = await toItsEnd(world, job);
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'job_timeout' }, attempts: [{ outcome: 'failed' }] });
    expect((ended.completedAt ?? 0) - ended.createdAt).toBeLessThan(2 * MINUTE_MS + 1_000);
    expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 1, given: 0 }]);
  });

  scenario(
    open,
    'P11 the time of a job ends, and no worker comes: the sweeper ends it after a grace',
    async (world) => {
      const job = await leftFor(world, 3 * MINUTE_MS, 2 * MINUTE_MS);
      await world.pass(2 * MINUTE_MS + UPSTREAM_GRACE_MS / 2);
      expect(await world.main.sweep()).toMatchObject({ rung: 1, ended: 0 });
      await world.pass(UPSTREAM_GRACE_MS);
      expect(await world.main.sweep()).toMatchObject({ ended: 1 });
      expect(await world.read(job)).toMatchObject({ error: { code: 'job_timeout' }, attempts: [{ outcome: 'lost' }] });
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 0 }]);
    },
  );
}

/** A job that its provider works on for so long, left by its worker. */
async function leftFor(world: World, tookMs: number, timeoutMs?: number): Promise<Job> {
  world.provider.background.takes(tookMs);
  const job = await submitBackground(world, timeoutMs === undefined ? {} : { limits: { timeoutMs } });
  expect(await world.deliver(job)).toEqual({ left: true });
  return job;
}

async function cancel(world: World, job: Job): Promise<Job> {
  return (await world.main.service.cancel(ADA, job.id)).job;
}
