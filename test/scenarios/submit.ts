/** S01–S06, S08: a job is accepted once and never lost, whatever happens to its submitter, its document or its doorbell. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { ADA } from '../support/core-world.ts';
import { resultOf } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const submission = (prompt: string, idempotencyKey: string) => ({
  ...{ jobType: 'general_llm_request', model: 'simulated', questionId: prompt },
  ...{ input: { prompt }, idempotencyKey },
});

export function submitScenarios(open: Open): void {
  scenario(
    open,
    'S01 a crash after the commit, before the publish: the sweeper rings, and the job runs once',
    async (world) => {
      const submitter = world.instance();
      submitter.queue.fail('publish', 'crash');
      let answered = false;
      void submitter.service.submit(ADA, submission('orphan', 'k')).finally(() => {
        answered = true;
      });
      await world.eventually(async () => submitter.queue.fired('crash') === 1);
      expect(world.published()).toBe(0);
      const [job] = await world.jobs();
      if (!job) throw new Error('the job was not stored');

      await world.makeDue(job);
      expect(await world.main.sweep()).toEqual({ rung: 1, ended: 0, postponed: 0, removed: 0 });
      expect(await world.deliverRung()).toEqual([{ finished: 'completed' }]);
      expect(answered).toBe(false);
      expect(world.callsOf(job)).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({ state: 'completed', attempts: [{ n: 1, calls: 1 }] });
    },
  );

  scenario(
    open,
    'S02 a publish that was done but reported failed, and one done twice: one claim, one call',
    async (world) => {
      world.main.queue.fail('publish', 'after');
      const job = await world.submit();
      expect(job.state).toBe('pending');
      await world.makeDue(job);
      const sweeper = world.instance();
      sweeper.queue.fail('publish', 'duplicate');
      await sweeper.sweep();
      expect(world.main.queue.fired('after') + sweeper.queue.fired('duplicate')).toBe(2);
      expect(world.published(job)).toBe(3);

      const [first, second] = [world.instance(), world.instance()];
      const outcomes = await world.until(Promise.all([first, second, first].map(({ run }) => run(job))));
      expect(outcomes.filter((outcome) => 'finished' in outcome)).toEqual([{ finished: 'completed' }]);
      expect(world.callsOf(job)).toHaveLength(1);
      expect(await world.read(job)).toMatchObject({ attempt: 1 });
    },
  );

  scenario(
    open,
    'S03 a create that was done but reported failed: the submit, or its repeat, answers the one job',
    async (world) => {
      world.main.store.fail('create', 'after');
      const recognised = await world.main.service.submit(ADA, submission('seen', 'k1'));
      expect(recognised).toMatchObject({ replayed: false, job: { state: 'pending' } });

      world.main.store.fail('create', 'after');
      world.main.store.fail('get', 'before');
      const unknown = await world.main.service.submit(ADA, submission('unseen', 'k2')).catch((error: unknown) => error);
      expect(unknown).toMatchObject({ code: 'store_unavailable', fields: { job_id: expect.any(String) } });
      expect(world.main.store.fired()).toBe(3);
      const again = await world.main.service.submit(ADA, submission('unseen', 'k2'));
      expect(again).toMatchObject({
        replayed: true,
        job: { id: (unknown as { fields: { job_id: string } }).fields.job_id },
      });
      expect(await world.jobs()).toHaveLength(2);
      await world.deliverRung();
      for (const { job } of [recognised, again]) {
        expect(await world.read(job)).toMatchObject({ state: 'completed' });
        expect(world.callsOf(job)).toHaveLength(1);
      }
    },
  );

  scenario(
    open,
    'S04 fifty submits with one key at once: one document, fifty equal answers, one call',
    async (world) => {
      const twin = world.instance();
      const submits = Array.from({ length: 50 }, (_, index) =>
        (index % 2 ? twin : world.main).service.submit(ADA, submission('the same', 'k')),
      );
      const answers = await Promise.all(submits);
      expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(await world.jobs()).toHaveLength(1);
      expect(world.published()).toBeGreaterThanOrEqual(1);
      const outcomes = await world.deliverRung();
      expect(outcomes.filter((outcome) => 'finished' in outcome)).toHaveLength(1);
      expect(world.provider.calls()).toHaveLength(1);
    },
  );

  scenario(
    open,
    'S05 the same key with another body: a conflict; nothing is written, rung or called',
    async (world) => {
      const { job } = await world.main.service.submit(ADA, submission('first', 'k'));
      const before = await world.ground.get(job);
      const refused = world.main.service.submit(ADA, submission('second', 'k'));
      await expect(refused).rejects.toMatchObject({ code: 'idempotency_conflict' });
      expect(await world.ground.get(job)).toMatchObject({ job: before?.job, revision: before?.revision });
      expect(await world.jobs()).toHaveLength(1);
      expect(world.published()).toBe(1);
      await world.deliverRung();
      expect(world.provider.calls('second')).toHaveLength(0);
      expect((await world.read(job)).result).toEqual(resultOf(1));
    },
  );

  // DESIGN 9: a failed job's key replays; running it again is a request of its own.
  scenario(open, 'S06 the key of a failed job: the failed job is answered, and not run again', async (world) => {
    world.provider.answerWith(async function* () {
      yield await Promise.reject(new ServiceError('auth', 'failed by the test'));
    });
    const { job } = await world.main.service.submit(ADA, submission('refused', 'k'));
    expect(await world.deliverRung()).toEqual([{ finished: 'failed' }]);
    const ended = await world.read(job);
    const again = await world.main.service.submit(ADA, submission('refused', 'k'));
    expect(again).toMatchObject({ replayed: true, job: ended });
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'auth' } });
    expect(world.published()).toBe(1);
    expect(await world.deliver(job)).toEqual({ refused: 'done' });
    expect(world.callsOf(job)).toHaveLength(1);
  });

  scenario(
    open,
    'S08 publishing is down for half an hour: submits are accepted, the backlog drains, publishes are bounded',
    async (world) => {
      const JOBS = 5;
      const DOWN = world.isVirtual ? 30 : 4;
      const sweeper = world.instance();
      for (const { queue } of [world.main, sweeper]) queue.fail('publish', 'before', { times: 10_000 });
      const jobs = await Promise.all(Array.from({ length: JOBS }, () => world.submit()));
      expect(jobs.map(({ state }) => state)).toEqual(jobs.map(() => 'pending'));
      let sweeps = 0;
      const sweepOnce = async (by = sweeper) => {
        await minute(world);
        await by.sweep();
        sweeps += 1;
      };
      for (let minutes = 0; minutes < DOWN; minutes++) await sweepOnce();
      expect(world.published()).toBe(0);
      expect(sweeper.queue.fired('before')).toBeGreaterThanOrEqual(JOBS * 2);

      const back = world.instance();
      for (let minutes = 0; minutes < 20; minutes++) {
        await sweepOnce(back);
        await world.deliverRung();
      }
      for (const job of jobs) {
        expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1 });
        expect(world.callsOf(job)).toHaveLength(1);
      }
      const asked = [world.main, sweeper, back].reduce((sum, { queue }) => sum + queue.calls('publish'), 0);
      expect(asked).toBeLessThanOrEqual(JOBS * (sweeps + 1));
      // Once the queue takes them, one is enough: nobody waits for a pause that grew while it was away.
      expect(back.queue.calls('publish')).toBe(JOBS);
    },
  );
}

/** A minute, or what a minute brings. */
async function minute(world: World): Promise<void> {
  if (world.isVirtual) return world.pass(60_000);
  for (const job of await world.jobs()) if (job.wakeAt !== null) await world.makeDue(job);
}
