/** N01–N05: jobs with `store: false`: read, unread, unheard, failed, deleted; an hour later nothing that was said is left. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { UNREAD_MS } from '../../shared/core/payloads.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { ADA } from '../support/core-world.ts';
import { take } from '../support/reader.ts';
import type { Instance } from './instance.ts';
import { resultOf } from './provider-double.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const FLEETING: Partial<Submission> = { store: false, stream: true };
const IDLE = { rung: 0, ended: 0, postponed: 0, removed: 0 };
const ADMIN = { tenant: ADA.tenant, user: 'root', scopes: ['admin' as const] };

export function keepingNothingScenarios(open: Open): void {
  scenario(open, 'N01 unread: kept for an hour, then gone for readers, then removed by one sweep', async (world) => {
    const job = await completed(world);
    const ended = await world.read(job);
    expect(ended).toMatchObject({ result: resultOf(1), payloadsExpireAt: (ended.completedAt ?? 0) + UNREAD_MS });
    expect(ended.wakeAt).toBe(ended.payloadsExpireAt);
    expect(await world.main.sweep()).toEqual(IDLE);

    await world.makeDue(job);
    const late = await world.main.service.read(ADA, job.id);
    expect(late.job).toMatchObject({ state: 'completed', payloadsRemovedAt: expect.any(Number) });
    expect(late.job).not.toHaveProperty('result');
    expect((await world.read(job)).result).toEqual(resultOf(1));
    const { events } = await take(world.instance().service, job, world.until);
    expect(events).toMatchObject([{ type: 'snapshot', text: undefined }, { type: 'done' }]);
    expect(JSON.stringify(events)).not.toContain('answer 1');

    expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
    expect(await world.main.sweep()).toEqual(IDLE);
    await expectRemoved(world, job);
    // One version, whether or not the sweeper had come.
    expect((await world.read(job)).version).toBe(late.job.version);
  });

  scenario(open, 'N01 what was answered in vain goes like a result', async (world) => {
    world.provider.answerWith(async function* () {
      yield { type: 'text-delta', text: 'answer 1, not JSON' };
      yield { type: 'finish', reason: 'stop' };
    });
    const input = { prompt: `A ${crypto.randomUUID()}`, response_schema: { type: 'object' }, max_repairs: 0 };
    const job = await world.submit({ ...FLEETING, input });
    await world.until(world.deliver(job));
    expect(await world.read(job)).toMatchObject({ state: 'failed', rejectedText: 'answer 1, not JSON' });
    await world.makeDue(job);
    expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
    expect(await world.read(job)).not.toHaveProperty('rejectedText');
    await expectRemoved(world, job);
  });

  for (const [how, read] of READERS) {
    scenario(open, `N02 read ${how}: given again for a minute, then removed`, async (world) => {
      const job = await completed(world);
      const before = await world.read(job);
      const reader = world.instance();
      expect(await read(world, reader, job)).toEqual(resultOf(1));
      const after = await world.read(job);
      expect(after.payloadsExpireAt ?? 0).toBeLessThan(before.payloadsExpireAt ?? 0);
      expect((after.payloadsExpireAt ?? 0) - (after.completedAt ?? 0)).toBeLessThan(UNREAD_MS);
      expect(after).toMatchObject({ version: before.version, wakeAt: after.payloadsExpireAt });
      const updates = reader.store.calls('update');
      expect(await read(world, world.instance(), job)).toEqual(resultOf(1));
      // The first read counts: a reader who comes back does not keep it.
      expect(await world.read(job)).toEqual(after);
      expect(reader.store.calls('update')).toBe(updates);
      await world.makeDue(job);
      expect(await read(world, reader, job)).toBeUndefined();
      expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
      await expectRemoved(world, job);
    });
  }

  scenario(open, "N02 an administrator's look does not take the owner's answer away", async (world) => {
    const job = await completed(world);
    const before = await world.read(job);
    expect((await world.main.service.read(ADMIN, job.id)).job.result).toEqual(resultOf(1));
    expect(await world.read(job)).toEqual(before);
  });

  scenario(open, 'N02 an answer before the end is no read', async (world) => {
    world.provider.answerWith(world.provider.held);
    const job = await world.submit(FLEETING);
    const { outcome } = await inCall(world, job, world.main);
    await world.main.service.read(ADA, job.id);
    world.answerTo(job);
    await world.until(outcome);
    const { completedAt = 0, payloadsExpireAt } = await world.read(job);
    expect(payloadsExpireAt).toBe(completedAt + UNREAD_MS);
  });

  for (const fault of ['before', 'after', 'hang'] as const) {
    scenario(open, `N03 the note of a read fails (${fault}): the read answers all the same`, async (world) => {
      const job = await completed(world);
      const reader = world.instance();
      reader.store.fail('update', fault);
      const { job: given } = await world.until(reader.service.read(ADA, job.id));
      expect(given.result).toEqual(resultOf(1));
      expect(reader.store.fired(fault)).toBe(1);
      const { completedAt = 0, payloadsExpireAt = 0 } = await world.read(job);
      expect(payloadsExpireAt === completedAt + UNREAD_MS).toBe(fault !== 'after');
      await world.makeDue(job);
      expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
      await expectRemoved(world, job);
    });
  }

  scenario(
    open,
    'N03 chunks that cannot be removed: everything stays due, and goes with the next sweep',
    async (world) => {
      const job = await completed(world);
      await world.makeDue(job);
      world.main.chunks.fail('remove', 'before');
      expect(await world.main.sweep()).toEqual(IDLE);
      expect(world.main.chunks.fired('before')).toBe(1);
      expect(world.lines.join('\n')).toContain('wake-failed');
      expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
      await expectRemoved(world, job);
    },
  );

  scenario(open, 'N03 three sweepers at once remove it once', async (world) => {
    const job = await completed(world);
    await world.makeDue(job);
    const swept = await Promise.all([1, 2, 3].map(() => world.instance().sweep()));
    expect(swept.reduce((sum, { removed }) => sum + removed, 0)).toBe(1);
    await expectRemoved(world, job);
  });

  scenario(open, 'N04 failed: its input, its text and the words of its failure go, its code stays', async (world) => {
    world.provider.answerWith(async function* () {
      yield { type: 'text-delta', text: 'half ' };
      throw new ServiceError('invalid_request', 'The provider refuses the request: canary');
    });
    const job = await world.submit(FLEETING);
    expect(await world.deliver(job)).toEqual({ finished: 'failed' });
    expect(await world.chunks.list(job, 1, 0)).toHaveLength(1);
    await world.makeDue(job);
    expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
    const ended = await world.read(job);
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'invalid_request' } });
    expect(JSON.stringify(ended)).not.toContain('canary');
    await expectRemoved(world, job);
  });

  scenario(open, 'N04 cancelled before it was claimed: its input goes an hour later', async (world) => {
    const job = await world.submit(FLEETING);
    await world.main.service.cancel(ADA, job.id);
    await world.makeDue(job);
    expect(await world.main.sweep()).toEqual({ ...IDLE, removed: 1 });
    await expectRemoved(world, job);
  });

  scenario(open, 'N04 expired before it was read: its payloads do not wait an hour', async (world) => {
    const job = await completed(world, { retentionMs: 60_000 });
    const { payloadsExpireAt, expiresAt } = await world.read(job);
    expect(payloadsExpireAt).toBe(expiresAt);
  });

  scenario(open, 'N04 deleted, before its end and after: nothing is left to wait for', async (world) => {
    const [before, after] = [await world.submit(FLEETING), await completed(world)];
    for (const job of [before, after]) {
      await world.main.service.remove(ADA, job.id);
      const deleted = await world.read(job);
      expect(deleted.wakeAt).toBeNull();
      expect(deleted).not.toHaveProperty('payloadsExpireAt');
    }
    expect(await world.main.sweep()).toEqual(IDLE);
  });

  scenario(open, 'N04 deleted in its call: its end leaves nothing to wait for', async (world) => {
    world.provider.answerWith(world.provider.held);
    const job = await world.submit(FLEETING);
    const { outcome } = await inCall(world, job, world.instance({ deaf: true }));
    await world.main.service.remove(ADA, job.id);
    world.answerTo(job);
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    expect((await world.read(job)).wakeAt).toBeNull();
  });

  scenario(open, 'N05 a repeat after the removal is answered with the first job, and calls nobody', async (world) => {
    const same = { ...FLEETING, input: { prompt: 'once' }, idempotencyKey: 'k-1' };
    const job = await world.submit(same);
    await world.deliver(job);
    await expect(world.submit({ ...same, store: undefined })).rejects.toMatchObject({ code: 'idempotency_conflict' });
    await world.makeDue(job);
    await world.main.sweep();
    for (const again of [same, { ...same, input: { prompt: 'other' } }]) {
      const { job: first, replayed } = await world.main.service.submit(ADA, {
        ...{ jobType: 'general_llm_request', model: 'simulated' },
        ...again,
      });
      expect([first.id, first.state, replayed]).toEqual([job.id, 'completed', true]);
    }
    expect(world.callsOf({ ...job, questionId: 'once' })).toHaveLength(1);
    await expectRemoved(world, job);
  });
}

type Read = (world: World, by: Instance, job: Job) => Promise<unknown>;

/** Every way to be given a result. */
const READERS: [how: string, read: Read][] = [
  ['once', async (_, { service }, { id }) => (await service.read(ADA, id)).job.result],
  [
    'with a wait',
    async ({ until }, { service }, { id }) => (await until(service.read(ADA, id, { waitMs: 10 }))).job.result,
  ],
  ['by its id', async (_, { service }, { id }) => (await service.readMany(ADA, [id]))[0]?.job.result],
  [
    'in a list',
    async (_, { service }, { id }) =>
      (await service.list(ADA, { limit: 100, offset: 0 })).jobs.find(({ job }) => job.id === id)?.job.result,
  ],
  ['as what a cancel answers', async (_, { service }, { id }) => (await service.cancel(ADA, id)).job.result],
  [
    'as the end of a stream',
    async ({ until }, { service }, job) => {
      const last = (await take(service, job, until)).events.at(-1);
      return last?.type === 'done' ? last.seen.job.result : 'no end';
    },
  ],
];

async function completed(world: World, over: Partial<Submission> = {}): Promise<Job> {
  const job = await world.submit({ ...FLEETING, ...over });
  expect(await world.deliver(job)).toEqual({ finished: 'completed' });
  expect(await world.chunks.list(job, 1, 0)).toHaveLength(1);
  return job;
}

async function expectRemoved(world: World, job: Job): Promise<void> {
  const stored = await world.ground.getWithInput(job);
  expect(stored).toMatchObject({ input: null, job: { fingerprint: '', wakeAt: null, store: false } });
  expect(stored?.job).not.toHaveProperty('result');
  expect(stored?.job.payloadsRemovedAt).toBeGreaterThanOrEqual(stored?.job.payloadsExpireAt ?? Infinity);
  expect(await world.chunks.list(job, 1, 0)).toEqual([]);
  // It can be found, and says what became of it.
  expect((await world.main.service.read(ADA, job.id)).job.payloadsRemovedAt).toBeDefined();
}
