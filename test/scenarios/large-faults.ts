/** Q05, further: what is too large for its document while leases run out, jobs are deleted, and readers only look. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { removeOrphans } from '../../shared/core/orphans.ts';
import { READ_GRACE_MS } from '../../shared/core/payloads.ts';
import { ADA } from '../support/core-world.ts';
import type { Generate } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const LARGE = 2_000_000;

const answering: Generate = async function* ({ nth }) {
  yield { type: 'accepted' };
  yield { type: 'text-delta', text: `answer ${nth} `.padEnd(LARGE, '.') };
  yield { type: 'finish', reason: 'stop' };
};

/** How many parts of a set are there. */
async function countParts(world: World, job: Job, set: string): Promise<number> {
  const found = await Promise.all([1, 2, 3].map((n) => world.parts.get({ tenant: job.tenant, id: job.id, set }, n)));
  return found.filter((part) => part !== undefined).length;
}

export function largeFaultScenarios(open: Open): void {
  scenario(
    open,
    'Q05 the store is silent for longer than the lease while a result is put beside it: nobody took over, one call',
    async (world) => {
      world.provider.answerWith(answering);
      const job = await world.submit();
      // Heartbeats, too.
      world.main.parts.fail('put', 'hang');
      world.main.store.fail('update', 'hang', { skip: 1 });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect([world.main.parts.fired('hang'), world.main.store.fired('hang')]).toEqual([1, 1]);
      expect(world.lines.filter((line) => line.includes('not renewed in time'))).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1 });
      expect(world.callsOf(job)).toHaveLength(1);
    },
    { leaseMs: 2_000 },
  );

  scenario(
    open,
    'Q05 putting a result beside its job takes longer than the lease: it is renewed meanwhile',
    async (world) => {
      world.provider.answerWith(answering);
      const job = await world.submit();
      world.main.parts.fail('put', 'slow', { times: 3 });
      const outcome = world.main.run(job);
      await world.eventually(() => world.main.parts.calls('put') === 3);
      await world.pass(1_500);
      expect(await world.instance().sweep()).toMatchObject({ rung: 0, ended: 0, postponed: 0 });
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(world.main.parts.fired('slow')).toBe(3);
      expect(world.lines.filter((line) => line.includes('not renewed in time'))).toEqual([]);
      expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1 });
    },
    { leaseMs: 2_000 },
  );

  scenario(
    open,
    'Q05 a job is deleted while one who lost it puts its result beside it: no part stays',
    async (world) => {
      world.provider.answerWith(answering);
      const job = await world.submit();
      const zombie = world.instance();
      zombie.parts.before('put', async () => {});
      // When the first part is there, the lease has run out: the delete ends the job at once.
      zombie.parts.before('put', async () => {
        await world.poke(job, { leaseExpiresAt: 1 });
        await world.main.service.remove(ADA, job.id);
      });
      expect(await world.deliver(job, zombie)).toEqual({ lost: true });
      const { token, attempt } = await world.read(job);
      expect(zombie.parts.calls('put')).toBe(3);
      expect(await countParts(world, job, `${attempt}-${token}`)).toBe(0);
    },
  );

  scenario(open, 'Q05 parts that can never be stored end their job: it is not paid for again', async (world) => {
    world.provider.answerWith(answering);
    const job = await world.submit();
    world.main.parts.fail('put', 'refused');
    expect(await world.deliver(job)).toEqual({ finished: 'failed' });
    expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'result_unstorable' } });
    expect(world.callsOf(job)).toHaveLength(1);
  });

  scenario(
    open,
    'Q05 with store: false a large result that a list, or a cancel, leaves out has not been read',
    async (world) => {
      world.provider.answerWith(answering);
      const job = await world.submit({ store: false });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      const before = (await world.read(job)).payloadsExpireAt;
      const { service } = world.main;
      await service.list(ADA, { limit: 20, offset: 0 });
      await service.readMany(ADA, [job.id]);
      await service.cancel(ADA, job.id);
      await service.listWithInputs(ADA, { limit: 20, offset: 0 }, () => true);
      // A reader of a stream who has left when its end came.
      const stream = await world.until(service.stream(ADA, job.id, undefined, new AbortController().signal));
      const events = 'events' in stream ? stream.events[Symbol.asyncIterator]() : undefined;
      const next = async () => events && (await world.until(events.next())).value;
      expect(await next()).toMatchObject({ type: 'snapshot' });
      expect(await next()).toMatchObject({ type: 'done' });
      await events?.return?.();
      expect((await world.read(job)).payloadsExpireAt).toBe(before);
      const { job: read } = await world.until(service.read(ADA, job.id));
      expect(read.result).toMatchObject({ success: true });
      expect(
        Math.abs(((await world.read(job)).payloadsExpireAt ?? 0) - READ_GRACE_MS - world.clock.nowMs()),
      ).toBeLessThan(READ_GRACE_MS);
    },
  );

  scenario(open, 'Q05 a result that goes while it is read (store: false): its reader is shown that', async (world) => {
    world.provider.answerWith(answering);
    const job = await world.submit({ store: false });
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    const reader = world.instance();
    reader.parts.before('get', async () => {
      await world.makeDue(job);
      expect(await world.main.sweep()).toMatchObject({ removed: 1 });
    });
    const seen = await world.until(reader.service.read(ADA, job.id));
    expect(seen.job).toMatchObject({ state: 'completed', payloadsRemovedAt: expect.any(Number) });
    expect(seen.job).not.toHaveProperty('result');
  });

  scenario(open, 'Q05 a delete dies before it has removed the parts: the sweeper finds them', async (world) => {
    world.provider.answerWith(answering);
    const job = await world.submit();
    expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    const set = (await world.read(job)).parts?.result?.name ?? '';
    // Looked at once, and named: nobody looks again.
    await world.parts.check({ tenant: job.tenant, id: job.id, set }, null);
    const mortal = world.instance();
    mortal.parts.fail('remove', 'crash');
    void mortal.service.remove(ADA, job.id);
    await world.eventually(() => mortal.parts.fired('crash') === 1);
    expect(await countParts(world, job, set)).toBe(3);
    for (const key of await world.parts.unchecked(Date.now() * 2, 10)) await world.parts.check(key, 1);
    await removeOrphans({ store: world.ground, parts: world.parts, clock: world.clock, log: () => {} });
    expect(await countParts(world, job, set)).toBe(0);
  });

  scenario(open, 'Q05 more sets than one look takes are all looked at', async (world) => {
    const { tenant, id } = await world.submit();
    const sets = Array.from({ length: 250 }, (_, index) => `1-orphan${index}`);
    for (const set of sets) await world.parts.put({ tenant, id, set }, { n: 1, text: '.', deleteAt: 9e12, checkAt: 1 });
    await removeOrphans({ store: world.ground, parts: world.parts, clock: world.clock, log: () => {} });
    expect((await world.parts.unchecked(world.clock.nowMs(), 1_000)).length).toBe(0);
  });
}
