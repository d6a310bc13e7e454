/** H01–H03, R07: receivers that fail, workers that die between a POST and its record, ends that come while a start is told. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { NOTICE_TYPES, type NoticeType } from '../../shared/core/notices.ts';
import { withoutOutbox } from '../../shared/core/outbox.ts';
import { NOTICE_PAUSES_MS, NOTICE_TRIES_MOST } from '../../shared/core/outbox-tries.ts';
import { sleep } from '../../shared/core/ports.ts';
import type { Fault } from '../support/faulty.ts';
import type { Instance } from './instance.ts';
import { FAILURES, OK } from './receiver-double.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

export const ALL: NoticeType[] = [...NOTICE_TYPES];
export const ENDS: NoticeType[] = ['completed', 'failed', 'cancelled'];
const URL = 'https://hooks.example.com/jobs';
const IDLE = { rung: 0, ended: 0, postponed: 0, removed: 0 };

export const hook = (events: NoticeType[] = ENDS) => ({ webhook: { url: URL, events } });

/** `ways`: how the receiver fails; `faults`: how the store does, where each takes real time. */
export function webhookScenarios(
  open: Open,
  ways: readonly (keyof typeof FAILURES)[] = ['500', 'timeout', 'redirect', 'refused', 'network'],
  faults: readonly Fault[] = ['before', 'after', 'hang', 'late', 'duplicate', 'crash', 'crash-after'],
): void {
  scenario(open, 'H01 a receiver that takes it: one POST, and nothing is left but the log', async (world) => {
    const job = await ended(world, hook());
    await world.deliverRung();
    expect(world.receiver.calls(job)).toMatchObject([{ type: 'completed', version: 3, url: URL, tenant: 'default' }]);
    const told = await world.read(job);
    expect(told).toMatchObject({ wakeAt: null, deliveries: [{ type: 'completed', version: 3, status: 204 }] });
    expect(told).not.toHaveProperty('outbox');
    expect(await world.main.sweep()).toEqual(IDLE);
  });

  for (const way of ways) {
    scenario(
      open,
      `H01 a receiver that fails (${way}): ten tries, the same id and body, and the job is as it was`,
      async (world) => {
        world.receiver.answerWith(() => FAILURES[way]);
        const job = await ended(world, hook());
        const before = await world.read(job);
        await untilTold(world, job);
        const after = await world.read(job);
        expect(alone(after)).toEqual(alone(before));
        const calls = world.receiver.calls(job);
        expect(calls).toHaveLength(NOTICE_TRIES_MOST);
        expect(new Set(calls.map(({ id, body }) => `${id} ${body}`)).size).toBe(1);
        const { failure, message } = FAILURES[way];
        expect(after.deliveries).toMatchObject(Array(NOTICE_TRIES_MOST).fill({ failure, message, version: 3 }));
        expect(world.lines.filter((line) => line.includes('notices-given-up'))).toHaveLength(1);
        expect(await world.main.sweep()).toEqual(IDLE);
        if (!world.isVirtual) return;
        const took = way === 'timeout' ? FAILURES[way].ms : 0;
        const pauses = calls.slice(1).map(({ atMs }, index) => atMs - (calls[index]?.atMs ?? 0) - took);
        for (const [index, pauseMs] of pauses.entries()) {
          const least = NOTICE_PAUSES_MS[index] ?? 0;
          expect(pauseMs).toBeGreaterThanOrEqual(least);
          // The jitter, and the millisecond of the sweep.
          expect(pauseMs).toBeLessThanOrEqual(least * 1.2 + 2);
        }
      },
    );
  }

  scenario(open, 'H01 410: no further try, also not of what comes later; its owner can ask for one', async (world) => {
    world.receiver.answerWith(() => FAILURES.gone);
    world.provider.answerWith(world.provider.held);
    const job = await world.submit(hook(ALL));
    const { outcome } = await inCall(world, job, world.main);
    await world.eventually(() => world.published(job) === 2);
    await world.deliverRung(world.instance());
    world.answerTo(job);
    await world.until(outcome);
    await untilTold(world, job);
    expect(world.receiver.calls(job).map(({ type }) => type)).toEqual(['started']);
    expect((await world.read(job)).deliveries).toMatchObject([{ status: 410 }, { type: 'completed', failure: 'gone' }]);
    world.receiver.answerWith(() => OK);
    await world.main.service.redeliver({ tenant: job.tenant, user: job.user, scopes: [] }, job.id);
    await world.deliverRung();
    expect(world.receiver.calls(job).map(({ type }) => type)).toEqual(['started', 'completed']);
  });

  scenario(
    open,
    'H02 a worker that dies after the POST, before it is written down: again, with the same id',
    async (world) => {
      const job = await ended(world, hook());
      const victim = world.instance();
      victim.webhooks.fail('send', 'crash-after');
      void victim.run(job);
      await world.eventually(() => victim.webhooks.fired('crash-after') === 1);
      expect(await world.read(job)).toMatchObject({ outbox: { tries: 1, token: expect.any(String) } });
      await world.deliverRung();
      expect(world.receiver.calls(job)).toHaveLength(1);
      await toldAfterFault(world, job, 2);
    },
  );

  // The claim that finds nothing to claim, the taking of the outbox, and what came of it.
  for (const [method, skip, what] of [
    ['getWithInput', 0, 'the look'],
    ['update', 0, 'the right to tell'],
    ['update', 1, 'what came of it'],
  ] as const) {
    for (const fault of faults) {
      if (method === 'getWithInput' && fault === 'duplicate') continue;
      scenario(open, `H02 the store fails at ${what} (${fault}): told at last, with one id`, async (world) => {
        const job = await ended(world, hook());
        const victim = world.instance();
        victim.store.fail(method, fault, { skip });
        void victim.run(job).catch(() => {});
        await world.eventually(() => victim.store.fired(fault) === 1);
        // The others have the longest that a call of the store may take.
        if (fault === 'hang' || fault === 'late') await world.pass(6_000);
        await toldAfterFault(world, job, fault === 'crash' && skip === 1 ? 2 : 1);
      });
    }
  }

  scenario(open, 'H02 two workers and fifty copies of the doorbell at once: one POST', async (world) => {
    world.receiver.answerWith(async () => {
      await sleep(world.clock, 500);
      return OK;
    });
    const job = await ended(world, hook());
    const workers = [world.instance(), world.instance()];
    await world.until(Promise.all(Array.from({ length: 50 }, (_, n) => (workers[n % 2] as Instance).run(job))));
    expect(world.receiver.calls(job)).toHaveLength(1);
    expect(await world.read(job)).not.toHaveProperty('outbox');
  });

  scenario(
    open,
    'H03 the start is told in vain while the job completes: both are told, in their order',
    async (world) => {
      world.receiver.answerWith(({ nth }) => (nth <= 1 ? FAILURES['500'] : OK));
      const job = await endedWhileTold(world);
      await untilTold(world, job);
      const calls = world.receiver.calls(job);
      expect(calls.map(({ type, version }) => `${type} ${version}`)).toEqual(['started 2', 'started 2', 'completed 3']);
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    },
  );

  scenario(open, 'H03 a receiver that never takes the start: it has the end, and no start after it', async (world) => {
    world.receiver.answerWith(({ type }) => (type === 'started' ? FAILURES['500'] : OK));
    const job = await endedWhileTold(world);
    await untilTold(world, job);
    const types = world.receiver.calls(job).map(({ type }) => type);
    expect(types).toEqual(['started', 'started', 'started', 'started', 'completed']);
    expect((await world.read(job)).deliveries?.at(-1)).toMatchObject({ type: 'completed', status: 204 });
  });

  scenario(
    open,
    'R07 a receiver that says nothing, and a store that fails: other jobs go on, and the end stands',
    async (world) => {
      let answerNow = () => {};
      world.receiver.answerWith(async ({ jobId, nth }) => {
        if (jobId === slow.id && nth === 1)
          await new Promise<void>((resolve) => {
            answerNow = resolve;
          });
        return OK;
      });
      const slow: Job = await ended(world, hook());
      const teller = world.instance();
      const telling = teller.run(slow);
      telling.catch(() => {});
      await world.eventually(() => world.receiver.calls(slow).length === 1);
      teller.store.fail('update', 'before');
      teller.store.fail('get', 'before');
      // Meanwhile, by the same worker and by others.
      const other = await world.submit(hook());
      expect(await world.deliver(other)).toEqual({ finished: 'completed' });
      await world.deliver(other);
      expect(await world.read(other)).toMatchObject({ state: 'completed', deliveries: [{ status: 204 }] });
      const stuck = await world.submit();
      await world.makeDue(stuck);
      await world.main.sweep();
      expect(world.published(stuck)).toBe(2);
      answerNow();
      await expect(world.until(telling)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(teller.store.fired('before')).toBe(2);
      expect(await world.read(slow)).toMatchObject({ state: 'completed', version: 3 });
      await toldAfterFault(world, slow, 2);
    },
  );
}

/** What time alone decides. */
export function webhookTimeScenarios(open: Open): void {
  scenario(
    open,
    'H03 a teller that stood still in a call: it makes no other, for others tell what is newer',
    async (world) => {
      world.receiver.answerWith(async ({ nth }) => {
        if (nth === 1) await sleep(world.clock, 120_000);
        return OK;
      });
      const job = await ended(world, hook(ALL));
      const late = world.instance().run(job);
      await world.eventually(() => world.receiver.calls(job).length === 1);
      await untilTold(world, job);
      expect(world.receiver.calls(job).map(({ version }) => version)).toEqual([2, 2, 3]);
      const { deliveries } = await world.read(job);
      await world.until(late);
      expect(world.receiver.calls(job)).toHaveLength(3);
      expect((await world.read(job)).deliveries).toEqual(deliveries);
    },
  );

  scenario(open, 'H01 a receiver that asks for an hour is not called within it, whatever happens', async (world) => {
    const patience = { ...FAILURES['500'], status: 429, retryAfterMs: 3_600_000 };
    world.receiver.answerWith(({ nth }) => (nth === 1 ? patience : OK));
    const job = await endedWhileTold(world);
    await world.deliverRung();
    await untilTold(world, job);
    const [first, ...others] = world.receiver.calls(job);
    expect(others.map(({ type }) => type)).toEqual(['started', 'completed']);
    for (const { atMs } of others) expect(atMs - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(3_600_000);
  });
}

/** A job that is over, and whose end nobody was told yet. */
async function ended(world: World, over: Parameters<World['submit']>[0]): Promise<Job> {
  const job = await world.submit(over);
  expect(await world.deliver(job)).toEqual({ finished: 'completed' });
  return job;
}

/** A job whose start is told once, in vain or not, before it completes. */
async function endedWhileTold(world: World): Promise<Job> {
  world.provider.answerWith(world.provider.held);
  const job = await world.submit(hook(ALL));
  const { outcome } = await inCall(world, job, world.main);
  await world.deliver(job, world.instance());
  expect(world.receiver.calls(job)).toMatchObject([{ type: 'started', version: 2 }]);
  world.answerTo(job);
  expect(await world.until(outcome)).toEqual({ finished: 'completed' });
  return job;
}

/** Time, sweeper and workers do what they do until nobody is left to be told. */
export async function untilTold(world: World, job: Job): Promise<void> {
  for (let rounds = 0; rounds < 40; rounds++) {
    if ((await world.read(job)).outbox) await world.deliver(job);
    if (!(await world.read(job)).outbox) return;
    await world.makeDue(job);
    await world.main.sweep();
  }
  throw new Error('it is not told');
}

/** Whatever failed, in the end the receiver has it, under one id, and the job is as it was. */
async function toldAfterFault(world: World, job: Job, callsMost: number): Promise<void> {
  const before = await world.read(job);
  await untilTold(world, job);
  const calls = world.receiver.calls(job);
  expect(calls.length).toBeGreaterThanOrEqual(1);
  expect(calls.length).toBeLessThanOrEqual(callsMost);
  expect(new Set(calls.map(({ id, body }) => `${id} ${body}`)).size).toBe(1);
  const after = await world.read(job);
  expect(alone(after)).toEqual(alone(before));
  expect(after).toMatchObject({ version: 3, deliveries: [{ status: 204 }] });
}

/** The job as it would be had nobody to be told; in real time instants are shifted. */
function alone(job: Job): Job {
  const { outbox: _, deliveries: __, wakeAt: ___, ...life } = withoutOutbox(job);
  return life as Job;
}
