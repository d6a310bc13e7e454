/** A result that is put beside its job: for how long, while the store says nothing; and what becomes of it when its writer dies. */
import { expect, test } from 'vitest';
import { sweep } from '../../shared/core/sweep.ts';
import { coreWorld, FINISH } from '../support/core-world.ts';

test('is offered for a minute, but not for ever: then the queue must deliver again', async () => {
  const world = coreWorld(async function* () {
    yield { type: 'text-delta', text: '.'.repeat(1_000_000) };
    yield FINISH;
  });
  const job = await world.submit();
  world.parts.fail('put', 'before', { times: 10_000 });
  const startedMs = world.clock.monotonicMs();
  const outcome = world.run(job).catch((error: unknown) => error);
  expect(await world.clock.until(outcome)).toMatchObject({ code: 'store_unavailable' });
  const tookMs = world.clock.monotonicMs() - startedMs;
  expect(tookMs).toBeGreaterThanOrEqual(60_000);
  expect(tookMs).toBeLessThan(70_000);
  expect(world.parts.fired('before')).toBeGreaterThan(100);
  expect(world.calls()).toBe(1);
  world.close();
});

test('what nobody came to name the sweeper finds, which looks for it once an hour', async () => {
  const world = coreWorld();
  const key = { tenant: 'default', id: crypto.randomUUID(), set: '1-a' };
  await world.parts.put(key, { n: 1, text: '.', deleteAt: 9e15, checkAt: 1 });
  for (let minute = 0; minute < 60; minute++) {
    await sweep(world);
    await world.clock.advance(60_000);
  }
  expect(world.parts.calls('unchecked')).toBe(1);
  expect(await world.parts.get(key, 1)).toBeUndefined();
  world.close();
});
