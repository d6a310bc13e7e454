/** P11: processes die at every step of a job in the background. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import type { Fault } from '../support/faulty.ts';
import { LONG_LEASE, submitBackground, toItsEnd, upstreamsOf } from './background-jobs.ts';
import type { Instance } from './instance.ts';
import { resultOf } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

type Step = {
  name: string;
  /** Makes the worker die there; the answer says whether it has. */
  arm: (world: World, worker: Instance) => () => boolean;
  /** How many answers the provider began of which nobody knows. */
  orphans: 0 | 1;
  /** The outcomes of all attempts. */
  attempts: string[];
};

const atWrite = (nth: number, fault: Fault) => (_: World, worker: Instance) => {
  worker.store.fail('update', fault, { skip: nth - 1 });
  return () => worker.store.fired(fault) > 0;
};
/** Of a worker that stays: its claim, the id that it saves, the end of the job. */
const [CLAIM, SAVE, END] = [1, 2, 3];

const atProvider = (method: 'start' | 'look') => (world: World, worker: Instance) => {
  let hasDied = false;
  world.provider.background.port.before(method, () => {
    hasDied = true;
    worker.die();
    return new Promise(() => {});
  });
  return () => hasDied;
};

const STEPS: Step[] = [
  { name: 'before its claim is written', arm: atWrite(CLAIM, 'crash'), orphans: 0, attempts: ['completed'] },
  { name: 'when it has claimed', arm: atWrite(CLAIM, 'crash-after'), orphans: 0, attempts: ['lost', 'completed'] },
  { name: 'as it asks the provider', arm: atProvider('start'), orphans: 0, attempts: ['lost', 'completed'] },
  { name: 'before the id is saved', arm: atWrite(SAVE, 'crash'), orphans: 1, attempts: ['lost', 'completed'] },
  { name: 'when the id is saved', arm: atWrite(SAVE, 'crash-after'), orphans: 0, attempts: ['completed'] },
  { name: 'as it looks', arm: atProvider('look'), orphans: 0, attempts: ['completed'] },
  { name: 'between a look and the end', arm: atWrite(END, 'crash'), orphans: 0, attempts: ['completed'] },
  { name: 'when the end is written', arm: atWrite(END, 'crash-after'), orphans: 0, attempts: ['completed'] },
];

export function backgroundCrashScenarios(open: Open): void {
  for (const { name, arm, orphans, attempts } of STEPS) {
    scenario(
      open,
      `P11 a worker dies ${name}: ${orphans} orphans, one answer is taken`,
      async (world) => {
        world.provider.background.takes(1_000);
        const job = await submitBackground(world);
        const worker = world.instance();
        const hasDied = arm(world, worker);
        void worker.run(job);
        await world.eventually(hasDied);

        const ended = await toItsEnd(world, job);
        expect(ended).toMatchObject({ state: 'completed', attempt: attempts.length });
        expect(ended.attempts.map(({ outcome }) => outcome)).toEqual(attempts);
        expect(ended.attempts.every(({ calls }) => calls === 1)).toBe(true);
        const upstreams = upstreamsOf(world, job);
        expect(upstreams).toHaveLength(1 + orphans);
        expect(upstreams.filter(({ looksMs }) => looksMs.length > 0)).toHaveLength(1);
        expect(ended.result).toEqual(resultOf(upstreams.length));
        const isLoss = name !== 'before its claim is written' && name !== 'when the end is written';
        expect(ended.losses ?? 0).toBe(isLoss ? 1 : 0);
      },
      LONG_LEASE,
    );
  }
}

/** In virtual time alone. */
export function backgroundCrashLoopScenarios(open: Open): void {
  scenario(
    open,
    'P11 worker after worker dies as it looks: the same answer is looked for, and taken by the last one',
    async (world) => {
      world.provider.background.takes(1_000);
      const job = await submitBackground(world);
      for (let deaths = 0; deaths < LOSSES_MOST - 1; deaths++) await dieAtLook(world, job);
      const ended = await toItsEnd(world, job);
      expect(ended).toMatchObject({ state: 'completed', attempt: 1, losses: LOSSES_MOST - 1 });
      expect(upstreamsOf(world, job)).toHaveLength(1);
    },
    LONG_LEASE,
  );

  scenario(
    open,
    'P11 one worker more dies as it looks: crash_loop',
    async (world) => {
      const job = await submitBackground(world);
      for (let deaths = 0; deaths < LOSSES_MOST; deaths++) await dieAtLook(world, job);
      const ended = await toItsEnd(world, job);
      expect(ended).toMatchObject({ state: 'failed', error: { code: 'crash_loop' }, attempts: [{ outcome: 'lost' }] });
      expect(upstreamsOf(world, job)).toHaveLength(1);
    },
    LONG_LEASE,
  );
}

/** A worker takes the job when its time has come, and dies as it looks. */
async function dieAtLook(world: World, job: Job): Promise<void> {
  const worker = world.instance();
  const hasDied = atProvider('look')(world, worker);
  for (let rounds = 0; rounds < 5 && !hasDied(); rounds++) {
    await world.makeDue(job);
    await world.main.sweep();
    let isOver = false;
    void worker.run(job).then(() => {
      isOver = true;
    });
    await world.eventually(() => isOver || hasDied());
  }
  expect(hasDied()).toBe(true);
}
