/** E01–E04: a delete at every moment of a job, unanswered, unheard, repeated: the job is not found, and nothing comes back. */
import { expect } from 'vitest';
import { billingOf } from '../../shared/core/billing.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { ADA } from '../support/core-world.ts';
import type { Generate } from './provider-double.ts';
import { inCall, type Open, refusedWrites, scenario, type World } from './world.ts';

const STREAMED: Partial<Submission> = { stream: true, tags: ['mine'], metadata: { a: 'b' }, batchId: 'b' };
const USED = { usage: { totalTokens: 5 } };
const LONG_LEASE = { leaseMs: 60_000 };

export function deleteScenarios(open: Open): void {
  scenario(
    open,
    'E01 delete of a pending job whose doorbell is on its way: the provider is never called',
    async (world) => {
      const job = await world.submit({ ...STREAMED, stream: false });
      expect(world.published(job)).toBe(1);
      expect(await remove(world, job)).toMatchObject({ state: 'cancelled', wakeAt: null });
      expect(await world.deliverRung()).toEqual([{ refused: 'done' }]);
      expect(world.callsOf(job)).toHaveLength(0);
      expect(billingOf(await world.read(job))).toBe('none');
      await expectGone(world, job);
    },
  );

  scenario(open, 'E01 delete between the look and the write of a claim: refused, no call is made', async (world) => {
    const job = await world.submit();
    const worker = world.instance();
    worker.store.before('update', () => remove(world, job));
    expect(await world.deliver(job, worker)).toEqual({ refused: 'done' });
    expect(refusedWrites(world, worker)).toHaveLength(1);
    expect(world.callsOf(job)).toHaveLength(0);
    await expectGone(world, job);
  });

  scenario(
    open,
    'E01 delete of a job whose claim landed unanswered: its input is gone, and no call is made',
    async (world) => {
      const job = await world.submit(STREAMED);
      const worker = world.instance();
      worker.store.fail('update', 'after');
      let deleted: Job | undefined;
      worker.store.before('update', async () => {
        worker.store.before('getWithInput', async () => {
          deleted = await remove(world, job);
        });
      });
      expect(await world.deliver(job, worker)).toEqual({ finished: 'cancelled' });
      expect(worker.store.fired('after')).toBe(1);
      expect(deleted).toMatchObject({ state: 'processing', deletedAt: expect.any(Number) });
      expect(world.callsOf(job)).toHaveLength(0);
      expect(await world.read(job)).toMatchObject({
        state: 'cancelled',
        attempts: [{ calls: 0, outcome: 'cancelled' }],
      });
      await expectGone(world, job);
    },
  );

  for (const deaf of [false, true]) {
    const heard = deaf ? 'its listener broken, heard by the heartbeat' : 'heard at once';
    scenario(
      open,
      `E02 delete of a job in its call (${heard}): the call is aborted, attempt and cost stay`,
      async (world) => {
        world.provider.answerWith(textThenHeld(world));
        const job = await world.submit(STREAMED);
        const { outcome } = await inText(world, job, world.instance({ deaf }));
        expect(await remove(world, job)).toMatchObject({ state: 'processing', deletedAt: expect.any(Number) });
        await expectGone(world, job);
        expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
        expect(world.callsOf(job)[0]?.signal.aborted).toBe(true);
        const ended = await world.read(job);
        expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'cancelled', calls: 1 }] });
        expect(billingOf(ended)).toBe('possible');
        await expectGone(world, job);
      },
      // Long enough for a machine that is busy with others, short enough to hear of it by a heartbeat.
      { leaseMs: 9_000 },
    );
  }

  scenario(
    open,
    'E02 delete of a job whose holder does not hear of it: what it writes until its end goes, too',
    async (world) => {
      world.provider.answerWith(textThenHeld(world));
      const job = await world.submit(STREAMED);
      const worker = world.instance({ deaf: true });
      const { outcome } = await inText(world, job, worker);
      await remove(world, job);
      expect(await textOf(world, job)).toEqual([]);
      let before: unknown;
      worker.store.before('update', async () => {
        before = await textOf(world, job);
      });
      world.answerTo(job);
      expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
      expect(before).toEqual(['answer 1']);
      expect(refusedWrites(world, worker)).toMatchObject([{ changes: { state: 'completed' } }]);
      expect(await world.read(job)).toMatchObject({
        state: 'cancelled',
        attempts: [{ outcome: 'cancelled', ...USED }],
      });
      await expectGone(world, job);
    },
    LONG_LEASE,
  );

  scenario(
    open,
    'E02 delete of a job that waits for its next attempt: over at once, never called again',
    async (world) => {
      world.provider.answerWith(async function* () {
        yield await Promise.reject(new ServiceError('rate_limited', 'refused by the test', { retryAfterMs: 120_000 }));
      });
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ handedBack: 'rate_limited' });
      expect(await remove(world, job)).toMatchObject({ state: 'cancelled', wakeAt: null });
      expect(await world.deliver(job)).toEqual({ refused: 'done' });
      expect(await world.read(job)).toMatchObject({ attempts: [{ outcome: 'failed', errorCode: 'rate_limited' }] });
      expect(world.callsOf(job)).toHaveLength(1);
    },
  );

  scenario(open, 'E02 delete of a job that is being cancelled: cancelled, and gone', async (world) => {
    world.provider.answerWith(world.provider.held);
    const job = await world.submit(STREAMED);
    const { outcome } = await inCall(world, job, world.instance({ deaf: true }));
    const { job: cancelled } = await world.main.service.cancel(ADA, job.id);
    expect(cancelled).toMatchObject({ state: 'processing', cancelRequestedAt: expect.any(Number) });
    expect(await remove(world, job)).toMatchObject({ cancelRequestedAt: cancelled.cancelRequestedAt });
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    await expectGone(world, job);
  });

  scenario(
    open,
    'E03 delete that lands just before the finish: the result is dropped, what was used is kept',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit(STREAMED);
      const worker = world.instance({ deaf: true });
      const { outcome } = await inCall(world, job, worker);
      worker.store.before('update', () => remove(world, job));
      world.answerTo(job);
      expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
      expect(refusedWrites(world, worker)).toMatchObject([{ changes: { state: 'completed' } }]);
      const ended = await world.read(job);
      expect(ended).toMatchObject({ state: 'cancelled', attempts: [USED] });
      expect(billingOf(ended)).toBe('final');
      await expectGone(world, job);
    },
  );

  scenario(
    open,
    'E03 delete that lands just after the finish: its result goes, what was used is kept',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit(STREAMED);
      const { outcome } = await inCall(world, job, world.instance({ deaf: true }));
      world.main.store.before('update', async () => {
        world.answerTo(job);
        await world.eventually(async () => (await world.read(job)).state === 'completed');
      });
      expect(await remove(world, job)).toMatchObject({ state: 'completed', deletedAt: expect.any(Number) });
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(refusedWrites(world, world.main)).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({
        state: 'completed',
        attempts: [{ outcome: 'completed', ...USED }],
      });
      await expectGone(world, job);
    },
  );

  scenario(
    open,
    'E03 delete on top of a finish that landed unanswered: the finish stands, its result is gone',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit(STREAMED);
      const worker = world.instance({ deaf: true });
      const { outcome } = await inCall(world, job, worker);
      worker.store.before('update', async () => {
        worker.store.fail('update', 'after');
        worker.store.before('get', () => remove(world, job));
      });
      world.answerTo(job);
      expect(await world.until(outcome)).toEqual({ finished: 'completed' });
      expect(worker.store.fired('after')).toBe(1);
      expect(await world.read(job)).toMatchObject({ state: 'completed', attempts: [USED] });
      await expectGone(world, job);
    },
    LONG_LEASE,
  );

  scenario(
    open,
    'E03 delete while the worker is dead: the sweeper ends the job, and removes what it left',
    async (world) => {
      world.provider.answerWith(textThenHeld(world));
      const job = await world.submit(STREAMED);
      const worker = world.instance({ deaf: true });
      await inText(world, job, worker);
      expect(await remove(world, job)).toMatchObject({ state: 'processing' });
      worker.store.fail('update', 'crash');
      world.answerTo(job);
      await world.eventually(() => worker.store.fired('crash') === 1);
      expect(await textOf(world, job)).toEqual(['answer 1']);
      await world.makeDue(job);
      expect(await world.main.sweep()).toEqual({ rung: 0, ended: 1, postponed: 0, removed: 0 });
      const ended = await world.read(job);
      expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'lost', calls: 1 }] });
      expect(billingOf(ended)).toBe('possible');
      await expectGone(world, job);
    },
    LONG_LEASE,
  );

  scenario(
    open,
    'E03 a doorbell finds the deleted job of a dead worker first: it ends it, and makes no call',
    async (world) => {
      world.provider.answerWith(textThenHeld(world));
      const job = await world.submit(STREAMED);
      const worker = world.instance({ deaf: true });
      await inText(world, job, worker);
      await remove(world, job);
      worker.store.fail('update', 'crash');
      world.answerTo(job);
      await world.eventually(() => worker.store.fired('crash') === 1);
      await world.makeDue(job);
      await world.pass(world.isVirtual ? world.leaseMs : 0);
      await world.poke(job, { leaseExpiresAt: (await world.ground.get(job))?.readAtMs ?? 0 });
      expect(await world.deliver(job)).toEqual({ refused: 'overdue' });
      expect(world.callsOf(job)).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'lost' }] });
      await expectGone(world, job);
    },
    LONG_LEASE,
  );

  scenario(
    open,
    'E03 a worker that stood still while its job was deleted and ended: nothing that it brings is kept',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit(STREAMED);
      const worker = world.instance();
      const { outcome } = await inCall(world, job, worker);
      worker.pause();
      await remove(world, job);
      await world.makeDue(job);
      expect(await world.main.sweep()).toEqual({ rung: 0, ended: 1, postponed: 0, removed: 0 });
      const ended = await world.ground.get(job);
      world.answerTo(job);
      await world.eventually(() => refusedWrites(world, worker).length === 1);
      expect(worker.chunks.calls('put')).toBe(1);
      worker.resume();
      expect(await world.until(outcome)).toEqual({ lost: true });
      expect((await world.ground.get(job))?.revision).toBe(ended?.revision);
      await expectGone(world, job);
    },
    LONG_LEASE,
  );

  scenario(
    open,
    'E04 a delete that was done but reported failed: answered as done, and a second one is 404',
    async (world) => {
      const job = await world.submit(STREAMED);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(await textOf(world, job)).toHaveLength(1);
      const updates = world.main.store.calls('update');
      world.main.store.fail('update', 'after');
      expect(await remove(world, job)).toMatchObject({ state: 'completed', deletedAt: expect.any(Number) });
      expect(world.main.store.fired('after')).toBe(1);
      expect(world.main.store.calls('update')).toBe(updates + 1);
      await expectGone(world, job);
    },
  );

  scenario(
    open,
    'E04 a delete that was done and never answered: repeated, it is 404, and nothing is left',
    async (world) => {
      const job = await world.submit(STREAMED);
      await world.deliver(job);
      world.main.store.before('update', async () => {
        world.main.store.fail('update', 'after');
        world.main.store.fail('get', 'before');
      });
      await expect(remove(world, job)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect([world.main.store.fired('after'), world.main.store.fired('before')]).toEqual([1, 1]);
      expect(await textOf(world, job)).toHaveLength(1);
      await expect(remove(world, job)).rejects.toMatchObject({ code: 'job_not_found' });
      await expectGone(world, job);
    },
  );

  scenario(open, 'E04 chunks that could not be removed: 503, and the repeat removes them', async (world) => {
    const job = await world.submit(STREAMED);
    await world.deliver(job);
    world.main.chunks.fail('remove', 'before', { times: 2 });
    for (let times = 0; times < 2; times++) {
      await expect(remove(world, job)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await textOf(world, job)).toHaveLength(1);
      await expect(world.main.service.read(ADA, job.id)).rejects.toMatchObject({ code: 'job_not_found' });
    }
    expect(world.main.chunks.fired('before')).toBe(2);
    await expect(remove(world, job)).rejects.toMatchObject({ code: 'job_not_found' });
    await expectGone(world, job);
  });

  scenario(open, 'E04 ten deletes at once: the job is deleted once', async (world) => {
    const job = await world.submit(STREAMED);
    await world.deliver(job);
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => remove(world, job)));
    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.code] : []));
    expect(refused.length).toBeLessThan(10);
    expect(new Set(refused)).toEqual(new Set(refused.length > 0 ? ['job_not_found'] : []));
    await expectGone(world, job);
  });

  scenario(open, 'E04 a repeat of the submit of a deleted job makes no other one', async (world) => {
    const same = { ...STREAMED, input: { prompt: 'once' }, idempotencyKey: 'k-1' };
    const job = await world.submit(same);
    await world.deliver(job);
    await remove(world, job);
    const refusal = { code: 'job_id_taken', message: expect.stringContaining('deleted') };
    await expect(world.submit(same)).rejects.toMatchObject(refusal);
    await expect(world.submit({ ...same, input: { prompt: 'other' } })).rejects.toMatchObject(refusal);
    expect(await world.jobs()).toHaveLength(1);
    expect(world.callsOf(job)).toHaveLength(1);
  });
}

async function remove(world: World, { id }: Job): Promise<Job> {
  return (await world.main.service.remove(ADA, id)).job;
}

/** Some text at once, the rest when the test opens it. */
function textThenHeld({ provider }: World): Generate {
  return async function* (call) {
    yield { type: 'text-delta', text: 'first ' };
    yield* provider.held(call);
  };
}

/** In its call, with the first of its text written. */
async function inText(world: World, job: Job, by: World['main']) {
  const call = await inCall(world, job, by);
  await world.eventually(async () => (await textOf(world, job)).length > 0);
  return call;
}

async function textOf({ main }: World, job: Job): Promise<string[]> {
  return (await main.chunks.list(job, 1, 0)).map(({ text }) => text);
}

/** Whoever asks finds nothing, and nothing that was said is stored. */
async function expectGone(world: World, { id, tenant }: Job): Promise<void> {
  const { service, chunks } = world.main;
  const nobody = { code: 'job_not_found' };
  // Before a repeat of the delete, which would remove them.
  expect(await chunks.list({ tenant, id }, 1, 0)).toEqual([]);
  await expect(service.read(ADA, id)).rejects.toMatchObject(nobody);
  await expect(world.until(service.read(ADA, id, { waitMs: 1 }))).rejects.toMatchObject(nobody);
  await expect(service.cancel(ADA, id)).rejects.toMatchObject(nobody);
  const stream = service.stream(ADA, id, undefined, new AbortController().signal);
  await expect(world.until(stream)).rejects.toMatchObject(nobody);
  await expect(service.remove(ADA, id)).rejects.toMatchObject(nobody);
  expect(await service.readMany(ADA, [id])).toEqual([undefined]);
  expect((await service.list(ADA, { limit: 100, offset: 0 })).jobs.map(({ job }) => job.id)).not.toContain(id);
  expect(Object.values(await service.countBatch(ADA, 'b')).every((jobs) => jobs === 0)).toBe(true);
}
