/** What scenarios do with jobs that a provider works on by itself. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import type { UpstreamDouble } from './background-double.ts';
import type { Instance } from './instance.ts';
import type { World } from './world.ts';

export const MINUTE_MS = 60_000;
/** No heartbeat comes within a scenario in real time, so that writes can be counted. */
export const LONG_LEASE = { leaseMs: 60_000 };

export function submitBackground(world: World, over: Partial<Submission> = {}): Promise<Job> {
  return world.submit({ background: true, ...over });
}

/** What the provider began for a job. */
export function upstreamsOf(world: World, { questionId }: Job): UpstreamDouble[] {
  return world.provider.background.begun(questionId);
}

/** Lets an instance take the job, until its answer was begun and the id of that is saved. */
export async function begun(world: World, job: Job, by: Instance): Promise<{ outcome: Promise<WorkOutcome> }> {
  const outcome = by.run(job);
  outcome.catch(() => {});
  await world.eventually(async () => (await world.read(job)).upstream !== undefined);
  return { outcome };
}

/** The job is begun, and nobody has it until the next look, in four minutes. */
export async function leftAlone(world: World, job: Job): Promise<void> {
  const worker = world.instance();
  const { outcome } = await begun(world, job, worker);
  await world.until(worker.worker.drain(0));
  expect(await world.until(outcome)).toEqual({ left: true });
  const { wakeAt } = await world.read(job);
  const nextLookAt = (wakeAt ?? 0) + 4 * MINUTE_MS;
  await world.poke(job, { nextAttemptAt: nextLookAt, wakeAt: nextLookAt });
}

/** As time and sweeps go by, workers come back to the job until it is over. */
export async function toItsEnd(world: World, job: Job): Promise<Job> {
  for (let rounds = 0; rounds < 60; rounds++) {
    const seen = await world.read(job);
    if (seen.wakeAt === null) return seen;
    // Its end may be written meanwhile.
    const isDue = await world.makeDue(job).then(
      () => true,
      () => false,
    );
    if (!isDue) continue;
    await world.main.sweep();
    await world.deliverRung();
  }
  throw new Error('it does not end');
}

export function logged(world: World, event: string): number {
  return world.lines.filter((line) => line.includes(`"event":"${event}"`)).length;
}

/** Holds the next request of a kind back. */
export function atProvider(world: World, method: 'start' | 'look') {
  let isThere = false;
  let goOn = () => {};
  world.provider.background.port.before(method, () => {
    isThere = true;
    return new Promise<void>((resolve) => {
      goOn = resolve;
    });
  });
  return { isThere: () => isThere, goOn: () => goOn() };
}
