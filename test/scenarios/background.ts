/** P11: answers that a provider works on by itself, and what can go wrong with them and with the looks for them. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { ADA } from '../support/core-world.ts';
import { leftAlone, logged, MINUTE_MS, submitBackground, toItsEnd, upstreamsOf } from './background-jobs.ts';
import { answer, type ProviderCall, resultOf } from './provider-double.ts';
import { type Open, scenario } from './world.ts';

export function backgroundScenarios(open: Open): void {
  scenario(
    open,
    'P11 an answer in the background: one call, its id saved, looked for until it is there',
    async (world) => {
      world.provider.background.takes(1_000);
      const job = await submitBackground(world);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      const ended = await world.read(job);
      expect(ended).toMatchObject({
        ...{ state: 'completed', result: resultOf(1), attempt: 1 },
        attempts: [{ n: 1, outcome: 'completed', calls: 1, providerRequestId: 'req-1', usage: { totalTokens: 5 } }],
      });
      expect(ended).not.toHaveProperty('upstream');
      expect(world.callsOf(job)).toHaveLength(1);
      expect(upstreamsOf(world, job)).toMatchObject([{ looksMs: [expect.any(Number)], given: 1, cancels: 0 }]);
    },
  );

  scenario(open, 'P11 a job that nobody has: whoever is rung looks for the same answer', async (world) => {
    const job = await submitBackground(world);
    await leftAlone(world, job);
    const alone = await world.read(job);
    expect(alone).toMatchObject({ state: 'processing', stage: 'calling_llm', leaseExpiresAt: null, attempt: 1 });
    expect(alone).not.toHaveProperty('holder');
    expect(await world.deliver(job)).toEqual({ refused: 'not-due' });
    const ended = await toItsEnd(world, job);
    expect(ended).toMatchObject({ state: 'completed', result: resultOf(1), attempts: [{ calls: 1 }] });
    expect(ended).not.toHaveProperty('losses');
    expect(upstreamsOf(world, job)).toHaveLength(1);
  });

  scenario(open, 'P11 an answer that failed: a new attempt, as after any failure', async (world) => {
    world.provider.answerWith(failingFirst(new ServiceError('overloaded', 'failed by the test')));
    const job = await submitBackground(world);
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({
      attempts: [
        { outcome: 'failed', errorCode: 'overloaded', calls: 1, providerRequestId: 'req-1' },
        { outcome: 'completed', calls: 1, providerRequestId: 'req-2' },
      ],
    });
    expect(upstreamsOf(world, job)).toMatchObject([{ given: 1 }, { given: 1 }]);
  });

  scenario(
    open,
    'P11 an answer that can never come: the job fails at once, and is redriven in the background',
    async (world) => {
      world.provider.answerWith(failingFirst(new ServiceError('content_policy', 'failed by the test')));
      const job = await submitBackground(world);
      expect(await world.deliver(job)).toEqual({ finished: 'failed' });
      const failed = await world.read(job);
      expect(failed).toMatchObject({ error: { code: 'content_policy' } });
      expect(failed).not.toHaveProperty('upstream');
      const { job: anew } = await world.main.service.redrive(ADA, job.id);
      expect(await world.deliver(anew)).toEqual({ finished: 'completed' });
      expect(await world.read(anew)).toMatchObject({ background: true, attempts: [{ calls: 1 }] });
      expect(upstreamsOf(world, job)).toHaveLength(2);
    },
  );

  scenario(
    open,
    'P11 an answer that the provider does not know any more: provider_error, and a new attempt',
    async (world) => {
      const job = await submitBackground(world);
      await leftAlone(world, job);
      world.provider.background.forget();
      expect(await toItsEnd(world, job)).toMatchObject({
        ...{ state: 'completed', result: resultOf(2) },
        attempts: [{ outcome: 'failed', errorCode: 'provider_error' }, { outcome: 'completed' }],
      });
      expect(upstreamsOf(world, job)).toHaveLength(2);
    },
  );

  for (const code of ['network', 'auth', 'overloaded'] as const) {
    scenario(
      open,
      `P11 looks that fail (${code}) are no failure of the attempt: the answer is looked for again`,
      async (world) => {
        const { port } = world.provider.background;
        port.before('look', () => Promise.reject(new ServiceError(code, 'failed by the test')));
        const job = await submitBackground(world);
        await leftAlone(world, job);
        expect(await toItsEnd(world, job)).toMatchObject({ state: 'completed', attempts: [{ calls: 1 }], attempt: 1 });
        expect(logged(world, 'look-failed')).toBe(1);
        expect(port.calls('look')).toBe(2);
        expect(upstreamsOf(world, job)).toHaveLength(1);
      },
    );
  }

  scenario(open, 'P11 a start that fails: nothing was begun, and a new attempt begins', async (world) => {
    world.provider.background.port.fail('start', 'before');
    const job = await submitBackground(world);
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({
      attempts: [{ outcome: 'failed', errorCode: 'network', calls: 1 }, { outcome: 'completed' }],
    });
    expect(upstreamsOf(world, job)).toHaveLength(1);
  });

  scenario(
    open,
    'P11 the write of the id has no answer, but landed: the worker stays, and nothing is begun twice',
    async (world) => {
      const job = await submitBackground(world);
      const worker = world.instance();
      worker.store.fail('update', 'after', { skip: 1 });
      expect(await world.deliver(job, worker)).toEqual({ finished: 'completed' });
      expect(worker.store.fired('after')).toBe(1);
      expect(upstreamsOf(world, job)).toMatchObject([{ given: 1, cancels: 0 }]);
    },
  );

  scenario(open, 'P11 what the job may cost holds the output of what is begun', async (world) => {
    const job = await submitBackground(world, { model: 'gpt-4o', nanoUsdMost: 5_000_000 });
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    expect(world.callsOf(job)[0]?.request.maxOutputTokens).toBeLessThanOrEqual(500);
    expect((await world.read(job)).attempts).toMatchObject([{ cost: { nanoUsd: expect.any(Number) } }]);
    expect((await world.read(job)).attempts[0]?.cost).not.toHaveProperty('isEstimated');
  });

  scenario(open, 'P11 an answer that has to be mended: the model mends it in the background', async (world) => {
    world.provider.answerWith(saying('{"n":"one"}', '{"n":1}'));
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    const job = await submitBackground(world, { input: { prompt: 'Count.', response_schema: schema } });
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    const ended = await world.read(job);
    expect(ended.attempts).toMatchObject([{ errorCode: 'schema_violation' }, { outcome: 'completed' }]);
    expect(world.provider.background.port.calls('start')).toBe(2);
  });

  scenario(
    open,
    'P11 an answer that its model can never give: the fallback is asked, in the background, too',
    async (world) => {
      world.provider.answerWith(failingFirst(new ServiceError('content_policy', 'failed by the test')));
      const job = await submitBackground(world, { fallbacks: ['simulated-2'] });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect((await world.read(job)).attempts).toMatchObject([
        { model: 'simulated', outcome: 'failed', errorCode: 'content_policy', calls: 1 },
        { model: 'simulated-2', outcome: 'completed', calls: 1 },
      ]);
      expect(world.provider.background.port.calls('start')).toBe(2);
    },
  );
}

/** In virtual time alone. */
export function backgroundTimeScenarios(open: Open): void {
  scenario(
    open,
    'P11 an answer of half an hour: one call, and looks that are at most five minutes apart',
    async (world) => {
      world.provider.background.takes(30 * MINUTE_MS);
      const job = await submitBackground(world);
      expect(await world.deliver(job)).toEqual({ left: true });
      const writes = world.writes.length;
      await toItsEnd(world, job);
      expect(await world.read(job)).toMatchObject({
        state: 'completed',
        result: resultOf(1),
        attempts: [{ calls: 1 }],
      });
      const [upstream, ...others] = upstreamsOf(world, job);
      expect(others).toEqual([]);
      const looks = [upstream?.startedMs ?? 0, ...(upstream?.looksMs ?? [])];
      const pauses = looks.slice(1).map((atMs, index) => atMs - (looks[index] ?? 0));
      expect(Math.max(...pauses)).toBeLessThanOrEqual(5 * MINUTE_MS);
      expect(pauses.slice(0, 7)).toEqual([2_000, 4_000, 8_000, 16_000, 32_001, 64_001, 128_001]);
      // A ring, a claim and a word that it is not there yet for each look.
      expect(world.writes.length - writes).toBeLessThanOrEqual(3 * (looks.length - 5));
    },
  );

  scenario(open, 'P11 a look that the provider asks to put off is put off for as long', async (world) => {
    const refusal = new ServiceError('rate_limited', 'failed by the test', { retryAfterMs: 7 * MINUTE_MS });
    world.provider.background.port.before('look', () => Promise.reject(refusal));
    const job = await submitBackground(world);
    expect(await world.deliver(job)).toEqual({ left: true });
    const askedMs = world.clock.monotonicMs();
    await toItsEnd(world, job);
    const [upstream] = upstreamsOf(world, job);
    expect((upstream?.looksMs[0] ?? 0) - askedMs).toBeGreaterThanOrEqual(7 * MINUTE_MS);
    expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1 });
  });

  scenario(open, 'P11 a start that is never answered: idle_timeout, and a new attempt', async (world) => {
    world.provider.background.port.before('start', () => new Promise(() => {}));
    const job = await submitBackground(world);
    expect(await world.deliver(job)).toEqual({ handedBack: 'idle_timeout' });
    await toItsEnd(world, job);
    expect((await world.read(job)).attempts).toMatchObject([{ errorCode: 'idle_timeout' }, { outcome: 'completed' }]);
  });
}

/** The first call about a job fails. */
function failingFirst(error: ServiceError) {
  return async function* (call: ProviderCall) {
    if (call.nth === 1) throw error;
    yield* answer(call);
  };
}

/** Says one after the other. */
function saying(...texts: string[]) {
  return async function* (call: ProviderCall) {
    yield { type: 'text-delta' as const, text: texts[call.nth - 1] ?? '' };
    yield { type: 'finish' as const, reason: 'stop' as const };
  };
}
