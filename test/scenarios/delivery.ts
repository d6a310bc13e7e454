/** D01–D04, D06–D08: whatever comes out of the queue, how often and in whichever order, a job is claimed by one worker at a time. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { JobKey } from '../../shared/core/job.ts';
import { doorbellHandler, encodeDoorbell } from '../../shared/http/push.ts';
import { ADA } from '../support/core-world.ts';
import type { Instance } from './instance.ts';
import { answer } from './provider-double.ts';
import { inCall, type Open, refusedWrites, scenario, type World } from './world.ts';

const MINUTES_MS = 60_000;

export function deliveryScenarios(open: Open): void {
  scenario(
    open,
    'D01 one message delivered twice at once: one claim; the loser acknowledges and has written nothing',
    async (world) => {
      const job = await world.submit();
      const [left, right] = [world.instance(), world.instance()];
      // Both have read the free job before either of them writes.
      const meet = meeting(2);
      for (const { store } of [left, right]) store.before('update', meet.arrive);
      const acknowledged = await world.until(Promise.all([push(left, job), push(right, job)]));
      expect(meet.arrived()).toBe(2);
      expect(acknowledged).toEqual([true, true]);
      expect(world.callsOf(job)).toHaveLength(1);
      const written = new Set(world.writes.filter(({ revision }) => revision !== undefined).map(({ by }) => by));
      expect(written.size).toBe(1);
      expect(refusedWrites(world, left).length + refusedWrites(world, right).length).toBe(1);
      expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1 });
    },
  );

  scenario(
    open,
    'D02 a redelivery while the lease is alive: acknowledged, without a write or a second call',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit();
      const holder = world.instance();
      const { outcome } = await inCall(world, job, holder);
      const other = world.instance();
      for (const by of [holder, other, other]) {
        expect(await by.run(job)).toEqual({ refused: 'leased' });
        expect(await push(by, job)).toBe(true);
      }
      expect(other.store.calls('update')).toBe(0);
      world.answerTo(job);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(world.callsOf(job)).toHaveLength(1);
    },
  );

  scenario(open, 'D03 a redelivery after the end: acknowledged, and the document stays as it is', async (world) => {
    const job = await world.submit();
    await world.deliver(job);
    const ended = await world.ground.get(job);
    for (const by of [world.main, world.instance()]) {
      expect(await by.run(job)).toEqual({ refused: 'done' });
      expect(await push(by, job)).toBe(true);
    }
    expect((await world.ground.get(job))?.revision).toBe(ended?.revision);
    expect(world.callsOf(job)).toHaveLength(1);
  });

  // Doorbells carry no attempt number, so none can be stale: what an old one does is what any does.
  scenario(
    open,
    'D04 the first doorbell once more, before, during and after attempt 2: refused each time',
    async (world) => {
      world.provider.answerWith((call) => (call.nth === 1 ? refusedFor(2 * MINUTES_MS) : world.provider.held(call)));
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ handedBack: 'rate_limited' });
      const waiting = await world.ground.get(job);
      const late = world.instance();
      expect(await late.run(job)).toEqual({ refused: 'not-due' });
      expect((await world.ground.get(job))?.revision).toBe(waiting?.revision);
      await world.makeDue(job);
      const { outcome } = await inCall(world, job, world.main);
      expect(await late.run(job)).toEqual({ refused: 'leased' });
      world.answerTo(job, 2);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(await late.run(job)).toEqual({ refused: 'done' });
      expect(late.store.calls('update')).toBe(0);
      expect(world.callsOf(job)).toHaveLength(2);
    },
  );

  scenario(
    open,
    'D06 a claim that was done but reported failed: recognised, or at most one attempt is lost',
    async (world) => {
      const seen = await world.submit();
      world.main.store.fail('update', 'after');
      expect(await world.deliver(seen)).toEqual({ finished: 'completed' });
      expect(await world.read(seen)).toMatchObject({ attempt: 1, attempts: [{ calls: 1 }] });

      // Its look at the document fails, too: the delivery comes again, and meets its own lease.
      const unseen = await world.submit();
      const claimer = world.instance();
      claimer.store.fail('update', 'after');
      claimer.store.fail('getWithInput', 'before', { skip: 1 });
      expect(await world.until(push(claimer, unseen))).toBe(false);
      expect(world.main.store.fired() + claimer.store.fired()).toBe(3);
      expect(world.callsOf(unseen)).toHaveLength(0);
      expect(await claimer.run(unseen)).toEqual({ refused: 'leased' });
      await world.makeDue(unseen);
      expect(await world.main.sweep()).toMatchObject({ rung: 1 });
      expect(await world.deliver(unseen)).toEqual({ finished: 'completed' });
      expect(await world.read(unseen)).toMatchObject({
        attempts: [{ outcome: 'lost' }, { outcome: 'completed' }],
        losses: 1,
      });
      expect(world.callsOf(unseen)).toHaveLength(1);
    },
  );

  scenario(
    open,
    'D07 a claim that is refused three times: tried again after a pause; refused for good, it uses up nothing',
    async (world) => {
      const silent = await world.submit();
      world.main.store.fail('update', 'before', { times: 3 });
      expect(await world.deliver(silent)).toEqual({ finished: 'completed' });
      expect(world.main.store.fired('before')).toBe(3);

      const contended = await world.submit();
      const rivals = rivalWrites(world, contended, world.main, 3);
      expect(await world.deliver(contended)).toEqual({ finished: 'completed' });
      expect(rivals.made()).toBe(3);
      for (const job of [silent, contended]) {
        expect(await world.read(job)).toMatchObject({ attempt: 1, attempts: [{ n: 1 }] });
      }

      const never = await world.submit();
      const unlucky = world.instance();
      unlucky.store.fail('update', 'before', { times: 100 });
      expect(await world.until(push(unlucky, never))).toBe(false);
      expect(unlucky.store.fired()).toBeGreaterThanOrEqual(5);
      expect(await world.read(never)).toMatchObject({ state: 'pending', attempt: 0, attempts: [] });
      expect(await world.deliver(never)).toEqual({ finished: 'completed' });
    },
  );

  scenario(
    open,
    "D08 clocks five minutes fast and slow: leases go by the store's time, and nothing runs twice",
    async (world) => {
      const fast = world.instance({ skewMs: 5 * MINUTES_MS });
      const slow = world.instance({ skewMs: -5 * MINUTES_MS });
      world.provider.answerWith((call) => (call.nth === 1 ? world.provider.held(call) : answer(call)));
      const [left, right] = [await world.submit(), await world.submit()];
      await inCall(world, left, slow);
      await inCall(world, right, fast);
      for (const job of [left, right]) {
        for (const by of [fast, slow]) expect(await by.run(job)).toEqual({ refused: 'leased' });
      }
      const fresh = await world.submit();
      // The fast one sees both leases as long over, and a doorbell as long lost; the table goes by what the store says.
      expect(await fast.sweep()).toEqual({ rung: 0, ended: 0, postponed: 0, removed: 0 });
      expect(fast.store.calls('due')).toBe(1);
      expect(world.published(fresh)).toBe(1);
      await world.main.service.cancel(ADA, fresh.id);

      slow.die();
      fast.die();
      for (const job of [left, right]) await world.makeDue(job);
      expect(await world.instance({ skewMs: -5 * MINUTES_MS }).sweep()).toMatchObject({ rung: 0 });
      expect(await world.instance({ skewMs: 5 * MINUTES_MS }).sweep()).toMatchObject({ rung: 2 });
      await world.until(Promise.all([left, right].map(world.instance({ skewMs: -5 * MINUTES_MS }).run)));
      for (const job of [left, right]) {
        expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'lost' }, { outcome: 'completed' }] });
        expect(world.callsOf(job)).toHaveLength(2);
      }
    },
  );
}

/** One delivery, as the worker function takes it; `true` acknowledges. */
function push({ run }: Instance, key: JobKey): Promise<boolean> {
  return doorbellHandler({ run, log: () => {} })(encodeDoorbell(key, crypto.randomUUID(), 1));
}

/** A place at which everybody waits for everybody. */
function meeting(parties: number) {
  let arrived = 0;
  let go = () => {};
  const all = new Promise<void>((resolve) => {
    go = resolve;
  });
  return {
    arrived: () => arrived,
    async arrive() {
      if (++arrived === parties) go();
      await all;
    },
  };
}

/** Somebody else changes the document before each of the next writes of an instance. */
function rivalWrites(world: World, job: JobKey, of: Instance, times: number) {
  let made = 0;
  const rival = async () => {
    await world.poke(job, { rings: ++made });
    if (made < times) of.store.before('update', rival);
  };
  of.store.before('update', rival);
  return { made: () => made };
}

// biome-ignore lint/correctness/useYield: it fails before it says anything
async function* refusedFor(retryAfterMs: number): AsyncIterable<never> {
  throw new ServiceError('rate_limited', 'refused by the test', { retryAfterMs });
}
