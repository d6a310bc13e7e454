/** Q04: equal jobs of a tenant that allow it have one answer, and one call; whoever fails, dies or goes. */
import { expect } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { FOLLOW_MS } from '../../shared/core/answer-sharing.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job, Json } from '../../shared/core/job.ts';
import { awaitedAs } from '../../shared/core/leading.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { removeOrphans } from '../../shared/core/orphans.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import { ADA } from '../support/core-world.ts';
import { leftAlone } from './background-jobs.ts';
import { FOLLOWERS, type Instance } from './instance.ts';
import { answer, type ProviderCall, resultOf } from './provider-double.ts';
import { inCall, type Open, scenario, type World, type WorldOptions } from './world.ts';

const HOUR_MS = 3_600_000;
const BOB = { ...ADA, user: 'bob' };
const EVE = { ...ADA, tenant: 'other' };
const INPUT: Json = { prompt: 'equal' };

const submitEqual = (world: World, over: Partial<Submission> = {}, principal: Principal = ADA) =>
  world.submit({ input: INPUT, cacheMs: HOUR_MS, ...over }, principal);
const calls = (world: World) => world.provider.calls('equal').length;
const linesOf = (world: World, event: string) =>
  world.lines.map((line) => JSON.parse(line)).filter((line) => line.event === event);

/** On a busy machine, too, nobody loses a lease here but by dying. */
function played(open: Open, name: string, body: (world: World) => Promise<void>, options: WorldOptions = {}): void {
  scenario(open, name, body, { leaseMs: 60_000, ...options });
}

/** A job that waits for an answer in its worker. */
async function following(world: World, job: Job, by: Instance): Promise<{ outcome: Promise<WorkOutcome> }> {
  const outcome = by.run(job);
  outcome.catch(() => {});
  await world.eventually(() => linesOf(world, 'answer-awaited').some(({ job_id }) => job_id === job.id));
  return { outcome };
}

/** Says no when the test lets it. */
async function* refusing(world: World, call: ProviderCall): AsyncIterable<LlmPart> {
  for await (const part of world.provider.held(call)) {
    if (part.type !== 'accepted') throw new ServiceError('auth', 'The key was refused.');
    yield part;
  }
}

/** Lets a job lead, up to its call, and another one wait for it until it is parked. */
async function parkedBehind(world: World, over: Partial<Submission> = {}) {
  world.provider.answerWith(world.provider.held);
  const leader = await submitEqual(world, over);
  const holder = world.instance();
  const { outcome } = await inCall(world, leader, holder);
  const follower = await submitEqual(world, over);
  // Its minute is over when it comes.
  await world.poke(follower, { parkedFor: awaitedAs(await world.read(leader)), parkedAt: world.clock.nowMs() });
  expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
  return { leader, holder, outcome, follower };
}

/** `size`: of a crowd; some of it are parked. */
export function sharingScenarios(open: Open, size = 100): void {
  played(open, 'Q04 a second equal job has the answer of the first, without a call', async (world) => {
    const first = await submitEqual(world, { tags: ['a'] });
    expect(await world.deliver(first)).toEqual({ finished: 'completed' });
    const second = await submitEqual(world, { stream: true }, BOB);
    expect(await world.deliver(second)).toEqual({ refused: 'answered' });
    const answered = await world.read(second);
    const { completedAt } = await world.read(first);
    expect(answered).toMatchObject({
      state: 'completed',
      result: resultOf(1),
      answerOf: { id: first.id, completedAt },
    });
    expect(calls(world)).toBe(1);
    expect(linesOf(world, 'answer-reused')).toMatchObject([{ job_id: second.id, answer_of: first.id }]);
  });

  played(open, 'Q04 two tenants make two calls, and a job that does not allow it makes its own', async (world) => {
    const first = await submitEqual(world);
    expect(await world.deliver(first)).toEqual({ finished: 'completed' });
    const stranger = await submitEqual(world, {}, EVE);
    const plain = await submitEqual(world, { cacheMs: undefined }, BOB);
    const fleeting = await submitEqual(world, { store: false, cacheMs: undefined }, BOB);
    // As by its job type.
    await world.poke(fleeting, { cacheMs: HOUR_MS });
    for (const job of [stranger, plain, fleeting]) expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    expect(calls(world)).toBe(4);
    for (const job of [plain, fleeting]) expect(await world.read(job)).not.toHaveProperty('leads');
  });

  played(open, `Q04 ${size} equal jobs at once on three workers: one call, ${size} equal results`, async (world) => {
    world.provider.answerWith(world.provider.held);
    const crowd: Job[] = [];
    for (let n = 0; n < size; n++) crowd.push(await submitEqual(world));
    const workers = [world.main, world.instance(), world.instance()] as const;
    const outcomes = crowd.map((job, n) => (workers[n % 3] ?? world.main).run(job));
    const parked = () => linesOf(world, 'job-put-off').length;
    await world.eventually(() => linesOf(world, 'answer-awaited').length === 3 * FOLLOWERS);
    await world.eventually(() => parked() === size - 1 - 3 * FOLLOWERS);
    world.provider.open('equal');
    const ended = await world.until(Promise.all(outcomes));
    const count = (key: string, what: string) => ended.filter((one) => (one as Record<string, string>)[key] === what);
    expect(count('finished', 'completed')).toHaveLength(1);
    expect(count('refused', 'answered')).toHaveLength(3 * FOLLOWERS);
    expect(count('refused', 'parked')).toHaveLength(size - 1 - 3 * FOLLOWERS);
    // Rung by the end of their leader.
    await world.deliverRung();
    expect(calls(world)).toBe(1);
    const jobs = await Promise.all(crowd.map(world.read));
    expect(jobs.map(({ result }) => result)).toEqual(crowd.map(() => resultOf(1)));
    expect(jobs.filter(({ leads }) => leads !== undefined)).toHaveLength(1);
  });

  played(open, 'Q04 a leader that fails does not poison: exactly one follower leads next', async (world) => {
    let isMended = false;
    world.provider.answerWith((call) => (isMended ? answer(call) : refusing(world, call)));
    const leader = await submitEqual(world);
    const { outcome } = await inCall(world, leader, world.instance());
    const followers = [await submitEqual(world), await submitEqual(world), await submitEqual(world)];
    const waiting: Promise<WorkOutcome>[] = [];
    for (const job of followers) waiting.push((await following(world, job, world.instance())).outcome);
    isMended = true;
    world.answerTo(leader);
    expect(await world.until(outcome)).toEqual({ finished: 'failed' });
    const ended = await world.until(Promise.all(waiting));
    expect(ended.map((one) => JSON.stringify(one)).sort()).toEqual([
      '{"finished":"completed"}',
      '{"refused":"answered"}',
      '{"refused":"answered"}',
    ]);
    expect(calls(world)).toBe(2);
    expect(await world.read(leader)).toMatchObject({ state: 'failed', error: { code: 'auth' } });
    for (const job of followers) expect(await world.read(job)).toMatchObject({ result: resultOf(2) });
  });

  played(open, 'Q04 a leader whose worker is killed: its follower has its answer after its recovery', async (world) => {
    const { leader, holder, follower } = await parkedBehind(world);
    holder.die();
    await world.makeDue(leader);
    await world.until(world.main.sweep());
    world.provider.answerWith(answer);
    await world.deliverRung();
    expect(await world.read(leader)).toMatchObject({ state: 'completed', attempt: 2 });
    await world.deliverRung();
    expect(await world.read(follower)).toMatchObject({ state: 'completed', answerOf: { id: leader.id } });
    expect(calls(world)).toBe(2);
  });

  played(open, 'Q04 parked followers are rung by the end of their leader, without the sweeper', async (world) => {
    const { leader, outcome, follower } = await parkedBehind(world);
    const before = world.published(follower);
    world.answerTo(leader);
    expect(await world.until(outcome)).toEqual({ finished: 'completed' });
    expect(world.published(follower)).toBe(before + 1);
    expect(await world.deliver(follower)).toEqual({ refused: 'answered' });
    expect(await world.read(follower)).toMatchObject({ result: resultOf(1) });
  });

  for (const end of ['cancel', 'remove'] as const) {
    played(open, `Q04 ${end} of a leader while others wait: one of them leads, once`, async (world) => {
      const { leader, outcome, follower } = await parkedBehind(world);
      const other = await submitEqual(world);
      const { outcome: waiting } = await following(world, other, world.instance());
      await world.main.service[end](ADA, leader.id);
      expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
      await world.eventually(() => calls(world) === 2);
      world.provider.open('equal', 2);
      expect(await world.until(waiting)).toEqual({ finished: 'completed' });
      expect(world.published(follower)).toBeGreaterThan(1);
      expect(await world.deliver(follower)).toEqual({ refused: 'answered' });
      expect(await world.read(follower)).toMatchObject({ answerOf: { id: other.id }, result: resultOf(2) });
      expect(calls(world)).toBe(2);
    });
  }

  played(open, 'Q04 the answer of a leader that was deleted, or is too old, is none: one new call', async (world) => {
    const first = await submitEqual(world);
    expect(await world.deliver(first)).toEqual({ finished: 'completed' });
    const { completedAt = 0 } = await world.read(first);
    await world.poke(first, { completedAt: completedAt - HOUR_MS });
    const [second, third] = [await submitEqual(world), await submitEqual(world, { cacheMs: 2 * HOUR_MS })];
    expect(await world.deliver(third)).toEqual({ refused: 'answered' });
    expect(await world.deliver(second)).toEqual({ finished: 'completed' });
    const { leads: key = '' } = await world.read(second);
    expect(await world.leaders.get({ tenant: ADA.tenant, key })).toBe(second.id);
    await world.main.service.remove(ADA, second.id);
    expect(await world.leaders.get({ tenant: ADA.tenant, key })).toBeUndefined();
    const last = [await submitEqual(world), await submitEqual(world)] as const;
    expect(await world.deliver(last[0])).toEqual({ finished: 'completed' });
    expect(await world.deliver(last[1])).toEqual({ refused: 'answered' });
    expect(calls(world)).toBe(3);
    await world.poke(first, { completedAt });
    await world.poke(third, { answerOf: { id: first.id, completedAt } });
  });

  played(
    open,
    'Q04 a worker that dies between leading and its claim: its job is rung, and answers all',
    async (world) => {
      const [leader, follower] = [await submitEqual(world), await submitEqual(world)];
      const mortal = world.instance();
      mortal.leaders.fail('lead', 'crash-after');
      void mortal.run(leader);
      await world.eventually(() => mortal.leaders.fired('crash-after') === 1);
      expect(await world.read(leader)).toMatchObject({ state: 'pending', attempt: 0 });
      const { outcome } = await following(world, follower, world.instance());
      await world.makeDue(leader);
      await world.until(world.main.sweep());
      expect(await world.deliver(leader)).toEqual({ finished: 'completed' });
      expect([{ refused: 'answered' }, { refused: 'parked' }]).toContainEqual(await world.until(outcome));
      await world.deliverRung();
      expect(await world.read(follower)).toMatchObject({ state: 'completed', answerOf: { id: leader.id } });
      expect(calls(world)).toBe(1);
    },
  );

  played(
    open,
    'Q04 jobs that wait for an answer take no slot, and stand in nobody’s way',
    async (world) => {
      const busy = await world.submit();
      const [leader, follower] = [await submitEqual(world), await submitEqual(world)];
      world.provider.answerWith(world.provider.held);
      const { outcome } = await inCall(world, busy, world.main);
      expect(await world.deliver(leader)).toEqual({ refused: 'parked' });
      const leading = { parkedFor: '*', stage: 'waiting_for_slot', leads: expect.any(String) };
      expect(await world.read(leader)).toMatchObject(leading);
      expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
      expect(await world.read(follower)).toMatchObject({
        parkedFor: awaitedAs(await world.read(leader)),
        stage: 'waiting_for_answer',
      });
      world.provider.answerWith(answer);
      world.answerTo(busy);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      // The slot was handed on to the leader, which rings its follower.
      expect(await world.read(leader)).toMatchObject({ slotUntil: expect.any(Number) });
      expect(await world.deliver(leader)).toEqual({ finished: 'completed' });
      expect(world.published(follower)).toBe(2);
      expect(await world.deliver(follower)).toEqual({ refused: 'answered' });
      expect((await world.ground.slots(ADA.tenant)).running).toEqual({});
    },
    { limits: new Map([['*', 1]]) },
  );

  played(
    open,
    'Q04 a leader that is left to its provider: who follows is parked, and rung by its end',
    async (world) => {
      const leader = await submitEqual(world, { background: true });
      await leftAlone(world, leader);
      const follower = await submitEqual(world, { background: true }, BOB);
      const startedMs = world.clock.monotonicMs();
      expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
      expect(world.clock.monotonicMs() - startedMs).toBeLessThan(FOLLOW_MS / 2);
      const parkedFor = awaitedAs(await world.read(leader));
      expect(await world.read(follower)).toMatchObject({ stage: 'waiting_for_answer', parkedFor });
      await world.makeDue(leader);
      await world.until(world.main.sweep());
      const rung = world.published(follower);
      expect(await world.deliver(leader)).toEqual({ finished: 'completed' });
      expect(world.published(follower)).toBe(rung + 1);
      expect(await world.deliver(follower)).toEqual({ refused: 'answered' });
      expect(await world.read(follower)).toMatchObject({ answerOf: { id: leader.id }, result: resultOf(1) });
      expect(world.provider.background.begun()).toHaveLength(1);
    },
  );

  played(open, 'Q04 a leader that ends before it was ever claimed rings its followers, too', async (world) => {
    const [leader, follower] = [await submitEqual(world), await submitEqual(world)];
    const mortal = world.instance();
    mortal.leaders.fail('lead', 'crash-after');
    void mortal.run(leader);
    await world.eventually(() => mortal.leaders.fired('crash-after') === 1);
    await world.poke(leader, { nextAttemptAt: world.clock.nowMs() + HOUR_MS });
    expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
    expect((await world.main.service.cancel(ADA, leader.id)).job.state).toBe('cancelled');
    expect(world.published(follower)).toBe(2);
    expect(await world.deliver(follower)).toEqual({ finished: 'completed' });
    expect(await world.read(follower)).toHaveProperty('leads');
  });

  played(open, 'Q04 a worker that drains waits for no answer: the job is left to another delivery', async (world) => {
    world.provider.answerWith(world.provider.held);
    const leader = await submitEqual(world);
    const { outcome } = await inCall(world, leader, world.main);
    const follower = await submitEqual(world);
    const drained = world.instance();
    const { outcome: waiting } = await following(world, follower, drained);
    await world.until(drained.worker.drain(HOUR_MS));
    expect(await world.until(waiting)).toEqual({ refused: 'draining' });
    expect(await world.read(follower)).not.toHaveProperty('parkedFor');
    world.answerTo(leader);
    await world.until(outcome);
    expect(await world.deliver(follower)).toEqual({ refused: 'answered' });
  });

  played(open, 'Q04 a follower that is cancelled while it waits is over at once', async (world) => {
    world.provider.answerWith(world.provider.held);
    const leader = await submitEqual(world);
    const { outcome } = await inCall(world, leader, world.main);
    const follower = await submitEqual(world);
    const { outcome: waiting } = await following(world, follower, world.instance());
    expect((await world.main.service.cancel(ADA, follower.id)).job.state).toBe('cancelled');
    world.answerTo(leader);
    await world.until(outcome);
    expect(await world.until(waiting)).toEqual({ refused: 'done' });
    expect(calls(world)).toBe(1);
  });

  played(open, 'Q04 a large answer is put beside each job that has it, and no part is left alone', async (world) => {
    const text = 'aé分👩‍🔬"\n'.repeat(40_000);
    world.provider.answerWith(async function* () {
      yield { type: 'accepted' };
      yield { type: 'text-delta', text };
      yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } };
      yield { type: 'finish', reason: 'stop' };
    });
    const [first, second, third] = [await submitEqual(world), await submitEqual(world), await submitEqual(world)];
    expect(await world.deliver(first)).toEqual({ finished: 'completed' });
    expect(await world.deliver(second)).toEqual({ refused: 'answered' });
    // Cancelled while its parts are put: they go.
    world.main.parts.before('put', () => world.instance().service.cancel(ADA, third.id));
    expect(await world.deliver(third)).toEqual({ refused: 'done' });
    expect(await world.read(third)).not.toHaveProperty('parts');
    // A worker that dies between its parts and its write.
    const fourth = await submitEqual(world);
    const mortal = world.instance();
    mortal.store.fail('update', 'crash');
    void mortal.run(fourth);
    await world.eventually(() => mortal.store.fired('crash') === 1);
    expect(await world.deliver(fourth)).toEqual({ refused: 'answered' });
    const sets = await world.parts.unchecked(Date.now() * 2, 100);
    expect(sets.filter(({ id }) => id === third.id)).toEqual([]);
    expect(sets.filter(({ id }) => id === fourth.id)).toHaveLength(2);
    for (const key of sets) await world.parts.check(key, 1);
    await removeOrphans({ store: world.ground, parts: world.parts, clock: world.clock, log: () => {} });
    await world.main.service.remove(ADA, first.id);
    for (const job of [second, fourth]) {
      const { parts } = await world.read(job);
      for (const key of sets.filter(({ id }) => id === job.id)) {
        expect((await world.parts.get(key, 1)) !== undefined).toBe(key.set === parts?.result?.name);
      }
      const read = await world.instance().service.read(ADA, job.id);
      expect(read.job.result).toEqual({ success: true, result: text });
    }
    expect(calls(world)).toBe(1);
  });
}

/** Those that take a minute of waiting. */
export function sharingTimeScenarios(open: Open): void {
  played(open, 'Q04 who has waited for a minute is parked, and says for what', async (world) => {
    world.provider.answerWith(world.provider.held);
    const leader = await submitEqual(world);
    const { outcome } = await inCall(world, leader, world.main);
    const follower = await submitEqual(world);
    const startedMs = world.clock.monotonicMs();
    expect(await world.deliver(follower, world.instance())).toEqual({ refused: 'parked' });
    const waitedMs = world.clock.monotonicMs() - startedMs;
    expect(waitedMs).toBe(FOLLOW_MS);
    const parked = await world.read(follower);
    expect(parked).toMatchObject({
      state: 'pending',
      stage: 'waiting_for_answer',
      parkedFor: awaitedAs(await world.read(leader)),
    });
    // Rung before its time it looks, and writes nothing.
    expect(await world.deliver(follower, world.instance())).toEqual({ refused: 'parked' });
    expect(await world.read(follower)).toEqual(parked);
    expect(world.clock.monotonicMs() - startedMs).toBe(FOLLOW_MS);
    world.answerTo(leader);
    await world.until(outcome);
    await world.deliverRung();
    const { state, answerOf, ...answered } = await world.read(follower);
    expect([state, answerOf?.id]).toEqual(['completed', leader.id]);
    expect(answered).not.toHaveProperty('parkedFor');
  });

  played(open, 'Q04 a leader that ends while its follower is being parked: it is rung all the same', async (world) => {
    world.provider.answerWith(world.provider.held);
    const leader = await submitEqual(world);
    const { outcome } = await inCall(world, leader, world.main);
    const follower = await submitEqual(world);
    const worker = world.instance();
    worker.store.before('update', async () => {
      world.answerTo(leader);
      await outcome;
    });
    const before = world.published(follower);
    expect(await world.deliver(follower, worker)).toEqual({ refused: 'parked' });
    expect(await world.read(follower)).toMatchObject({ parkedFor: awaitedAs(await world.read(leader)) });
    expect(world.published(follower)).toBe(before + 1);
    expect(await world.deliver(follower)).toEqual({ refused: 'answered' });
  });

  played(open, 'Q04 nobody waits in a worker for a leader that nobody works on', async (world) => {
    world.provider.answerWith(async function* () {
      yield* [];
      throw new ServiceError('rate_limited', 'Later.', { retryAfterMs: 120_000 });
    });
    const leader = await submitEqual(world);
    expect(await world.deliver(leader)).toEqual({ handedBack: 'rate_limited' });
    const follower = await submitEqual(world);
    const startedMs = world.clock.monotonicMs();
    expect(await world.deliver(follower)).toEqual({ refused: 'parked' });
    expect(world.clock.monotonicMs()).toBe(startedMs);
    world.provider.answerWith(answer);
    await world.makeDue(leader);
    await world.until(world.main.sweep());
    await world.deliverRung();
    expect(await world.read(leader)).toMatchObject({ state: 'completed', attempt: 2 });
    await world.deliverRung();
    expect(await world.read(follower)).toMatchObject({ answerOf: { id: leader.id } });
  });
}
