/** P11, P10: what an answer in the background costs, and who takes it, where something comes in between. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { ADA } from '../support/core-world.ts';
import { begun, leftAlone, MINUTE_MS, submitBackground, toItsEnd, upstreamsOf } from './background-jobs.ts';
import { answer, type ProviderCall, resultOf } from './provider-double.ts';
import { type Open, scenario } from './world.ts';

const PRICED = { model: 'gpt-4o' };

export function backgroundAnswerScenarios(open: Open): void {
  scenario(open, 'W07 a worker is told to end while it reads the answer: it ends the job first', async (world) => {
    let isRead = false;
    let goOn = () => {};
    world.provider.answerWith(async function* (call: ProviderCall) {
      isRead = true;
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      yield* answer(call);
    });
    const job = await submitBackground(world);
    const worker = world.instance();
    const outcome = worker.run(job);
    await world.eventually(() => isRead);
    await world.until(worker.worker.drain(0));
    goOn();
    expect(await world.until(outcome)).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({ result: resultOf(1), attempts: [{ outcome: 'completed' }] });
    expect(upstreamsOf(world, job)).toMatchObject([{ given: 1, cancels: 0 }]);
  });

  scenario(open, 'P11 a cancel while the answer is read: cancelled, and what it used is charged', async (world) => {
    let cancelled: Promise<unknown> | undefined;
    world.provider.answerWith(async function* (call: ProviderCall) {
      for await (const part of answer(call)) {
        yield part;
        if (part.type === 'usage') cancelled ??= world.main.service.cancel(ADA, job.id);
        if (part.type === 'usage') await cancelled;
      }
    });
    const job: Job = await submitBackground(world, PRICED);
    expect(await world.deliver(job)).toEqual({ finished: 'cancelled' });
    const [attempt] = (await world.read(job)).attempts;
    expect(attempt).toMatchObject({ outcome: 'cancelled', usage: { totalTokens: 5 } });
    expect(attempt?.cost).not.toHaveProperty('isEstimated');
  });

  scenario(open, 'P11 an answer that is there at once is taken at once: nothing is looked for', async (world) => {
    world.provider.background.answersAtOnce();
    const job = await submitBackground(world);
    const writes = world.writes.length;
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({
      result: resultOf(1),
      attempts: [{ calls: 1, providerRequestId: 'req-1', usage: { totalTokens: 5 } }],
    });
    expect(world.provider.background.port.calls('look')).toBe(0);
    // Its claim and its end.
    expect(world.writes.length - writes).toBe(2);
  });

  scenario(
    open,
    'P11 the id is saved unheard, and another worker goes on with it: it is not stopped by the first one',
    async (world) => {
      world.provider.background.takes(10 * MINUTE_MS);
      const job = await submitBackground(world);
      const zombie = world.instance();
      zombie.store.fail('update', 'after', { skip: 1 });
      const other = world.instance();
      let taken: Promise<unknown> = Promise.resolve();
      zombie.store.before('update', async () => {
        zombie.store.before('get', async () => {
          const { leaseExpiresAt } = await world.read(job);
          await world.poke(job, { leaseExpiresAt: (leaseExpiresAt ?? 0) - world.leaseMs });
          taken = (await begun(world, job, other)).outcome;
          await world.eventually(async () => (await world.read(job)).losses === 1);
        });
      });
      expect(await world.until(zombie.run(job))).toEqual({ lost: true });
      expect(zombie.store.fired('after')).toBe(1);
      expect(upstreamsOf(world, job)).toMatchObject([{ cancels: 0 }]);
      await world.until(other.worker.drain(0));
      await world.until(taken);
      world.provider.background.takes(0);
      expect(await toItsEnd(world, job)).toMatchObject({ state: 'completed', result: resultOf(1) });
      expect(upstreamsOf(world, job)).toHaveLength(1);
    },
  );

  scenario(open, 'P10 an answer that is forgotten counts as what it was likely to cost', async (world) => {
    const job = await submitBackground(world, PRICED);
    await leftAlone(world, job);
    world.provider.background.forget();
    const { attempts } = await toItsEnd(world, job);
    expect(attempts[0]).toMatchObject({ errorCode: 'provider_error' });
    expect(attempts[0]?.cost).toEqual({ nanoUsd: job.callEstimate?.nanoUsd, isEstimated: true });
  });

  scenario(open, 'P10 … and of a job that may cost so much, as all that it was allowed', async (world) => {
    const job = await submitBackground(world, { ...PRICED, nanoUsdMost: 5_000_000 });
    await leftAlone(world, job);
    world.provider.background.forget();
    const { attempts, spent } = await toItsEnd(world, job);
    expect(attempts[0]?.cost?.nanoUsd).toBeGreaterThan(4_500_000);
    expect(spent?.nanoUsd).toBeLessThanOrEqual(5_000_000);
  });

  scenario(open, 'P11 a worker without its job type ends the job: what is under way is paid', async (world) => {
    const job = await submitBackground(world, PRICED);
    await leftAlone(world, job);
    await world.poke(job, { jobType: 'not_installed', nextAttemptAt: 0 });
    expect(await world.deliver(job)).toEqual({ finished: 'failed' });
    expect((await world.read(job)).attempts).toMatchObject([
      { calls: 1, errorCode: 'internal_error', cost: { nanoUsd: job.callEstimate?.nanoUsd, isEstimated: true } },
    ]);
  });
}

/** In virtual time alone. */
export function backgroundUnheardScenarios(open: Open): void {
  scenario(open, 'P10 a start that is never answered may have begun something: it is counted', async (world) => {
    world.provider.background.port.before('start', () => new Promise(() => {}));
    const job = await submitBackground(world, PRICED);
    expect(await world.deliver(job)).toEqual({ handedBack: 'idle_timeout' });
    expect((await world.read(job)).attempts[0]?.cost).toEqual({
      nanoUsd: job.callEstimate?.nanoUsd,
      isEstimated: true,
    });
  });

  scenario(open, 'W07 a worker that is about to end does not stay for another look', async (world) => {
    world.provider.background.takes(10 * MINUTE_MS);
    const job = await submitBackground(world);
    const worker = world.instance();
    const { outcome } = await begun(world, job, worker);
    const drained = worker.worker.drain(MINUTE_MS);
    expect(await world.until(outcome)).toEqual({ left: true });
    await world.until(drained);
    expect(upstreamsOf(world, job)).toMatchObject([{ looksMs: [expect.any(Number)], cancels: 0 }]);
    // Rung by its submit, and when it was left.
    expect(world.published(job)).toBe(2);
  });

  scenario(open, 'P11 a cancel while a start is never answered: ten seconds are waited, no more', async (world) => {
    world.provider.background.port.before('start', () => new Promise(() => {}));
    const job = await submitBackground(world, PRICED);
    const outcome = world.main.run(job);
    await world.eventually(() => world.provider.background.port.calls('start') === 1);
    await world.main.service.cancel(ADA, job.id);
    const askedMs = world.clock.monotonicMs();
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    expect(world.clock.monotonicMs() - askedMs).toBeLessThanOrEqual(10_100);
    const { nanoUsd } = job.callEstimate ?? {};
    expect((await world.read(job)).attempts).toMatchObject([{ calls: 1, cost: { nanoUsd, isEstimated: true } }]);
  });

  scenario(open, 'P10 a provider that says nonsense of what it used when it is stopped: estimated', async (world) => {
    world.provider.background.takes(10 * MINUTE_MS);
    world.provider.background.counts({ inputTokens: 1.5, outputTokens: -1, totalTokens: 0 });
    const job = await submitBackground(world, PRICED);
    const { outcome } = await begun(world, job, world.instance());
    await world.main.service.cancel(ADA, job.id);
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    const [attempt] = (await world.read(job)).attempts;
    expect(attempt).not.toHaveProperty('usage');
    expect(attempt?.cost).toEqual({ nanoUsd: job.callEstimate?.nanoUsd, isEstimated: true });
  });
}
