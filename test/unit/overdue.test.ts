/** A job whose time is over, and that nobody ended: whoever meets it need not wait for the sweeper. */
import { afterEach, expect, test } from 'vitest';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';

const TIMEOUT_MS = 20_000;

let world: CoreWorld;
afterEach(() => world.close());

/** A job that a worker took with it, seen after this long. */
async function seenAfter(ms: number) {
  world = coreWorld(() => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }));
  const job = await world.submit('Hello.', { limits: { timeoutMs: TIMEOUT_MS } });
  const update: typeof world.store.update = (...change) =>
    world.store.calls('update') === 0 ? world.store.update(...change) : new Promise<never>(() => {});
  void world.anotherWorker({ store: { ...world.store, update } }).run(job);
  await world.clock.advance(ms);
  const seen = await world.service.read(ADA, job.id);
  expect(seen.job.state).toBe('processing');
  return seen;
}

const asked = () => world.store.calls('get') + world.store.calls('update');

test('costs nothing while its holder may still end it', async () => {
  const seen = await seenAfter(TIMEOUT_MS + LEASE_GRACE_MS - 1);
  const before = asked();
  expect(await world.service.endOverdue(seen)).toBe(seen);
  expect(asked()).toBe(before);
});

test('is ended as the sweeper would end it, once', async () => {
  const seen = await seenAfter(TIMEOUT_MS + LEASE_GRACE_MS);
  const [one, other] = await Promise.all([world.service.endOverdue(seen), world.service.endOverdue(seen)]);
  for (const { job } of [one, other]) {
    expect(job).toMatchObject({ state: 'failed', error: { code: 'job_timeout' }, attempts: [{ outcome: 'lost' }] });
  }
  expect(one.job.version).toBe(seen.job.version + 1);
  expect(other.job.version).toBe(one.job.version);
});

test('is shown as it was seen where the store gives no answer, and ended by the next look', async () => {
  const seen = await seenAfter(TIMEOUT_MS + LEASE_GRACE_MS);
  world.store.fail('get', 'before');
  expect(await world.service.endOverdue(seen)).toBe(seen);
  world.store.fail('update', 'before');
  expect((await world.service.endOverdue(seen)).job.state).toBe('processing');
  expect(world.store.fired()).toBe(2);
  expect((await world.service.endOverdue(seen)).job.state).toBe('failed');
});

test('one that was deleted since it was seen is not found', async () => {
  const seen = await seenAfter(TIMEOUT_MS + LEASE_GRACE_MS);
  await world.service.remove(ADA, seen.job.id);
  await expect(world.service.endOverdue(seen)).rejects.toMatchObject({ code: 'job_not_found' });
});

test('one that is over costs nothing, however long ago', async () => {
  world = coreWorld();
  const job = await world.submit('Hello.', { limits: { timeoutMs: TIMEOUT_MS } });
  await world.clock.until(world.run(job));
  await world.clock.advance(10 * TIMEOUT_MS);
  const seen = await world.service.read(ADA, job.id);
  const before = asked();
  expect(await world.service.endOverdue(seen)).toBe(seen);
  expect(asked()).toBe(before);
});
