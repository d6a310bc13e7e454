/** X03: two versions side by side: what the older one does with documents of the newer, and with fields that it does not know. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';
import { ADA } from '../support/core-world.ts';
import { ON as CREDITS_ON } from './credits.ts';
import { ENDS, hook } from './webhooks.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const IDLE = { rung: 0, ended: 0, postponed: 0, removed: 0 };
/** What makes a document one of a newer version. */
const NEWER: [how: string, changes: Partial<Job>][] = [
  ['a schema', { schemaVersion: SCHEMA_VERSION + 1 }],
  ['a state', { state: 'paused' as Job['state'] }],
];
/** What a newer version may add, at any place. */
const LATER = { later: { laterAt: 1_700_000_000_123, list: [{ deep: true }, 0.5], none: null } };

export function versionScenarios(open: Open): void {
  for (const [how, changes] of NEWER) {
    scenario(open, `X03 a document with ${how} that nobody here knows is left alone, and is shown`, async (world) => {
      const job = await ended(world);
      const { state } = await world.read(job);
      await world.poke(job, { ...changes, wakeAt: 1 });
      const before = await world.ground.getWithInput(job);
      expect(await world.main.run(job)).toEqual({ refused: 'newer-version' });
      expect(await world.main.sweep()).toEqual(IDLE);
      expect(world.lines.filter((line) => line.includes('newer-versions-passed'))).toHaveLength(1);
      const { service } = world.main;
      for (const ask of [service.cancel, service.remove, service.redrive, service.redeliver]) {
        const answer = await ask(ADA, job.id).catch((error: unknown) => error);
        expect(answer).toMatchObject({
          ...{ code: 'store_unavailable', retryAfterMs: 5_000 },
          message: 'The job was written by a newer version of this service. Try again.',
        });
      }
      expect((await service.read(ADA, job.id)).job).toMatchObject({ id: job.id, error: { code: 'auth' } });
      expect((await service.list(ADA, { limit: 10, offset: 0 })).jobs).toHaveLength(1);
      expect(await world.ground.getWithInput(job)).toEqual({ ...before, readAtMs: expect.any(Number) });
      await world.poke(job, { state, schemaVersion: SCHEMA_VERSION, wakeAt: null });
    });
  }

  scenario(open, 'X03 documents of a newer version do not stand before the others', async (world) => {
    const [fine, ...odd] = await Promise.all(Array.from({ length: 121 }, () => world.submit()));
    await Promise.all(odd.map((job) => world.poke(job, { schemaVersion: SCHEMA_VERSION + 1, wakeAt: 1 })));
    await world.makeDue(fine as Job);
    expect(await world.main.sweep()).toEqual({ ...IDLE, rung: 1 });
    expect(world.published(fine)).toBe(2);
    expect(odd.map((job) => world.published(job))).toEqual(odd.map(() => 1));
    expect(await world.main.sweep()).toEqual(IDLE);
  });

  const limits = { limits: new Map([['*', 1]]) };
  scenario(
    open,
    'X03 one of a newer version that waits for a slot keeps it from nobody, and is not given it',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const [first, odd, third] = [await world.submit(), await world.submit(), await world.submit()];
      const { outcome } = await inCall(world, first, world.main);
      for (const job of [odd, third]) expect(await world.deliver(job)).toEqual({ refused: 'parked' });
      await world.poke(odd, { schemaVersion: SCHEMA_VERSION + 1 });
      const before = await world.ground.get(odd);
      world.answerTo(first);
      await world.until(outcome);
      // The slot is kept for the one that is ours.
      expect(await world.read(third)).toMatchObject({ state: 'pending', slotUntil: expect.any(Number) });
      expect((await world.ground.get(odd))?.revision).toBe(before?.revision);
      const last = await inCall(world, third, world.main);
      world.answerTo(third);
      expect(await world.until(last.outcome)).toEqual({ finished: 'completed' });
      expect((await world.ground.get(odd))?.revision).toBe(before?.revision);
    },
    limits,
  );

  scenario(
    open,
    'X03 what nobody here knows of a document stays in it, whatever is written',
    async (world) => {
      await world.fund(1_000_000);
      world.provider.answerWith(world.provider.held);
      const job = await world.submit({ ...hook(), stream: true, store: false, tags: ['t'], metadata: { a: 'b' } });
      await add(world, job);
      const { outcome } = await inCall(world, job, world.main);
      await add(world, job);
      await world.main.service.cancel(ADA, job.id);
      await world.until(outcome);
      expect(await world.read(job)).toMatchObject({ state: 'cancelled', outbox: { notices: [{}] } });
      await add(world, job);
      await world.deliverRung();
      expect(world.receiver.calls(job)).toHaveLength(1);
      await add(world, job);
      await world.main.service.redeliver(ADA, job.id);
      await world.deliverRung();
      expect(world.receiver.calls(job)).toHaveLength(2);
      expect(await world.main.service.redrive(ADA, job.id)).toMatchObject({ job: { state: 'pending' } });

      const { job: left } = (await world.ground.getWithInput(job)) ?? {};
      // All of these were written by us since, or beside what was; the second delivery is new.
      const { deliveries = [], ...whole } = left as Job;
      expect(whole).toMatchObject({
        redrivenAs: expect.any(String),
        settled: {},
        hold: {},
        spent: {},
        limits: {},
        webhook: {},
      });
      expect(whole).toMatchObject(known(whole));
      expect(deliveries).toMatchObject([LATER, {}]);
      await world.main.service.remove(ADA, job.id);
      expect((await world.ground.getWithInput(job))?.job).toMatchObject({ ...LATER, deletedAt: expect.any(Number) });
    },
    CREDITS_ON,
  );
}

/** One that failed, with a webhook that was told. */
async function ended(world: World): Promise<Job> {
  world.provider.answerWith(() => {
    throw new ServiceError('auth', 'No.');
  });
  const job = await world.submit(hook(ENDS));
  await world.until(world.deliver(job));
  await world.deliverRung();
  expect(await world.read(job)).toMatchObject({ state: 'failed', deliveries: [{}] });
  return job;
}

/** A newer version adds its fields to the document and to whatever is in it. */
async function add(world: World, key: Job): Promise<void> {
  const { job } = (await world.ground.get(key)) ?? {};
  if (!job) throw new Error('there is no such job');
  await world.poke(key, known(job));
}

/** The fields of a job that hold others, each with what a newer version added. */
function known(job: Job): Partial<Job> {
  const inside = <T>(value: T): T => ({ ...value, ...LATER });
  const { model, limits, attempts, spent, hold, webhook, outbox, deliveries, error } = job;
  const given = {
    ...{ model, limits, spent, hold, webhook, error },
    ...(outbox && { outbox: { ...outbox, notices: outbox.notices.map(inside) } }),
  };
  const objects = Object.entries(given).flatMap(([name, value]) => (value ? [[name, inside(value)]] : []));
  return {
    ...LATER,
    ...Object.fromEntries(objects),
    attempts: attempts.map(inside),
    ...(deliveries && { deliveries: deliveries.map(inside) }),
  };
}
