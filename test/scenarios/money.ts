/**
 * P05, P06, P10 and W02 as far as they are about money: which calls are made, what each costs, and what a job has spent,
 * whichever way its attempts end.
 */
import { beforeAll, expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { parseStructured } from '../../shared/llm/structured/parse.ts';
import { ADA } from '../support/core-world.ts';
import type { ProviderCall } from './provider-double.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const SCHEMA = { type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] };
const GOOD = '{"age": 7}';
const WRONG = '{"age": "seven"}';
/** A million of these tokens cost $0.15 in and $0.60 out: this call costs 1,000 × 150 + 100 × 600 nano-dollars. */
const MODEL = 'gpt-4o-mini';
const USAGE = { inputTokens: 1_000, outputTokens: 100, totalTokens: 1_100 };
const CALL_NANO_USD = 210_000;

type Said = { text: string; reason?: 'stop' | 'length'; usage?: boolean };

async function* said({ text, reason = 'stop', usage = true }: Said): AsyncIterable<LlmPart> {
  yield { type: 'accepted', providerRequestId: 'req-1' };
  yield { type: 'text-delta', text };
  if (usage) yield { type: 'usage', usage: USAGE };
  yield { type: 'finish', reason };
}

/** Says these, one in each call. */
function says(world: World, ...answers: Said[]): void {
  world.provider.answerWith(({ nth }: ProviderCall) => said(answers[nth - 1] ?? { text: 'one call too many' }));
}

const asking = (more: object = {}): Partial<Submission> => ({
  model: MODEL,
  input: { prompt: `How old? ${crypto.randomUUID()}`, response_schema: SCHEMA, ...more },
});

const ended = async (world: World, over: Partial<Submission>): Promise<{ job: Job; calls: ProviderCall[] }> => {
  const submitted = await world.submit(over);
  await world.until(world.deliver(submitted));
  const { prompt } = over.input as { prompt: string };
  return { job: await world.read(submitted), calls: world.provider.calls(prompt) };
};

export function moneyScenarios(open: Open): void {
  // Loaded on first use; a virtual clock would run on meanwhile, over the end of the lease.
  beforeAll(() => parseStructured({ text: 'no JSON', finishReason: 'stop' }, async () => ({ violation: 'none' })));

  scenario(open, 'P06 an answer of a wrong shape is mended by one more call, recorded and paid', async (world) => {
    says(world, { text: WRONG }, { text: GOOD });
    const { job, calls } = await ended(world, asking());
    expect(job).toMatchObject({ state: 'completed', result: { success: true, result: { age: 7 } }, repairs: 1 });
    expect(job).not.toHaveProperty('failures');
    expect(job.attempts).toMatchObject([
      { outcome: 'failed', errorCode: 'schema_violation', usage: USAGE, cost: { nanoUsd: CALL_NANO_USD } },
      { outcome: 'completed', usage: USAGE, cost: { nanoUsd: CALL_NANO_USD } },
    ]);
    expect(job.spent).toMatchObject({ inputTokens: 2_000, outputTokens: 200, nanoUsd: 2 * CALL_NANO_USD, unpriced: 0 });
    expect(calls.map(({ request }) => request.messages.length)).toEqual([1, 3]);
    expect(calls[1]?.request.messages[1]).toEqual({ role: 'assistant', content: WRONG });
    expect(calls[1]?.request.messages[2]?.content).toContain('age');
  });

  scenario(open, 'P06 after R repairs the job fails, and its owner has the last answer', async (world) => {
    says(world, { text: WRONG }, { text: 'no JSON at all {' }, { text: '{"age": "VII"}' });
    const { job, calls } = await ended(world, asking({ max_repairs: 2 }));
    expect(calls).toHaveLength(3);
    expect(job).toMatchObject({ state: 'failed', error: { code: 'schema_violation' }, rejectedText: '{"age": "VII"}' });
    expect(job.error?.message).toContain('age');
    expect(job).not.toHaveProperty('result');
    expect(job.spent?.nanoUsd).toBe(3 * CALL_NANO_USD);
  });

  scenario(
    open,
    'P06 an answer that is too long to be sent back fails its job after one call, and is kept',
    async (world) => {
      const long = JSON.stringify({ age: 'x'.repeat(300_000) });
      says(world, { text: long }, { text: GOOD });
      const { job, calls } = await ended(world, asking({ max_repairs: 3 }));
      expect(calls).toHaveLength(1);
      expect(job).toMatchObject({ state: 'failed', error: { code: 'schema_violation' }, parts: { rejectedText: {} } });
      let kept = '';
      for await (const piece of await world.main.service.payload(ADA, job, 'rejectedText')) kept += piece;
      expect(JSON.parse(kept)).toBe(long);
    },
  );

  scenario(open, 'P06 without repairs one call is made', async (world) => {
    says(world, { text: WRONG });
    const { job, calls } = await ended(world, asking({ max_repairs: 0 }));
    expect(job).toMatchObject({ state: 'failed', error: { code: 'schema_violation' }, rejectedText: WRONG });
    expect(calls).toHaveLength(1);
  });

  scenario(
    open,
    'P06 a worker that dies in a repair leaves a job that begins anew, within its calls',
    async (world) => {
      const over = asking();
      world.provider.answerWith((call) =>
        call.nth === 2 ? world.provider.held(call) : said({ text: call.nth === 1 ? WRONG : GOOD }),
      );
      const job = await world.submit(over);
      const first = world.instance();
      const { prompt } = over.input as { prompt: string };
      void first.run(job).catch(() => {});
      await world.eventually(() => world.provider.calls(prompt).length === 2);
      first.die();
      await world.makeDue(job);
      await world.main.sweep();
      await world.until(world.deliver(job));
      const after = await world.read(job);
      expect(after).toMatchObject({ state: 'completed', losses: 1 });
      expect(after.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'lost', 'completed']);
      expect(world.provider.calls(prompt)[2]?.request.messages).toHaveLength(1);
      // What the dead worker's call used, nobody knows.
      expect(after.attempts[1]?.cost).toEqual({ nanoUsd: after.callEstimate?.nanoUsd, isEstimated: true });
      expect(after.spent?.nanoUsd).toBe(2 * CALL_NANO_USD + (after.callEstimate?.nanoUsd ?? Number.NaN));
      expect(after.spent?.estimatedNanoUsd).toBe(after.callEstimate?.nanoUsd);
    },
  );

  scenario(open, 'P05 a truncated answer is never repaired into wrong data', async (world) => {
    says(world, { text: '{"age": 7', reason: 'length' });
    const { job, calls } = await ended(world, asking());
    expect(job).toMatchObject({ state: 'failed', error: { code: 'answer_truncated' } });
    expect(job.error?.message).toContain('max_tokens');
    expect(job.rejectedText).toBe('{"age": 7');
    expect(calls).toHaveLength(1);
    expect(job.spent?.nanoUsd).toBe(CALL_NANO_USD);
  });

  scenario(open, 'P10 usage that is missing is estimated, flagged, never nothing', async (world) => {
    says(world, { text: GOOD, usage: false });
    const { job } = await ended(world, asking());
    const [attempt] = job.attempts;
    expect(attempt).not.toHaveProperty('usage');
    expect(attempt?.cost).toMatchObject({ isEstimated: true, nanoUsd: expect.any(Number) });
    expect(attempt?.cost?.nanoUsd).toBeGreaterThan(0);
    expect(job.spent?.estimatedNanoUsd).toBe(attempt?.cost?.nanoUsd);
  });

  scenario(
    open,
    'a call that was refused before any work costs nothing, one that was cut is estimated',
    async (world) => {
      world.provider.answerWith(async function* ({ nth }) {
        if (nth === 1) throw new ServiceError('rate_limited', 'Slow down.');
        yield { type: 'accepted' };
        yield { type: 'text-delta', text: GOOD };
        if (nth === 2) throw new ServiceError('network', 'It was cut.');
        yield { type: 'usage', usage: USAGE };
        yield { type: 'finish', reason: 'stop' };
      });
      const { job } = await ended(world, asking());
      const [refused, cut, whole] = job.attempts;
      expect([refused?.errorCode, cut?.errorCode, whole?.outcome]).toEqual(['rate_limited', 'network', 'completed']);
      expect(refused?.cost).toEqual({ nanoUsd: 0 });
      expect(cut?.cost?.isEstimated).toBe(true);
      expect(whole?.cost).toEqual({ nanoUsd: CALL_NANO_USD });
      expect(job.spent?.nanoUsd).toBe(CALL_NANO_USD + (cut?.cost?.nanoUsd ?? Number.NaN));
    },
  );

  scenario(open, 'a call that is cancelled costs what it is estimated to have used', async (world) => {
    world.provider.answerWith(world.provider.held);
    const job = await world.submit(asking());
    const { outcome } = await inCall(world, job, world.main);
    await world.main.service.cancel(ADA, job.id);
    await world.until(outcome);
    const after = await world.read(job);
    expect(after).toMatchObject({ state: 'cancelled', attempts: [{ cost: { isEstimated: true } }] });
    expect(after.spent?.nanoUsd).toBeGreaterThan(0);
  });

  scenario(open, 'W02 a zombie’s answer changes no sum: whoever took over priced its attempt', async (world) => {
    world.provider.answerWith((call) => (call.nth === 1 ? world.provider.held(call) : said({ text: GOOD })));
    const job = await world.submit(asking());
    const zombie = world.instance();
    const { outcome } = await inCall(world, job, zombie);
    zombie.pause();
    await world.makeDue(job);
    await world.main.sweep();
    await world.until(world.deliver(job));
    const before = await world.read(job);
    world.answerTo(job, 1);
    zombie.resume();
    await world.until(outcome);
    expect(await world.read(job)).toEqual(before);
    expect(before.spent?.nanoUsd).toBe(CALL_NANO_USD + (before.callEstimate?.nanoUsd ?? Number.NaN));
  });

  scenario(open, 'max_cost: a call that was cut counts as all that it was allowed', async (world) => {
    world.provider.answerWith(async function* () {
      yield { type: 'accepted' };
      throw new ServiceError('network', 'It was cut.');
    });
    const { job, calls } = await ended(world, { ...asking({ max_tokens: 100 }), nanoUsdMost: 150_000 });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'cost_limit' } });
    // 100 tokens out cost 60,000: there is room for two, and for a short one.
    const limits = calls.map(({ request }) => request.maxOutputTokens ?? Infinity);
    expect(limits.slice(0, 2)).toEqual([100, 100]);
    expect(limits.slice(2)).toEqual([expect.toSatisfy((limit) => limit < 50)]);
    expect(job.spent?.nanoUsd).toBeLessThanOrEqual(150_000);
  });

  scenario(open, 'max_cost ends the repairs, and holds the output of every call', async (world) => {
    says(world, { text: WRONG }, { text: WRONG }, { text: WRONG });
    const { job, calls } = await ended(world, { ...asking({ max_repairs: 3 }), nanoUsdMost: CALL_NANO_USD + 50_000 });
    expect(job).toMatchObject({ state: 'failed' });
    const limits = calls.map(({ request }) => request.maxOutputTokens ?? Infinity);
    expect(Math.max(...limits)).toBeLessThan(CALL_NANO_USD);
    expect(limits[1]).toBeLessThan(limits[0] ?? 0);
    expect(job.error?.code).toBe('cost_limit');
    expect(job.attempts.at(-1)?.calls).toBe(0);
    expect(calls).toHaveLength(2);
  });
}
