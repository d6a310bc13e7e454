/** What time does: which jobs a sweep rings, how often, and at what cost. */
import { afterEach, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { logContext } from '../../shared/adapters/opentelemetry-under-way.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { RING_GRACE_MS } from '../../shared/core/waking.ts';
import { answer, type CoreWorld, coreWorld, LEASE_MS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

test('a pending job whose doorbell was lost is rung once its time has come, and then less and less often', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.published.length = 0;
  await world.clock.advance(RING_GRACE_MS - 1);
  expect(await sweep(world)).toMatchObject({ rung: 0 });
  await world.clock.advance(1);
  expect(await sweep(world)).toMatchObject({ rung: 1 });
  expect(world.published).toEqual([{ tenant: 'default', id: job.id }]);
  for (let minute = 0; minute < 60; minute++) {
    await world.clock.advance(60_000);
    await sweep(world);
  }
  // After 1, 3, 7, 15, 30, 45 and 60 minutes.
  expect(world.published).toHaveLength(8);
});

test('a ring that the queue did not take is no ring: it comes half a minute later, however many failed', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.published.length = 0;
  await world.clock.advance(RING_GRACE_MS);
  world.queue.fail('publish', 'before', { times: 5 });
  for (let failed = 0; failed < 5; failed++) {
    expect(await sweep(world)).toMatchObject({ rung: 0 });
    expect(await sweep(world)).toMatchObject({ rung: 0 });
    expect(world.queue.fired()).toBe(failed + 1);
    await world.clock.advance(RING_GRACE_MS);
  }
  expect(await sweep(world)).toMatchObject({ rung: 1 });
  expect(world.published).toEqual([{ tenant: 'default', id: job.id }]);
  expect((await world.store.get(job))?.job).toMatchObject({ rings: 1, state: 'pending' });
});

test('a job whose holder is alive is left alone', async () => {
  world = coreWorld(async function* () {
    await new Promise<void>((resolve) => void world.clock.setTimer(resolve, 3.5 * LEASE_MS));
    yield* answer();
  });
  const job = await world.submit();
  const running = world.run(job);
  for (let lease = 0; lease < 3; lease++) {
    await world.clock.advance(LEASE_MS);
    expect(await sweep(world)).toMatchObject({ rung: 0 });
  }
  expect(await world.clock.until(running)).toEqual({ finished: 'completed' });
});

test('the lease of a dead holder is found at its end plus grace', async () => {
  world = coreWorld();
  const job = await world.submit();
  const found = await world.store.get(job);
  const endsAt = world.clock.nowMs() + LEASE_MS;
  const died = { state: 'processing' as const, attempt: 1, leaseExpiresAt: endsAt, wakeAt: endsAt + LEASE_GRACE_MS };
  await world.store.update(job, found?.revision ?? '', died);
  await world.clock.advance(LEASE_MS + LEASE_GRACE_MS - 1);
  expect(await sweep(world)).toMatchObject({ rung: 0 });
  await world.clock.advance(1);
  expect(await sweep(world)).toMatchObject({ rung: 1 });
  expect(await world.run(job)).toEqual({ finished: 'completed' });
});

test('two sweepers at once ring each job once', async () => {
  world = coreWorld();
  const jobs = await Promise.all(Array.from({ length: 30 }, () => world.submit()));
  world.published.length = 0;
  await world.clock.advance(RING_GRACE_MS);
  const [left, right] = await Promise.all([sweep(world), sweep(world)]);
  expect(left.rung + right.rung).toBe(30);
  expect(world.published).toHaveLength(30);
  expect(new Set(world.published.map((key) => key.id))).toEqual(new Set(jobs.map((job) => job.id)));
});

test('many pages are swept in one go, and a job that fails to ring does not stop the others', async () => {
  world = coreWorld();
  await Promise.all(Array.from({ length: 250 }, () => world.submit()));
  await world.clock.advance(RING_GRACE_MS);
  world.store.fail('update', 'before', { times: 3 });
  const first = await sweep(world);
  expect(world.store.fired()).toBe(3);
  // The three that failed are still due, and a later page of the same sweep may have met them again.
  const second = await sweep(world);
  expect(first.rung + second.rung).toBe(250);
});

test('a sweep with nothing to do is one call of the store', async () => {
  world = coreWorld();
  expect(await sweep(world)).toMatchObject({ rung: 0 });
  expect(world.store.calls('due')).toBe(1);
});

test('what a sweep does to a job is of the trace that the job was submitted in', async () => {
  world = coreWorld();
  const [first, second] = [await world.submit(), await world.submit()];
  const traceOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
  for (const [job, digit] of [[first, '1'] as const, [second, '2'] as const]) {
    const found = await world.store.get(job);
    await world.store.update(job, found?.revision ?? '', { traceparent: traceOf(digit) });
  }
  await world.clock.advance(RING_GRACE_MS);
  world.queue.fail('publish', 'before', { times: 2 });
  const seen: unknown[] = [];
  const log = (_: string, event: string) => {
    const { traceId, facts } = logContext() ?? {};
    if (event === 'wake-failed') seen.push([traceId, facts]);
  };
  await sweep({ ...world, log, tracing: opentelemetryTracing() });
  expect(world.queue.fired()).toBe(2);
  const lineOf = (digit: string, { id }: { id: string }) => [
    digit.repeat(32),
    { job_id: id, tenant: 'default', attempt: 0 },
  ];
  expect(seen).toHaveLength(2);
  expect(seen).toEqual(expect.arrayContaining([lineOf('1', first), lineOf('2', second)]));
  // So is the doorbell.
  world.published.length = 0;
  await world.clock.advance(RING_GRACE_MS);
  expect(await sweep(world)).toMatchObject({ rung: 2 });
  expect(world.published).toContainEqual({ tenant: 'default', id: first.id, traceparent: traceOf('1') });
});
