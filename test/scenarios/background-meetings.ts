/** P11, Q04, B05, I6: jobs in the background meet what else there is: shared answers, slots, accounts, experiments. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { ADA } from '../support/core-world.ts';
import { MINUTE_MS, submitBackground, toItsEnd } from './background-jobs.ts';
import { answer, resultOf } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const HALF_AN_HOUR_MS = 30 * MINUTE_MS;
const EQUAL = { input: { prompt: 'equal' }, cacheMs: 60 * MINUTE_MS };
const LIMITS = { attemptTimeoutMs: 540_000, idleTimeoutMs: 240_000, startWithinMs: 86_400_000 };

/** In virtual time alone. */
export function backgroundMeetingScenarios(open: Open): void {
  scenario(
    open,
    'Q04 half an hour in the background: equal jobs wait aside for it, and are rung by its end',
    async (world) => {
      world.provider.background.takes(HALF_AN_HOUR_MS);
      const leader = await submitBackground(world, EQUAL);
      expect(await world.deliver(leader)).toEqual({ left: true });
      const followers = [await submitBackground(world, EQUAL), await submitBackground(world, EQUAL)];
      for (const follower of followers) expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
      const before = world.writes.length;
      const led = await untilOver(world, leader);
      await world.deliverRung();
      for (const follower of followers) {
        const ended = await world.read(follower);
        expect(ended).toMatchObject({ state: 'completed', result: resultOf(1), answerOf: { id: leader.id } });
        expect((ended.completedAt ?? 0) - (led.completedAt ?? 0)).toBeLessThan(1_000);
        // Rung after 1, 2, 4, 8 and 15 minutes, and answered.
        const many = world.writes.slice(before).filter(({ id }) => id === follower.id).length;
        expect(many).toBeLessThanOrEqual(6);
      }
      expect(world.provider.calls('equal')).toHaveLength(1);
    },
  );

  scenario(
    open,
    'Q04 half an hour in the background: an equal job that did not ask for that makes a call of its own',
    async (world) => {
      world.provider.background.takes(HALF_AN_HOUR_MS);
      expect(await world.deliver(await submitBackground(world, EQUAL))).toEqual({ left: true });
      const other = await world.submit(EQUAL);
      expect(await world.deliver(other)).toEqual({ finished: 'completed' });
      expect(await world.read(other)).toMatchObject({ state: 'completed', result: resultOf(2) });
      expect(await world.read(other)).not.toHaveProperty('answerOf');
    },
  );

  scenario(
    open,
    'Q04 a leader that fails in the background: the next one of those who wait asks for itself',
    async (world) => {
      world.provider.background.takes(10 * MINUTE_MS);
      world.provider.answerWith(async function* (call) {
        if (call.nth === 1) throw new ServiceError('content_policy', 'failed by the test');
        yield* answer(call);
      });
      const leader = await submitBackground(world, EQUAL);
      expect(await world.deliver(leader)).toEqual({ left: true });
      const follower = await submitBackground(world, EQUAL);
      expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
      expect(await untilOver(world, leader)).toMatchObject({ state: 'failed' });
      expect(await world.deliverRung()).toContainEqual({ left: true });
      expect(await toItsEnd(world, follower)).toMatchObject({ state: 'completed', result: resultOf(2), attempt: 1 });
    },
  );

  scenario(
    open,
    'I6 half an hour in the background: one hold until its end, settled by what was used',
    async (world) => {
      await world.fund(10_000);
      world.provider.background.takes(HALF_AN_HOUR_MS);
      const job = await submitBackground(world, { model: 'gpt-4o' });
      expect(await world.deliver(job)).toEqual({ left: true });
      const { reserved } = await world.account();
      expect(reserved.tokens).toBeGreaterThan(0);
      await world.pass(HALF_AN_HOUR_MS / 2);
      await world.main.sweep();
      await world.deliverRung();
      expect((await world.account()).reserved).toEqual(reserved);
      const ended = await toItsEnd(world, job);
      expect(ended.settled).toMatchObject({ charged: { tokens: 5 } });
      expect((await world.account()).reserved.tokens).toBe(0);
    },
    { credits: 'estimate' },
  );

  scenario(
    open,
    'B05 half an hour in the background: it has its slot all the time, and gives it back',
    async (world) => {
      world.provider.background.takes(HALF_AN_HOUR_MS);
      const job = await submitBackground(world);
      expect(await world.deliver(job)).toEqual({ left: true });
      const next = await world.submit();
      expect(await world.deliver(next)).toEqual({ refused: 'parked' });
      const ended = await untilOver(world, job, async () => {
        expect((await world.ground.slots('default')).running).toHaveProperty(job.id);
        expect(world.callsOf(next)).toEqual([]);
      });
      expect(ended).toMatchObject({ state: 'completed', attempt: 1 });
      await world.deliverRung();
      expect(await world.read(next)).toMatchObject({ state: 'completed' });
    },
    { limits: new Map([['*', 1]]) },
  );

  scenario(
    open,
    'P08 a route that fails in the background is left for the fallback, which is asked in the background',
    async (world) => {
      world.provider.background.takes(2 * MINUTE_MS);
      world.provider.answerWith(async function* (call) {
        if (call.request.model === 'simulated') throw new ServiceError('overloaded', 'failed by the test');
        yield* answer(call);
      });
      const job = await submitBackground(world, {
        fallbacks: ['simulated-2'],
        limits: { ...LIMITS, timeoutMs: 3_600_000 },
      });
      expect(await world.deliver(job)).toEqual({ left: true });
      const ended = await toItsEnd(world, job);
      expect(ended).toMatchObject({ state: 'completed', route: 1 });
      expect(ended.attempts.map(({ model, calls }) => [model, calls])).toEqual([
        ['simulated', 1],
        ['simulated', 1],
        ['simulated-2', 1],
      ]);
    },
  );

  scenario(
    open,
    'A job of an experiment that is cancelled in the background is redriven there, in its arm',
    async (world) => {
      world.provider.background.takes(HALF_AN_HOUR_MS);
      const job = await submitBackground(world);
      await world.poke(job, { arm: 'exp/b' });
      expect(await world.deliver(job)).toEqual({ left: true });
      await world.main.service.cancel(ADA, job.id);
      expect(await world.deliver(job)).toEqual({ finished: 'cancelled' });
      const { job: anew } = await world.main.service.redrive(ADA, job.id);
      expect(anew).toMatchObject({ arm: 'exp/b', background: true });
      expect(anew).not.toHaveProperty('upstream');
      expect(await world.deliver(anew)).toEqual({ left: true });
      expect(await toItsEnd(world, anew)).toMatchObject({ state: 'completed', attempt: 1 });
    },
  );
}

/** A sweep each minute, until the job is over; doorbells that come with its end are not answered. */
async function untilOver(world: World, job: Job, eachMinute: () => Promise<void> = async () => {}): Promise<Job> {
  for (let minutes = 0; minutes < 60; minutes++) {
    await eachMinute();
    await world.pass(MINUTE_MS);
    await world.main.sweep();
    await world.deliverRung();
    const seen = await world.read(job);
    if (seen.wakeAt === null) return seen;
  }
  throw new Error('it does not end');
}
