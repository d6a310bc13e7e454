/** B05, B06: as many jobs run at once as may, whoever dies; nobody waits for another tenant, or behind newer jobs. */
import { expect } from 'vitest';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { sleep } from '../../shared/core/ports.ts';
import { ALL_MODELS } from '../../shared/core/slots.ts';
import { chance } from '../simulation/random.ts';
import { ADA } from '../support/core-world.ts';
import type { RecordedWrite } from './invariants.ts';
import { answer } from './provider-double.ts';
import { pushingTo } from './pushing.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const BOB = { tenant: 'other', user: 'bob', scopes: [] };
const limits = (...pairs: [string, number][]) => new Map(pairs);

/** The most slots that were taken and had not expired, at any commit, of one model or of all. */
export function mostRunning(
  world: Pick<World, 'isVirtual' | 'writes'>,
  jobs: readonly Job[],
  model = ALL_MODELS,
): number {
  const counted = new Set(jobs.filter((job) => model === ALL_MODELS || job.model.model === model).map(({ id }) => id));
  const running = new Map<string, number>();
  let most = 0;
  for (const { id, changes, atMs = 0 } of inOrder(world)) {
    if (!counted.has(id) || !('slotUntil' in changes)) continue;
    if (changes.slotUntil === undefined) running.delete(id);
    else running.set(id, changes.slotUntil);
    most = Math.max(most, [...running.values()].filter((until) => until > atMs).length);
  }
  return most;
}

/** SQLite commits in the order of the calls; on Firestore the commits of one slot set have times in their order. */
function inOrder({ isVirtual, writes }: Pick<World, 'isVirtual' | 'writes'>): RecordedWrite[] {
  const committed = writes.filter(({ revision }) => revision !== undefined);
  const [seconds, nanos] = [0, 1].map(
    (part) => (write: RecordedWrite) => Number(write.revision?.split('.')[part] ?? 0),
  );
  if (isVirtual || !seconds || !nanos) return committed;
  return committed.sort((left, right) => seconds(left) - seconds(right) || nanos(left) - nanos(right));
}

/** Pushes and sweeps until all of these are over; a process dies each time that so many more have ended. */
export async function runAll(
  world: World,
  jobs: readonly Job[],
  killEvery = Number.POSITIVE_INFINITY,
): Promise<number> {
  const pushing = pushingTo(world, 3, chance(5).next);
  let kills = 0;
  for (let step = 1; step < 20_000; step++) {
    const all = await world.jobs();
    const ended = all.filter(({ state }) => isTerminal(state)).length;
    if (ended === jobs.length) return kills;
    const held = all.find(({ leaseExpiresAt }) => leaseExpiresAt !== null);
    const holder = pushing.instances().findIndex(({ name }) => held?.holder?.startsWith(`${name}-`));
    if (ended >= killEvery * (kills + 1) && holder >= 0) {
      kills += 1;
      pushing.kill(holder);
    }
    pushing.push(50);
    await world.pass(world.isVirtual ? 250 : 50);
    if (step % 20 !== 0) continue;
    // On the machine's clock nobody waits a minute for the sweeper to ring a parked job.
    if (!world.isVirtual) await hurry(world);
    await world.main.sweep();
  }
  throw new Error('they did not end');
}

async function hurry(world: World): Promise<void> {
  const waiting = (await world.jobs()).filter((job) => job.state === 'pending' || job.stage === 'waiting');
  for (const { tenant, id } of waiting.slice(0, 3)) await world.poke({ tenant, id }, { wakeAt: 1 });
}

const slotsOf = (world: World) => world.ground.slots(ADA.tenant);

/** These jobs have slots, soon: no finish waits for long until its own is handed on. */
async function runs(world: World, ...jobs: readonly (Job | undefined)[]): Promise<void> {
  const ids = jobs.map((job) => job?.id).sort();
  await world.eventually(
    async () =>
      Object.keys((await slotsOf(world)).running)
        .sort()
        .join() === ids.join(),
  );
}

/** Workers that die with jobs in their hands. */
export function crashScenarios(open: Open, crowd: number): void {
  scenario(
    open,
    `B05 ${crowd} jobs and workers that die: never more than 3 run, all finish, no slot is left`,
    async (world) => {
      world.provider.answerWith(async function* (call) {
        const slower = world.isVirtual ? 20 : 3;
        await sleep(world.clock, slower * (50 + (call.nth * 7 + call.prompt.length) * 5));
        yield* answer(call);
      });
      const jobs: Job[] = [];
      for (let n = 0; n < crowd; n++) jobs.push(await world.submit());
      const kills = await runAll(world, jobs, 7);
      const ended = await world.jobs();
      expect(ended.map(({ state }) => state)).toEqual(jobs.map(() => 'completed'));
      expect(mostRunning(world, jobs)).toBe(3);
      expect(kills).toBeGreaterThan(1);
      // They held a job.
      expect(ended.reduce((sum, { losses = 0 }) => sum + losses, 0)).toBeGreaterThan(0);
      expect(await slotsOf(world)).toMatchObject({ running: {}, expired: [] });
      // Waiting for a slot is no attempt.
      expect(ended.every(({ attempt, losses = 0 }) => attempt === 1 + losses)).toBe(true);
    },
    { limits: limits(['*', 3]), leaseMs: 2_000 },
  );
}

export function slotScenarios(open: Open): void {
  scenario(
    open,
    'B05 a limit on one model, and one on all: both hold',
    async (world) => {
      world.provider.answerWith(async function* (call) {
        await sleep(world.clock, 100);
        yield* answer(call);
      });
      const jobs: Job[] = [];
      for (let n = 0; n < 24; n++) {
        const job = await world.submit();
        const model = n < 16 ? 'gpt-4o' : 'gpt-4';
        await world.poke(job, { model: { ...job.model, model } });
        jobs.push({ ...job, model: { ...job.model, model } });
      }
      await runAll(world, jobs);
      expect((await world.jobs()).map(({ state }) => state)).toEqual(jobs.map(() => 'completed'));
      expect([mostRunning(world, jobs), mostRunning(world, jobs, 'gpt-4o')]).toEqual([4, 2]);
      expect(await slotsOf(world)).toMatchObject({ running: {}, expired: [] });
    },
    { limits: limits(['*', 4], ['gpt-4o', 2]) },
  );

  scenario(
    open,
    'B05 who is parked first and whose model is full does not stand in the way',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const submit = async (model: string) => {
        await world.pass(1);
        const job = await world.submit();
        await world.poke(job, { model: { ...job.model, model } });
        return job;
      };
      const left = await inCall(world, await submit('gpt-4'), world.main);
      const right = await inCall(world, await submit('gpt-4'), world.main);
      const first = await submit('gpt-4o');
      const second = await submit('gpt-4o');
      const third = await submit('gpt-4');
      for (const job of [first, second, third]) expect(await world.deliver(job)).toEqual({ refused: 'parked' });
      expect(await world.read(second)).toMatchObject({ parkedFor: '*' });
      world.provider.open('job 1');
      await world.until(left.outcome);
      await world.eventually(async () => (await slotsOf(world)).running[first.id] !== undefined);
      world.provider.open('job 2');
      await world.until(right.outcome);
      await runs(world, first, third);
      expect(await world.read(second)).toMatchObject({ state: 'pending', parkedFor: 'gpt-4o' });
      world.answerTo(first);
      expect(await world.deliver(first)).toEqual({ finished: 'completed' });
      await runs(world, second, third);
    },
    { limits: limits(['*', 2], ['gpt-4o', 1]), leaseMs: 60_000 },
  );

  scenario(
    open,
    'B05 who is parked longest runs next, however many come meanwhile',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const [left, right] = [world.instance(), world.instance()];
      const first = await world.submit();
      const running = await inCall(world, first, left);
      const second = await world.submit();
      expect(await world.deliver(second, right)).toEqual({ refused: 'parked' });
      let newest = first;
      for (let n = 0; n < 10; n++) {
        await world.pass(1);
        newest = await world.submit();
        // It comes when the slot has been given back, and before that is handed on.
        if (n === 5) {
          const other = newest;
          left.store.before('slots', async () => {
            expect((await slotsOf(world)).running).toEqual({});
            expect(await right.run(other)).toEqual({ refused: 'parked' });
          });
          world.answerTo(first);
          expect(await world.until(running.outcome)).toEqual({ finished: 'completed' });
          await runs(world, second);
        } else expect(await world.deliver(newest, right)).toEqual({ refused: 'parked' });
      }
      expect(await world.read(second)).toMatchObject({ state: 'pending', slotUntil: expect.any(Number) });
      // One doorbell more.
      expect(world.published(second)).toBe(2);
      world.answerTo(second);
      expect(await world.deliver(second, left)).toEqual({ finished: 'completed' });
      expect(mostRunning(world, await world.jobs())).toBe(1);
    },
    { limits: limits(['*', 1]), leaseMs: 60_000 },
  );

  scenario(
    open,
    'B05 a steady stream of new jobs: none begins before one that was parked when it came',
    async (world) => {
      world.provider.answerWith(async function* (call) {
        await sleep(world.clock, 30);
        yield* answer(call);
      });
      const pushing = pushingTo(world, 2, chance(3).next);
      for (let n = 0; n < 25; n++) {
        await world.submit();
        pushing.push();
        await world.pass(10);
      }
      await world.eventually(async () => {
        pushing.push();
        return (await world.jobs()).every(({ state }) => state === 'completed');
      });
      const jobs = await world.jobs();
      const parkedAt = new Map<string, number>();
      for (const { id, changes } of world.writes) if (changes.parkedAt) parkedAt.set(id, changes.parkedAt);
      expect(parkedAt.size).toBeGreaterThan(10);
      const overtaken = jobs.filter(({ id, startedAt = 0 }) =>
        jobs.some((other) => other.createdAt > (parkedAt.get(id) ?? Infinity) && (other.startedAt ?? 0) < startedAt),
      );
      expect(overtaken).toEqual([]);
    },
    { limits: limits(['*', 1]), leaseMs: 60_000 },
  );

  scenario(
    open,
    'B05 a slot that is given back between the look and the park is not lost',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const [left, right] = [world.instance(), world.instance()];
      const first = await world.submit();
      const running = await inCall(world, first, left);
      const second = await world.submit();
      world.answerTo(second);
      let isFreed = false;
      // The one that runs ends when the other one has seen that there is no slot; nobody waits for it yet.
      right.store.before('update', async () => {
        world.answerTo(first);
        await running.outcome;
        isFreed = Object.keys((await slotsOf(world)).running).length === 0;
      });
      expect(await world.deliver(second, right)).toEqual({ finished: 'completed' });
      expect(isFreed).toBe(true);
      expect(world.lines.some((line) => line.includes('job-parked'))).toBe(true);
      // Nobody rang, nobody swept.
      expect(world.published()).toBe(2);
      expect(await slotsOf(world)).toMatchObject({ running: {} });
    },
    { limits: limits(['*', 1]), leaseMs: 60_000 },
  );

  scenario(
    open,
    'B05 a job that parks while it is written that nobody waits any more is not forgotten',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const [left, right] = [world.instance(), world.instance()];
      const [first, second, third] = [await world.submit(), await world.submit(), await world.submit()];
      const running = await inCall(world, first, left);
      expect(await world.deliver(second, right)).toEqual({ refused: 'parked' });

      let goOn = () => {};
      const mayGoOn = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      let looks = 0;
      let parking: Promise<unknown> = Promise.resolve();
      // When the second is about to be promoted, the last that waits, the third parks, sees that others wait, …
      left.store.before('update', async () => {});
      left.store.before('update', async () => {
        for (let n = 0; n < 2; n++) right.store.before('slots', async () => void looks++);
        right.store.before('slots', () => mayGoOn);
        parking = right.run(third);
        await world.eventually(() => looks === 2 && right.store.calls('slots') === looksBefore + 3);
      });
      const looksBefore = right.store.calls('slots');
      world.answerTo(first);
      await world.until(running.outcome);
      // No finish waits for long until its slot is handed on.
      await world.eventually(async () => (await slotsOf(world)).running[second.id] !== undefined);
      // … and hands on when the word is gone already.
      goOn();
      expect(await world.until(parking)).toEqual({ refused: 'parked' });
      await world.eventually(async () => (await slotsOf(world)).waiting.includes(ALL_MODELS));
      for (const job of [second, third]) {
        world.answerTo(job);
        expect(await world.deliver(job, left)).toEqual({ finished: 'completed' });
      }
      expect(world.published(third)).toBe(2);
    },
    { limits: limits(['*', 1]), leaseMs: 60_000 },
  );

  scenario(
    open,
    'B05 cancelled, deleted or too late, parked or promoted: the slot goes to the next',
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const { service } = world.main;
      const first = await world.submit();
      const running = await inCall(world, first, world.main);
      const jobs: Job[] = [];
      for (let n = 0; n < 6; n++) {
        await world.pass(2);
        jobs.push(await world.submit());
        expect(await world.deliver(jobs[n] as Job)).toEqual({ refused: 'parked' });
      }
      const [parked, , , , last] = jobs as [Job, Job, Job, Job, Job];
      await service.cancel(ADA, parked.id);
      await runs(world, first);
      world.provider.open('job 1');
      await world.until(running.outcome);
      await runs(world, jobs[1]);
      await service.cancel(ADA, jobs[1]?.id ?? '');
      await runs(world, jobs[2]);
      await service.remove(ADA, jobs[2]?.id ?? '');
      await runs(world, jobs[3]);
      await world.poke(jobs[3] as Job, { wakeAt: 1, limits: { ...DEFAULT_LIMITS, startWithinMs: 1 } });
      expect(await world.main.sweep()).toMatchObject({ ended: 1 });
      await runs(world, last);
      // The end of its time comes while it is parked, too.
      const waits = jobs[5] as Job;
      await world.pass(2);
      await world.poke(waits, { wakeAt: 1, limits: { ...DEFAULT_LIMITS, timeoutMs: 1 } });
      expect(await world.main.sweep()).toMatchObject({ ended: 1 });
      expect(await world.read(waits)).toMatchObject({ state: 'failed', error: { code: 'job_timeout' } });
      world.answerTo(last);
      expect(await world.deliver(last)).toEqual({ finished: 'completed' });
      expect(await slotsOf(world)).toMatchObject({ running: {}, expired: [] });
    },
    { limits: limits(['*', 1]), leaseMs: 60_000 },
  );
}

/** A crowd of one tenant, and one job of another; all doorbells come through one subscription. */
export function crowdScenarios(open: Open, crowd: number): void {
  scenario(
    open,
    `B06 ${crowd} jobs of one tenant do not delay the one of another`,
    async (world) => {
      const answerMs = 1_000;
      world.provider.answerWith(async function* (call) {
        await sleep(world.clock, answerMs);
        yield* answer(call);
      });
      const { service } = world.main;
      for (let n = 0; n < crowd; n++) await world.submit();
      const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'mine' } };
      const { job } = await service.submit(BOB, submission);
      const submittedMs = world.clock.monotonicMs();
      const pushing = pushingTo(world, 2, chance(1).next);
      await world.eventually(async () => {
        for (let n = 0; n < 50 && world.isVirtual; n++) {
          pushing.push(50);
          await world.pass(0);
        }
        pushing.push(50);
        return (await service.read(BOB, job.id)).job.state === 'completed';
      });
      const tookMs = world.clock.monotonicMs() - submittedMs;
      // Behind the crowd without parking it would have had to wait for all of them.
      if (world.isVirtual) expect(tookMs).toBeLessThan(2 * answerMs);
      else expect(tookMs).toBeLessThan((crowd / 3) * answerMs);
      const jobs = await world.jobs();
      expect(jobs.filter(({ parkedFor }) => parkedFor === ALL_MODELS).length).toBeGreaterThan(crowd * 0.8);
      expect(mostRunning(world, jobs)).toBe(3);
    },
    { limits: limits(['*', 3]), leaseMs: 600_000 },
  );
}
