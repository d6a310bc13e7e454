/** B01–B04 and I6: no more is used than an account has, each hold is settled once, and the ledger is the account. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { ADA } from '../support/core-world.ts';
import { answer } from './provider-double.ts';
import { inCall, type Open, scenario } from './world.ts';

export const NEED = 700;
const CREDITS = { tokens: NEED, purpose: 'prompt enhancement' };
export const ON = { credits: CREDITS, leaseMs: 2_000 };
/** Has a price. */
const PRICED = 'gpt-4o-mini';

/** An answer that used so many tokens. */
export async function* using(tokens: number): AsyncIterable<LlmPart> {
  yield { type: 'accepted', providerRequestId: 'req-1' };
  yield { type: 'text-delta', text: 'answer' };
  const usage = { inputTokens: tokens - 200, outputTokens: 200, totalTokens: tokens };
  yield { type: 'usage', usage };
  yield { type: 'finish', reason: 'stop' };
}

const expected = ({ callEstimate }: Job) => (callEstimate?.inputTokens ?? 0) + (callEstimate?.outputTokens ?? 0);
export function creditScenarios(open: Open): void {
  scenario(
    open,
    'too few tokens: the job fails without a call, in the words of its type, or is refused at submit',
    async (world) => {
      await world.fund(250);
      const sentence = 'You need at least 700 tokens for prompt enhancement. Available: 250';
      const refused = { code: 'insufficient_credits', message: sentence };
      await expect(world.submit()).rejects.toMatchObject(refused);
      const job = await world.submit({ emptyAccount: 'accept' });
      expect(await world.deliver(job)).toEqual({ refused: 'denied' });
      expect(await world.read(job)).toMatchObject({ state: 'failed', attempt: 0, attempts: [], error: refused });
      expect(world.provider.calls()).toHaveLength(0);
      await world.fund(450);
      expect(await world.deliver(await world.submit())).toEqual({ finished: 'completed' });
    },
    ON,
  );

  scenario(
    open,
    'a subscription that is not active, or ends while a job waits; no account is none',
    async (world) => {
      const inactive = {
        code: 'subscription_inactive',
        message: expect.stringContaining('Subscription is not active.'),
      };
      await expect(world.submit({ emptyAccount: 'accept' })).rejects.toMatchObject(inactive);
      await world.fund(5_000);
      const job = await world.submit();
      await world.fund(0, { subscription: 'inactive' });
      expect(await world.deliver(job)).toEqual({ refused: 'denied' });
      expect(await world.read(job)).toMatchObject({ state: 'failed', attempt: 0, error: inactive });
      await expect(world.submit({ emptyAccount: 'accept' })).rejects.toMatchObject(inactive);
    },
    ON,
  );

  scenario(
    open,
    'a repeat of a job that is there is answered, whatever the account has by then',
    async (world) => {
      await world.fund(NEED);
      world.provider.answerWith(() => using(NEED));
      const again = { idempotencyKey: crypto.randomUUID(), input: { prompt: 'the same' } };
      const job = await world.submit(again);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect((await world.account()).balance).toBe(0);
      expect((await world.submit(again)).id).toBe(job.id);
      await world.fund(0, { subscription: 'inactive' });
      expect((await world.submit(again)).id).toBe(job.id);
      const other = { ...again, input: { prompt: 'another' } };
      await expect(world.submit(other)).rejects.toMatchObject({ code: 'idempotency_conflict' });
    },
    ON,
  );

  scenario(
    open,
    'what a type does not say is reserved by estimate, and what calls used is charged, once for all attempts',
    async (world) => {
      await world.fund(10_000);
      world.provider.answerWith(async function* (call) {
        // Cut after it was accepted: nobody knows what it used.
        if (call.nth === 1) {
          yield { type: 'accepted', providerRequestId: 'req-1' };
          throw new ServiceError('network', 'cut');
        }
        yield* call.nth === 2 ? world.provider.held(call) : answer(call);
      });
      const job = await world.submit();
      const running = world.deliver(job);
      running.catch(() => {});
      await world.eventually(() => world.callsOf(job).length === 2);
      expect(expected(job)).toBeGreaterThan(1_000);
      expect(await world.account()).toMatchObject({ balance: 10_000, reserved: { tokens: expected(job) } });
      world.answerTo(job, 2);
      expect(await running).toEqual({ finished: 'completed' });
      const { settled } = await world.read(job);
      // Nothing came of the first one but that it was accepted.
      const used = (job.callEstimate?.inputTokens ?? 0) + 5;
      expect(settled?.charged.tokens).toBe(used);
      expect(await world.account()).toMatchObject({ balance: 10_000 - used, reserved: { tokens: 0 } });
    },
    { ...ON, credits: 'estimate', retry: { pausesMs: [20], jitter: 'none' } },
  );

  scenario(
    open,
    'a call that the provider refused before any work is not charged',
    async (world) => {
      await world.fund(NEED);
      // biome-ignore lint/correctness/useYield: it fails before its first part
      world.provider.answerWith(async function* () {
        throw new ServiceError('auth', 'no such key');
      });
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ finished: 'failed' });
      expect(await world.account()).toMatchObject({ balance: NEED, reserved: { tokens: 0 }, charged: { tokens: 0 } });
    },
    ON,
  );

  scenario(
    open,
    'a provider that is down: none of its failures is charged as an answer would be',
    async (world) => {
      await world.fund(2_000);
      // biome-ignore lint/correctness/useYield: it fails before its first part
      world.provider.answerWith(async function* () {
        throw new ServiceError('overloaded', 'down');
      });
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ finished: 'failed' });
      const { attempts, settled, callEstimate } = await world.read(job);
      expect(attempts).toHaveLength(3);
      expect(settled?.charged.tokens).toBe(3 * (callEstimate?.inputTokens ?? 0));
      expect((await world.account()).balance).toBeGreaterThan(1_900);
    },
    { ...ON, credits: 'estimate', retry: { pausesMs: [20, 20], jitter: 'none' } },
  );

  scenario(
    open,
    'a call that is cancelled while its provider counts is charged for the text that came, not for what was counted first',
    async (world) => {
      await world.fund(NEED);
      world.provider.answerWith(async function* (call) {
        yield { type: 'accepted', providerRequestId: 'req-1' };
        yield { type: 'usage', usage: { inputTokens: 20, outputTokens: 1, totalTokens: 21 } };
        yield { type: 'text-delta', text: 'The whole answer. '.repeat(100) };
        yield* world.provider.held(call);
      });
      const job = await world.submit();
      const { outcome } = await inCall(world, job, world.main);
      await world.pass(20);
      await world.main.service.cancel(ADA, job.id);
      expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
      const { attempts, settled } = await world.read(job);
      expect(attempts[0]?.usage?.outputTokens).toBe(1);
      expect(settled?.charged.tokens).toBeGreaterThan(300);
      expect(settled?.charged.tokens).toBe(attempts[0]?.cost?.tokens);
    },
    ON,
  );

  scenario(
    open,
    'B02 a worker that dies with a hold: the next claim reserves nothing, and one finish settles',
    async (world) => {
      await world.fund(2 * NEED);
      world.provider.answerWith(world.provider.held);
      const [dying, next] = [world.instance(), world.instance()];
      const job = await world.submit();
      await inCall(world, job, dying);
      dying.die();
      await world.makeDue(job);
      expect(await world.main.sweep()).toMatchObject({ rung: 1 });
      const { outcome } = await inCall(world, job, next);
      expect(await world.account()).toMatchObject({ balance: 2 * NEED, reserved: { tokens: NEED } });
      // Our own finish, answered as if it had failed.
      next.store.fail('update', 'after');
      world.answerTo(job, 2);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(next.store.fired()).toBe(1);
      const { settled, losses } = await world.read(job);
      expect([losses, settled?.charged.tokens]).toEqual([1, expected(job) + 5]);
      expect(await world.account()).toMatchObject({ balance: 2 * NEED - expected(job) - 5, reserved: { tokens: 0 } });
    },
    ON,
  );

  scenario(
    open,
    'B02 a claim that is written unanswered, or twice, reserves once; the sweeper, a cancel and a delete release',
    async (world) => {
      await world.fund(20 * NEED);
      for (const fault of ['after', 'duplicate', 'before'] as const) {
        const by = world.instance();
        const job = await world.submit();
        by.store.fail('update', fault);
        expect(await world.deliver(job, by)).toEqual({ finished: 'completed' });
        expect(by.store.fired(fault)).toBe(1);
      }
      expect(await world.account()).toMatchObject({ charged: { tokens: 15 }, reserved: { tokens: 0 } });
      world.provider.answerWith(world.provider.held);
      const ends = { swept: () => {}, cancelled: world.main.service.cancel, deleted: world.main.service.remove };
      for (const end of Object.values(ends)) {
        const dead = world.instance();
        const job = await world.submit();
        await inCall(world, job, dead);
        dead.die();
        expect((await world.account()).reserved.tokens).toBe(NEED);
        await end(ADA, job.id);
        if (end === ends.swept) await world.poke(job, { limits: { ...job.limits, timeoutMs: 1 } as Job['limits'] });
        await world.makeDue(job);
        await world.main.sweep();
        const ended = await world.read(job);
        expect(ended.settled).toMatchObject({ released: { tokens: NEED }, charged: { tokens: expected(job) } });
        expect((await world.account()).reserved.tokens).toBe(0);
      }
    },
    ON,
  );

  scenario(
    open,
    'B03 more is used than was reserved: it is charged in full, and then nothing more is taken',
    async (world) => {
      await world.fund(1_000);
      world.provider.answerWith(() => using(1_200));
      const job = await world.submit();
      const waiting = await world.submit();
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(await world.account()).toMatchObject({ balance: -200, charged: { tokens: 1_200 } });
      expect(await world.deliver(waiting)).toEqual({ refused: 'denied' });
      expect((await world.read(waiting)).error?.message).toMatch(/Available: 0$/);
      await expect(world.submit()).rejects.toMatchObject({ code: 'insufficient_credits' });
      await world.fund(900);
      expect(await world.deliver(await world.submit())).toEqual({ finished: 'completed' });
    },
    ON,
  );

  scenario(
    open,
    'a budget of money: what it does not cover fails, and so does what has no price',
    async (world) => {
      const priced = await (async () => {
        await world.fund(100_000);
        return world.submit({ model: PRICED });
      })();
      const nanoUsd = priced.callEstimate?.nanoUsd ?? 0;
      expect(nanoUsd).toBeGreaterThan(100_000);
      await world.fund(0, { subscription: 'active', budget: { nanoUsd: 2 * nanoUsd - 1, period: 'month' } });
      const second = await world.submit({ model: PRICED });
      world.provider.answerWith(world.provider.held);
      const { outcome } = await inCall(world, priced, world.main);
      expect(await world.account()).toMatchObject({ reserved: { tokens: NEED, nanoUsd } });
      expect(await world.deliver(second)).toEqual({ refused: 'denied' });
      const { error } = await world.read(second);
      expect(error).toMatchObject({ code: 'budget_exceeded', message: expect.stringMatching(/It resets at 20\d\d-/) });
      world.answerTo(priced);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      // What was held came back.
      world.provider.answerWith(answer);
      expect(await world.deliver(await world.submit({ model: PRICED }))).toEqual({ finished: 'completed' });
      const unpriced = await world.submit({ model: PRICED, emptyAccount: 'accept' });
      await world.poke(unpriced, { callEstimate: { inputTokens: 1, outputTokens: 1, nanoUsd: null } });
      expect(await world.deliver(unpriced)).toEqual({ refused: 'denied' });
      expect((await world.read(unpriced)).error?.message).toContain('price of this model is not known');
    },
    ON,
  );

  scenario(
    open,
    'a job that is denied gives its slot to the next one',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      await world.fund(NEED);
      const first = await world.submit();
      const { outcome } = await inCall(world, first, world.main);
      await world.fund(NEED, undefined, 'bob');
      const poor = await world.submit({ emptyAccount: 'accept' });
      await world.pass(2);
      const bob = { ...ADA, user: 'bob' };
      const input = { prompt: 'of Bob' };
      const { job: next } = await world.main.service.submit(bob, {
        ...{ jobType: 'general_llm_request', model: 'simulated', questionId: 'of Bob', input },
      });
      // Without tokens nobody waits for a slot; …
      expect(await world.deliver(poor)).toEqual({ refused: 'denied' });
      await world.fund(NEED);
      const promoted = await world.submit();
      await world.poke(promoted, { createdAt: next.createdAt - 1 });
      for (const job of [promoted, next]) expect(await world.deliver(job)).toEqual({ refused: 'parked' });
      world.answerTo(first);
      await world.until(outcome);
      await world.eventually(async () => (await world.read(promoted)).slotUntil !== undefined);
      // … and who has none any more hands on the one that was kept for it.
      await world.fund(-NEED);
      expect(await world.deliver(promoted)).toEqual({ refused: 'denied' });
      await world.eventually(async () => (await world.read(next)).slotUntil !== undefined);
      world.provider.answerWith(answer);
      expect(await world.deliver(next)).toEqual({ finished: 'completed' });
      expect(await world.ground.slots(ADA.tenant)).toMatchObject({ running: {} });
    },
    { ...ON, leaseMs: 60_000, limits: new Map([['*', 1]]) },
  );
}

/** On virtual time alone. */
export function creditTimeScenarios(open: Open): void {
  scenario(
    open,
    'B04 a day that ends under a job: its cost lands on the day of its hold, and the next day has all of its budget',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      await world.fund(100_000);
      const dayMs = 86_400_000;
      await world.pass(dayMs - (world.clock.nowMs() % dayMs) - 1_000);
      const late = await world.submit({ model: PRICED });
      const nanoUsd = late.callEstimate?.nanoUsd ?? 0;
      await world.fund(0, { subscription: 'active', budget: { nanoUsd, period: 'day' } });
      const { outcome } = await inCall(world, late, world.main);
      const evening = await world.submit({ model: PRICED });
      expect(await world.deliver(evening)).toEqual({ refused: 'denied' });
      await world.pass(2_000);
      const [today] = (await world.read(late)).hold?.day.match(/..$/) ?? [];
      const morning = await world.submit({ model: PRICED });
      const { outcome: next } = await inCall(world, morning, world.instance());
      world.answerTo(late);
      world.answerTo(morning);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(await world.until(next)).toEqual({ finished: 'completed' });
      const { nanoUsdByDay } = await world.account();
      const spent = [late, morning].map(async (job) => {
        const { settled, hold } = await world.read(job);
        expect(settled?.day).toBe(hold?.day);
        return { reserved: 0, charged: settled?.charged.nanoUsd };
      });
      expect(Object.values(nanoUsdByDay)).toEqual(await Promise.all(spent));
      expect(Object.keys(nanoUsdByDay)[0]).toMatch(new RegExp(`${today}$`));
      expect(Object.keys(nanoUsdByDay)).toHaveLength(2);
    },
    { ...ON, leaseMs: 60_000 },
  );
}
