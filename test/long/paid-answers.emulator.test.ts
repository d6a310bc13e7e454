/** W05: a paid answer is there, and the store is not; the wire to it is cut, or carries nothing without a word. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { describeOnEmulators } from '../support/emulators.ts';
import { pollToEnd } from '../support/http-client.ts';
import { type OutageWorld, startOutageWorld } from '../support/outage-world.ts';

const SHORT_MS = 10_000;
/** The holder's patience, and what is around it. */
const GIVES_UP_MS = 90_000;
const PATIENCE_MS = 60_000;

describeOnEmulators('W05: on the emulators,', () => {
  let world: OutageWorld;

  beforeAll(async () => {
    world = await startOutageWorld();
  });
  afterEach(() => world.wire.open());
  afterAll(async () => {
    await world?.stop();
  });

  const failedDeliveries = (id: string) => world.logged('delivery-failed').filter(({ job_id }) => job_id === id);

  test.each(['cut', 'hold'] as const)(
    'a store that is away for ten seconds costs no second call (%s)',
    async (fault) => {
      const id = await world.answeredWithoutStore(fault, `Short, ${fault}.`);
      await pause(SHORT_MS);
      // Past the wire: it is not written yet.
      expect((await world.read(id)).state).toBe('processing');
      world.wire.open();
      expect(await pollToEnd(world.baseUrl, id, PATIENCE_MS)).toMatchObject({
        status: 'completed',
        attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
      });
      expect(world.provider.callsAbout(`Short, ${fault}.`)).toBe(1);
      expect(failedDeliveries(id)).toEqual([]);
    },
  );

  test.each(['cut', 'hold'] as const)(
    'a store that is away for longer than a holder waits: the job ends all the same (%s)',
    async (fault) => {
      const id = await world.answeredWithoutStore(fault, `Long, ${fault}.`);
      await expect.poll(() => failedDeliveries(id).length, { timeout: GIVES_UP_MS, interval: 500 }).toBeGreaterThan(0);
      expect(failedDeliveries(id)[0]).toMatchObject({ code: 'store_unavailable' });
      expect((await world.read(id)).state).toBe('processing');
      world.wire.open();
      const view = await pollToEnd(world.baseUrl, id, PATIENCE_MS);
      expect(view.status).toBe('completed');
      const recorded = view.attempts.reduce((sum, { calls }) => sum + calls, 0);
      expect(world.provider.callsAbout(`Long, ${fault}.`)).toBeLessThanOrEqual(recorded);
      // Either what was held came through after all, or the attempt is known as lost, and another one was made.
      const outcomes = view.attempts.map(({ outcome }) => outcome);
      expect([['completed'], ['lost', 'completed']]).toContainEqual(outcomes);
    },
  );
});
