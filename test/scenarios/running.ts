/** W01, W04, W10, W12: workers that die, that are not heard by the store, and a job that kills them. W06 is time alone. */
import { expect } from 'vitest';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import type { Instance } from './instance.ts';
import { answer, resultOf } from './provider-double.ts';
import { inCall, type Open, scenario } from './world.ts';

export function runningScenarios(open: Open): void {
  scenario(
    open,
    'W01 a worker killed in its call: found after lease and grace, attempt 1 is lost, attempt 2 completes',
    async (world) => {
      world.provider.answerWith((call) => (call.nth === 1 ? world.provider.held(call) : answer(call)));
      const job = await world.submit();
      const victim = world.instance();
      const { outcome } = await inCall(world, job, victim);
      let answered = false;
      void outcome.finally(() => {
        answered = true;
      });
      victim.die();
      world.answerTo(job);
      expect(await world.main.sweep()).toMatchObject({ rung: 0 });
      expect(await world.main.run(job)).toEqual({ refused: 'leased' });

      await world.makeDue(job);
      expect(await world.main.sweep()).toMatchObject({ rung: 1 });
      expect(await world.deliverRung()).toContainEqual({ finished: 'completed' });
      expect(answered).toBe(false);
      expect(await world.read(job)).toMatchObject({
        attempts: [
          { n: 1, outcome: 'lost', errorCode: 'lease_lost', calls: 1 },
          { n: 2, outcome: 'completed', calls: 1 },
        ],
        losses: 1,
      });
      // What it cost nobody knows.
      expect((await world.read(job)).attempts[0]).not.toHaveProperty('usage');
      const [first, second] = world.callsOf(job);
      expect(world.callsOf(job)).toHaveLength(2);
      if (world.isVirtual) {
        expect((second?.atMs ?? Infinity) - (first?.atMs ?? 0)).toBeLessThanOrEqual(world.leaseMs + LEASE_GRACE_MS + 1);
      }
    },
  );

  for (const fault of ['after', 'late'] as const) {
    const how = fault === 'late' ? 'is done after it was given up' : 'was done but reported failed';
    scenario(open, `W04 a finish that ${how}: recognised as its own; one call, one end`, async (world) => {
      const job = await world.submit();
      world.main.store.fail('update', fault, { skip: 1 });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(world.main.store.fired(fault)).toBe(1);
      expect(world.callsOf(job)).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({ state: 'completed', version: 3, result: resultOf(1) });
      expect(await world.deliver(job)).toEqual({ refused: 'done' });
      // Of the late one and the one that was made again only one was taken.
      const ends = world.writes.filter(
        ({ changes, revision }) => changes.state === 'completed' && revision !== undefined,
      );
      expect(ends).toHaveLength(1);
    });
  }

  scenario(open, 'W10 two heartbeats that fail, then one that works: the lease stays', async (world) => {
    world.provider.answerWith(world.provider.held);
    const job = await world.submit();
    const worker = world.instance();
    const { outcome } = await inCall(world, job, worker);
    const claimed = await world.read(job);
    worker.store.fail('update', 'before', { times: 2 });
    worker.store.fail('get', 'before', { times: 2 });
    await world.pass(1.5 * world.leaseMs);
    expect(worker.store.fired('before')).toBe(4);
    expect((await world.read(job)).leaseExpiresAt).toBeGreaterThan(claimed.leaseExpiresAt ?? 0);
    expect(await world.main.run(job)).toEqual({ refused: 'leased' });
    world.answerTo(job);
    expect(await world.until(outcome)).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({ attempt: 1 });
  });

  scenario(
    open,
    'W10 heartbeats that all fail: the worker aborts its own call before its lease ends',
    async (world) => {
      world.provider.answerWith((call) => (call.nth === 1 ? world.provider.held(call) : answer(call)));
      const job = await world.submit();
      const worker = world.instance();
      const { outcome } = await inCall(world, job, worker);
      let abortedAt = 0;
      world.callsOf(job)[0]?.signal.addEventListener('abort', () => {
        abortedAt = world.clock.nowMs();
      });
      worker.store.fail('update', 'before', { times: 10_000 });
      await world.pass(world.leaseMs);
      expect(await outcome).toEqual({ lost: true });
      const { leaseExpiresAt } = await world.read(job);
      expect(worker.store.fired('before')).toBeGreaterThanOrEqual(3);
      expect(abortedAt).toBeGreaterThan((leaseExpiresAt ?? 0) - world.leaseMs / 2);
      expect(abortedAt).toBeLessThan(leaseExpiresAt ?? 0);
      await world.makeDue(job);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'lost' }, { outcome: 'completed' }] });
    },
    // So long that a machine that is busy stays within the tenth of it that is left.
    { leaseMs: 6_000 },
  );

  scenario(
    open,
    'W12 a job that takes its worker with it each time: given up as crash_loop, spaced; others are unaffected',
    async (world) => {
      let victim: Instance | undefined;
      world.provider.answerWith(async function* (call) {
        if (call.prompt === 'poison') {
          victim?.die();
          await new Promise(() => {});
        }
        yield* answer(call);
      });
      const poison = await world.submit({ input: { prompt: 'poison' } });
      const putOff: number[] = [];
      for (let losses = 0; losses < LOSSES_MOST; losses++) {
        victim = world.instance();
        const other = await world.submit();
        expect(await world.deliver(other, victim)).toEqual({ finished: 'completed' });
        await inCall(world, poison, victim);
        await world.makeDue(poison);
        const { rung, ended, postponed } = await world.main.sweep();
        if (ended === 1) break;
        // The first loss may be the worker's own; from the second on the job waits.
        expect({ losses, rung, postponed }).toEqual({
          losses,
          rung: losses === 0 ? 1 : 0,
          postponed: losses === 0 ? 0 : 1,
        });
        if (postponed === 0) continue;
        expect(await world.main.run(poison)).toEqual({ refused: 'not-due' });
        const { nextAttemptAt = 0 } = await world.read(poison);
        putOff.push(nextAttemptAt);
        await world.makeDue(poison);
        expect(await world.main.sweep()).toMatchObject({ rung: 1 });
      }
      expect(putOff).toHaveLength(LOSSES_MOST - 2);
      const ended = await world.read(poison);
      expect(ended).toMatchObject({ state: 'failed', error: { code: 'crash_loop' }, losses: LOSSES_MOST });
      expect(ended.attempts.map(({ outcome }) => outcome)).toEqual(Array(LOSSES_MOST).fill('lost'));
      expect(world.callsOf(poison)).toHaveLength(LOSSES_MOST);
      expect(await world.deliver(poison)).toEqual({ refused: 'done' });
      const others = (await world.jobs()).filter(({ id }) => id !== poison.id);
      expect(others.map(({ state, attempt }) => [state, attempt])).toEqual(Array(LOSSES_MOST).fill(['completed', 1]));
    },
  );
}

/** What depends on nothing but time. */
export function longRunScenarios(open: Open): void {
  scenario(
    open,
    'W06 a provider that needs 700 s: aborted at the deadline of its attempt, within its delivery; nothing is written after',
    async (world) => {
      world.provider.answerWith(async function* (call) {
        for (let seconds = 0; call.nth === 1 && seconds < 700; seconds += 20) {
          await new Promise<void>((resolve) => void world.clock.setTimer(resolve, 20_000));
          yield { type: 'activity' } satisfies LlmPart;
        }
        yield* answer(call);
      });
      const job = await world.submit();
      const startedMs = world.clock.monotonicMs();
      expect(await world.deliver(job)).toEqual({ handedBack: 'attempt_timeout' });
      const waiting = await world.ground.get(job);
      const { nextAttemptAt = 0, attempts } = waiting?.job ?? {};
      expect((attempts?.[0]?.endedAt ?? 0) - (attempts?.[0]?.startedAt ?? 0)).toBe(540_000);
      expect(world.callsOf(job)[0]?.signal.aborted).toBe(true);
      // There is no room in this delivery for another attempt: the worker waits out the short pause, and rings.
      expect(world.clock.monotonicMs() - startedMs).toBe(540_000 + nextAttemptAt - (attempts?.[0]?.endedAt ?? 0));
      expect(world.published(job)).toBe(2);
      expect(waiting?.job).toMatchObject({
        ...{ state: 'processing', stage: 'waiting', failures: 1 },
        attempts: [{ n: 1, outcome: 'failed', errorCode: 'attempt_timeout' }],
      });
      await world.pass(500);
      expect((await world.ground.get(job))?.revision).toBe(waiting?.revision);

      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      // Beyond the 700 s: the call that was broken off is heard of no more.
      const ended = await world.ground.get(job);
      await world.pass(200_000);
      expect((await world.ground.get(job))?.revision).toBe(ended?.revision);
      expect(ended?.job).toMatchObject({ state: 'completed', attempt: 2, result: resultOf(2) });
    },
  );
}
