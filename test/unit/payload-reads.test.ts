/** A job that keeps nothing loses its payloads a minute after it was read, also when others are told of it just then. */
import { expect, test } from 'vitest';
import { READ_GRACE_MS } from '../../shared/core/payloads.ts';
import { ADA, answer, coreWorld, NO_RETRY } from '../support/core-world.ts';

test('a read that is noted while its webhook is called counts', async () => {
  const world = coreWorld(answer, NO_RETRY);
  const job = await world.submit('Hello.', { store: false });
  await world.run(job);
  let raced = 0;
  // What a teller writes: the document is newer, and its life is as it was.
  world.store.before('update', async () => {
    const found = await world.store.get(job);
    if (found) raced += 'written' in (await world.store.update(job, found.revision, { deliveries: [] })) ? 1 : 0;
  });
  await world.service.read(ADA, job.id);
  expect(raced).toBe(1);
  const stored = await world.store.get(job);
  expect(stored?.job.payloadsExpireAt).toBeLessThanOrEqual(world.clock.nowMs() + READ_GRACE_MS);
  world.close();
});
