/** The doorbell of a job that is promoted is of the job's own trace, not of that of the job whose slot it got. */
import { afterEach, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { concurrencyLimiter } from '../../shared/core/limiter.ts';
import { answer, type CoreWorld, coreWorld } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

test('whoever gives its slot away rings in the trace of who gets it', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  world = coreWorld(async function* () {
    await released;
    yield* answer();
  });
  const limiter = concurrencyLimiter({ ...world, limits: new Map([['*', 1]]) });
  const worker = world.anotherWorker({ limiter });
  const traceOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
  const submittedIn = async (traceparent: string): Promise<Job> => {
    const job = await world.submit();
    const found = await world.store.get(job);
    await world.store.update(job, found?.revision ?? '', { traceparent });
    return job;
  };
  const [first, second] = [await submittedIn(traceOf('1')), await submittedIn(traceOf('2'))];
  const running = worker.run(first);
  await expect.poll(async () => (await world.read(first)).state).toBe('processing');
  expect(await worker.run(second)).toEqual({ refused: 'parked' });
  const before = world.published.length;
  release();
  await running;
  await limiter.handOn(first.tenant);
  expect(world.published.slice(before)).toEqual([{ tenant: second.tenant, id: second.id, traceparent: traceOf('2') }]);
});
