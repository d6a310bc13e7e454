/** How a holder hears of a cancel when nobody tells it: by its heartbeat, and whatever it brings then is dropped. */
import { afterEach, expect, test } from 'vitest';
import { ADA, answer, type CoreWorld, coreWorld, LEASE_MS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

const HEARTBEAT_MS = LEASE_MS / 3;

/** A worker whose listener hears nothing, in the middle of a call that ends when the test says so. */
async function deafWorker() {
  let open = () => {};
  let aborted = false;
  world = coreWorld(async function* (_, signal) {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    await new Promise<void>((resolve) => {
      open = resolve;
    });
    yield* answer();
  });
  let listens = 0;
  const store = {
    ...world.store,
    watchCancels: () => {
      listens += 1;
      return () => {};
    },
  };
  const worker = world.anotherWorker({ store });
  const job = await world.submit();
  const running = worker.run(job);
  await world.clock.advance(0);
  expect(listens).toBe(1);
  return { job, running, open: () => open(), aborted: () => aborted };
}

test('a worker that no listener tells of a cancel hears of it by its next heartbeat', async () => {
  const { job, running, aborted } = await deafWorker();
  await world.clock.advance(HEARTBEAT_MS / 2);
  expect(await world.service.cancel(ADA, job.id)).toMatchObject({ job: { state: 'processing' } });
  await world.clock.advance(HEARTBEAT_MS / 2 - 1);
  expect([(await world.read(job)).state, aborted()]).toEqual(['processing', false]);
  await world.clock.advance(1);
  expect(await running).toEqual({ finished: 'cancelled' });
  expect(aborted()).toBe(true);
  expect(await world.read(job)).toMatchObject({
    state: 'cancelled',
    attempts: [{ n: 1, calls: 1, outcome: 'cancelled' }],
  });
});

test('an answer that comes between a cancel and the heartbeat is dropped: the cancel came first', async () => {
  const { job, running, open } = await deafWorker();
  await world.service.cancel(ADA, job.id);
  open();
  expect(await running).toEqual({ finished: 'cancelled' });
  const ended = await world.read(job);
  expect(ended).toMatchObject({ state: 'cancelled', attempts: [{ outcome: 'cancelled', usage: { totalTokens: 5 } }] });
  expect(ended).not.toHaveProperty('result');
});
