/** R08: of a job that failed or was cancelled one new job is made, whoever asks, however often, and whatever breaks. */
import { expect } from 'vitest';
import { isServiceError, ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { ADA } from '../support/core-world.ts';
import type { Fault } from '../support/faulty.ts';
import type { Instance } from './instance.ts';
import { answer } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const ONCE = 20;

export function redriveScenarios(open: Open): void {
  scenario(
    open,
    'R08 twenty redrives of a failed job at once: one new job, one call, linked both ways',
    async (world) => {
      const old = await failed(world);
      const instances = [world.main, world.instance(), world.instance()];
      const answers = await Promise.all(
        Array.from({ length: ONCE }, (_, n) => redrive(instances[n % 3] ?? world.main, old)),
      );
      expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
      const made = await expectPair(world, old);
      const outcomes = await world.deliverRung();
      expect(outcomes.filter((outcome) => 'finished' in outcome)).toEqual([{ finished: 'completed' }]);
      expect(world.callsOf(old)).toHaveLength(2);
      expect(await world.read(made)).toMatchObject({ state: 'completed', attempts: [{ n: 1, calls: 1 }] });
      expect(await redrive(world.main, old)).toMatchObject({
        replayed: true,
        job: { id: made.id, state: 'completed' },
      });
      await expectPair(world, old);
    },
  );

  scenario(open, 'R08 of a cancelled job, which was never claimed: the new one is', async (world) => {
    const old = await world.submit();
    await world.main.service.cancel(ADA, old.id);
    const { job } = await redrive(world.main, old);
    await world.deliver(job);
    expect(await world.read(await expectPair(world, old))).toMatchObject({ state: 'completed' });
    expect(world.callsOf(old)).toHaveLength(1);
    expect(await world.read(old)).toMatchObject({ state: 'cancelled', attempts: [] });
  });

  scenario(
    open,
    'R08 a redrive that was done but reported failed: it, or its repeat, answers the one job',
    async (world) => {
      const [seen, unseen] = [await failed(world), await failed(world)];
      const { store } = world.main;
      store.fail('create', 'after');
      expect(await redrive(world.main, seen)).toMatchObject({ replayed: false, job: { state: 'pending' } });
      await expectPair(world, seen);

      store.fail('create', 'after');
      store.fail('get', 'before');
      const unknown = await redrive(world.main, unseen).catch((error: ServiceError) => error);
      expect(unknown).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('Retry it again') });
      expect([store.fired('after'), store.fired('before')]).toEqual([2, 1]);
      const again = await redrive(world.main, unseen);
      expect(again).toMatchObject({ replayed: true, job: { state: 'pending' } });
      expect(unknown).toMatchObject({ fields: { job_id: again.job.id } });
      await expectPair(world, unseen);
    },
  );

  scenario(
    open,
    'R08 a crash before the commit leaves nothing, one after it one job, which the sweeper rings',
    async (world) => {
      const old = await failed(world);
      const before = await world.ground.get(old);
      await crashing(world, 'crash', old);
      expect(await world.jobs()).toHaveLength(1);
      expect((await world.ground.get(old))?.revision).toBe(before?.revision);

      await crashing(world, 'crash-after', old);
      const made = await expectPair(world, old);
      expect(world.published(made)).toBe(0);
      await world.makeDue(made);
      expect(await world.main.sweep()).toMatchObject({ rung: 1, ended: 0 });
      await world.deliver(made);
      expect(await world.read(made)).toMatchObject({ state: 'completed' });
      expect(await redrive(world.main, old)).toMatchObject({ replayed: true, job: { id: made.id } });
      expect(await expectPair(world, old)).toMatchObject({ id: made.id });
    },
  );

  scenario(open, 'R08 a doorbell that could not be rung: a repeat of the redrive rings it', async (world) => {
    const old = await failed(world);
    world.main.queue.fail('publish', 'before');
    const { job } = await redrive(world.main, old);
    expect([world.main.queue.fired('before'), world.published(job)]).toEqual([1, 0]);
    await redrive(world.main, old);
    expect(world.published(job)).toBe(1);
    await world.deliver(job);
    expect(await world.read(await expectPair(world, old))).toMatchObject({ state: 'completed' });
  });

  scenario(open, 'R08 a commit that lands after another redrive was answered: refused, whole', async (world) => {
    const old = await failed(world);
    const slow = world.instance();
    let other: Job | undefined;
    slow.store.before('create', async () => {
      other = (await redrive(world.main, old)).job;
    });
    expect(await redrive(slow, old)).toMatchObject({ replayed: true, job: { id: other?.id, token: other?.token } });
    expect(await expectPair(world, old)).toMatchObject({ token: other?.token });
    expect(world.writes.filter(({ by, refused }) => by === slow.name && refused)).toHaveLength(1);
  });

  scenario(open, 'R08 a job that is deleted meanwhile: nothing is made of it', async (world) => {
    const old = await failed(world);
    world.main.store.before('create', () => world.instance().service.remove(ADA, old.id));
    await expect(redrive(world.main, old)).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await world.jobs()).toHaveLength(1);
    expect(await world.read(old)).not.toHaveProperty('redrivenAs');
  });

  scenario(open, 'R08 a job that goes on changing: not answered for ever, and nothing is made of it', async (world) => {
    const old = await failed(world, { store: false });
    const { store } = world.main;
    for (let n = 0; n < 5; n++)
      store.before('create', () => world.poke(old, { payloadsExpireAt: world.clock.nowMs() + 1e6 + n }));
    await expect(redrive(world.main, old)).rejects.toMatchObject({ code: 'store_unavailable', retryAfterMs: 1_000 });
    expect(store.calls('create')).toBe(6);
    expect(await world.jobs()).toHaveLength(1);
    expect((await redrive(world.main, old)).replayed).toBe(false);
    await expectPair(world, old);
  });

  scenario(
    open,
    'R08 twenty redrives at once by processes that each fail in another way: one new job',
    async (world) => {
      const old = await failed(world);
      const faults: Fault[] = ['before', 'after', 'hang', 'late', 'slow', 'duplicate', 'crash', 'crash-after'];
      const instances = faults.map((fault) => {
        const instance = world.instance();
        instance.store.fail('create', fault);
        return instance;
      });
      const asked = Array.from({ length: ONCE }, (_, n) => instances[n % instances.length] ?? world.main);
      const answers = new Map<number, string | undefined>();
      asked.forEach((instance, n) => {
        const answered = redrive(instance, old).catch((error: unknown) => {
          if (isServiceError(error, 'store_unavailable')) return undefined;
          throw error;
        });
        void answered.then((one) => answers.set(n, one?.job.id));
      });
      // Two processes die of it, and answer nobody.
      const isDead = ({ store }: Instance) => store.fired('crash') + store.fired('crash-after') > 0;
      await world.eventually(() => answers.size === asked.filter((instance) => !isDead(instance)).length);
      expect(instances.filter(isDead)).toHaveLength(2);
      expect(instances.map(({ store }) => store.fired())).toEqual(faults.map(() => 1));
      const made = await expectPair(world, old);
      const known = [...answers.values()].filter((one) => one !== undefined);
      expect(new Set(known)).toEqual(new Set([made.id]));
      // The late one lands.
      await world.pass(1_000);
      expect(await expectPair(world, old)).toMatchObject({ token: made.token });
      await world.deliver(made);
      expect(world.callsOf(old)).toHaveLength(2);
    },
  );
}

const redrive = ({ service }: Instance, { id }: Job) => service.redrive(ADA, id);

/** A job whose provider refused it for good; from then on it answers. */
async function failed(world: World, over: Partial<Submission> = {}): Promise<Job> {
  world.provider.answerWith(async function* () {
    yield await Promise.reject(new ServiceError('auth', 'failed by the test'));
  });
  const job = await world.submit(over);
  expect(await world.deliverRung()).toContainEqual({ finished: 'failed' });
  world.provider.answerWith(answer);
  return job;
}

/** Asks a process that dies of it. */
async function crashing(world: World, fault: Fault, old: Job): Promise<void> {
  const instance = world.instance();
  instance.store.fail('create', fault);
  void redrive(instance, old);
  await world.eventually(() => instance.store.fired(fault) === 1);
  await world.eventually(async () => fault === 'crash' || (await world.jobs()).length > 1);
}

/** There is one job that was made of this one, and each names the other. */
async function expectPair(world: World, { id }: Job): Promise<Job> {
  const jobs = await world.jobs();
  const made = jobs.filter(({ redriveOf }) => redriveOf === id);
  expect(made).toHaveLength(1);
  expect(jobs.find((job) => job.id === id)?.redrivenAs).toBe(made[0]?.id);
  return made[0] as Job;
}
