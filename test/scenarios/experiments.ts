/** A job's variant is chosen once: over retries, crashes and redrives it has the same arm, the same model and the same input. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { type Experiment, variantOf } from '../../shared/core/experiments.ts';
import type { Job } from '../../shared/core/job.ts';
import { ADA } from '../support/core-world.ts';
import { answer } from './provider-double.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const TONE: Experiment = {
  name: 'tone',
  variants: [
    { name: 'short', weight: 50, input: { max_tokens: 50 } },
    { name: 'long', weight: 50, input: { max_tokens: 500 } },
  ],
};
const TOKENS: { [arm: string]: number } = { 'tone/short': 50, 'tone/long': 500 };

export function experimentScenarios(open: Open): void {
  scenario(open, 'no job changes its arm over retries', async (world) => {
    const jobs = await Promise.all(
      Array.from({ length: 12 }, (_, n) => world.submit({ experiment: { ...TONE, subject: `user-${n}` } })),
    );
    let failures = 0;
    world.provider.answerWith(async function* (call) {
      if (call.nth <= 2) {
        failures += 1;
        throw new ServiceError('overloaded', 'failed by the test');
      }
      yield* answer(call);
    });
    await world.deliverRung();
    for (let round = 0; round < 4; round++) {
      for (const job of jobs) {
        if ((await world.read(job)).state !== 'processing') continue;
        await world.makeDue(job);
        await world.deliver(job);
      }
    }
    expect(failures).toBe(24);
    for (const job of jobs) {
      expect(await world.read(job)).toMatchObject({ state: 'completed', arm: job.arm, model: job.model });
      expectAsked(world, job, 3);
    }
    expect(new Set(jobs.map(({ arm }) => arm))).toEqual(new Set(Object.keys(TOKENS)));
  });

  scenario(open, 'nor when its worker dies in a call, and another one takes it', async (world) => {
    const job = await world.submit({ experiment: { ...TONE, subject: 'user-42' } });
    world.provider.answerWith(world.provider.held);
    const mortal = world.instance();
    await inCall(world, job, mortal);
    mortal.die();
    await world.makeDue(job);
    await world.main.sweep();
    world.provider.answerWith(answer);
    await world.deliver(job);
    expect(await world.read(job)).toMatchObject({
      ...{ state: 'completed', arm: job.arm, model: job.model },
      attempts: [{ outcome: 'lost' }, { outcome: 'completed' }],
    });
    expectAsked(world, job, 2);
  });

  scenario(open, 'nor is a job that is made of it given another one, whatever its own id says', async (world) => {
    let differing = 0;
    // Half of all ids say something else than the one before.
    for (let n = 0; n < 60 && differing === 0; n++) {
      const old = await failed(world, TONE);
      const { job } = await world.main.service.redrive(ADA, old.id);
      await world.deliver(job);
      const made = await world.read(job);
      expect(made).toMatchObject({ state: 'completed', redriveOf: old.id, arm: old.arm, model: old.model });
      const [before, after] = [await world.ground.getWithInput(old), await world.ground.getWithInput(made)];
      expect(after?.input).toEqual(before?.input);
      expectAsked(world, old, 2);
      const byItsId = TONE.variants[await variantOf(TONE, made.id)];
      if (`tone/${byItsId?.name}` !== old.arm) differing += 1;
    }
    expect(differing).toBeGreaterThan(0);
  });

  scenario(open, 'a repeat is the same job of the same arm, and of another experiment a conflict', async (world) => {
    const named = { questionId: 'q', input: { prompt: 'Hello.' }, idempotencyKey: 'k' };
    const first = await world.submit({ ...named, experiment: TONE });
    const again = await world.submit({ ...named, experiment: structuredClone(TONE) });
    expect([again.id, again.arm]).toEqual([first.id, first.arm]);
    const other = { ...TONE, variants: TONE.variants.toReversed() };
    await expect(world.submit({ ...named, experiment: other })).rejects.toMatchObject({ code: 'idempotency_conflict' });
    expect(await world.jobs()).toHaveLength(1);
    await world.deliver(first);
  });
}

/** Each call asked for what the arm says. */
function expectAsked(world: World, job: Job, calls: number): void {
  const asked = world.callsOf(job).map(({ request }) => request.maxOutputTokens);
  expect(asked).toEqual(Array(calls).fill(TOKENS[job.arm ?? '']));
}

async function failed(world: World, experiment: Experiment): Promise<Job> {
  world.provider.answerWith(async function* () {
    yield await Promise.reject(new ServiceError('auth', 'failed by the test'));
  });
  const job = await world.submit({ experiment });
  await world.deliver(job);
  world.provider.answerWith(answer);
  return world.read(job);
}
