/** Leases: who may write, for how long, and what becomes of a holder that stalled. */
import { afterEach, expect, test } from 'vitest';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import { answer, type CoreWorld, coreWorld, LEASE_MS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

/** A world whose provider answers when the test says so; notes the abort of each call. */
function gatedWorld() {
  const gates: (() => void)[] = [];
  const aborted: boolean[] = [];
  world = coreWorld(async function* (_, signal, call) {
    signal.addEventListener('abort', () => {
      aborted[call - 1] = true;
    });
    await new Promise<void>((resolve) => gates.push(resolve));
    yield* answer();
  });
  return { open: (call: number) => gates[call - 1]?.(), aborted };
}

/** Writes that were made under a lease that another holder has, and that the store refused. */
const zombieWrites = () => world.lines.filter((line) => line.includes('zombie-write-refused')).length;

async function settle(): Promise<void> {
  await world.clock.advance(0);
}

test('a lease is renewed every third of it, for as long as the call takes', async () => {
  const { open } = gatedWorld();
  const job = await world.submit();
  const running = world.run(job);
  await world.clock.advance(3 * LEASE_MS);
  expect(world.store.calls('update')).toBe(1 + 9);
  expect(await world.run(job)).toEqual({ refused: 'leased' });
  open(1);
  expect(await running).toEqual({ finished: 'completed' });
  await world.clock.advance(LEASE_MS);
  expect(world.store.calls('update')).toBe(1 + 9 + 1);
});

test('a zombie that answers after another holder finished writes nothing', async () => {
  const { open } = gatedWorld();
  const job = await world.submit();
  const zombie = world.run(job);
  await settle();
  await takeOver(job.id);
  const heir = world.run(job);
  await settle();
  open(2);
  expect(await heir).toEqual({ finished: 'completed' });
  const ended = await world.read(job);
  open(1);
  expect(await zombie).toEqual({ lost: true });
  expect(await world.read(job)).toEqual(ended);
  expect(ended.attempts).toMatchObject([
    { n: 1, outcome: 'lost' },
    { n: 2, outcome: 'completed' },
  ]);
});

test('a zombie that answers while another holder runs writes nothing', async () => {
  const { open } = gatedWorld();
  const job = await world.submit();
  const zombie = world.run(job);
  await settle();
  await takeOver(job.id);
  const heir = world.run(job);
  await settle();
  const before = await world.read(job);
  open(1);
  expect(await zombie).toEqual({ lost: true });
  expect(await world.read(job)).toEqual(before);
  expect(zombieWrites()).toBe(1);
  open(2);
  expect(await heir).toEqual({ finished: 'completed' });
});

test('a holder whose heartbeat finds another holder aborts its own call', async () => {
  const { open, aborted } = gatedWorld();
  const job = await world.submit();
  const zombie = world.run(job);
  await settle();
  await takeOver(job.id);
  const heir = world.run(job);
  await world.clock.advance(LEASE_MS / 2);
  expect(await zombie).toEqual({ lost: true });
  expect(aborted[0]).toBe(true);
  open(2);
  expect(await heir).toEqual({ finished: 'completed' });
});

test('a holder that cannot renew aborts its own call before the lease ends', async () => {
  const { aborted } = gatedWorld();
  const job = await world.submit();
  let outcome: WorkOutcome | undefined;
  void world.run(job).then((value) => {
    outcome = value;
  });
  await settle();
  world.store.fail('update', 'before', { times: 1_000 });
  await world.clock.advance(LEASE_MS * 0.85);
  expect(outcome).toBeUndefined();
  await world.clock.advance(LEASE_MS * 0.1);
  expect(outcome).toEqual({ lost: true });
  expect(aborted[0]).toBe(true);
  expect(world.store.fired()).toBeGreaterThan(2);
  expect(zombieWrites()).toBe(0);
});

test('a write without an answer, before another holder took over, does not count as refused', async () => {
  const { open } = gatedWorld();
  const job = await world.submit();
  const zombie = world.run(job);
  await settle();
  world.store.fail('update', 'before');
  // Between its write and its look at what became of it.
  world.store.before('get', async () => {
    await takeOver(job.id);
    void world.run(job);
    await settle();
  });
  open(1);
  expect(await zombie).toEqual({ lost: true });
  expect(world.store.fired()).toBe(1);
  expect(zombieWrites()).toBe(0);
});

test('a heartbeat that fails twice and then works keeps the lease', async () => {
  const { open } = gatedWorld();
  const job = await world.submit();
  const running = world.run(job);
  await settle();
  world.store.fail('update', 'before', { times: 2 });
  world.store.fail('get', 'before', { times: 2 });
  await world.clock.advance(LEASE_MS * 2);
  expect(world.store.fired()).toBe(4);
  expect(await world.run(job)).toEqual({ refused: 'leased' });
  open(1);
  expect(await running).toEqual({ finished: 'completed' });
});

test('a lease that ended unrenewed, and that nobody took, may still finish', async () => {
  const { open } = gatedWorld();
  const job = await world.submit();
  const running = world.run(job);
  await settle();
  // As a stalled process would find it: the lease is over in the document, the holder has not noticed.
  const found = await world.store.get(job);
  await world.store.update(job, found?.revision ?? '', { leaseExpiresAt: world.clock.nowMs() - 1 });
  open(1);
  expect(await running).toEqual({ finished: 'completed' });
  expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('a heartbeat and a finish at the same instant, 50 times: 50 results are kept', async () => {
  world = coreWorld(async function* () {
    // Timers of one instant run in the order in which they were set: the heartbeat's was set first.
    await new Promise<void>((resolve) => void world.clock.setTimer(resolve, LEASE_MS / 3));
    yield* answer();
  });
  const jobs = await Promise.all(Array.from({ length: 50 }, () => world.submit()));
  const outcomes = await world.clock.until(Promise.all(jobs.map((job) => world.run(job))));
  expect(outcomes).toEqual(jobs.map(() => ({ finished: 'completed' })));
  for (const job of jobs) expect((await world.read(job)).result).toEqual({ success: true, result: 'Hi!' });
  expect(world.store.calls('update')).toBe(150);
});

/** The lease ends in the document, as if its holder had been paused for its whole length. */
async function takeOver(id: string): Promise<void> {
  const key = { tenant: 'default', id };
  const found = await world.store.get(key);
  await world.store.update(key, found?.revision ?? '', { leaseExpiresAt: world.clock.nowMs() });
}
