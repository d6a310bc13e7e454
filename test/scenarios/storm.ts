/** S10: a storm of copies of one doorbell. */
import { expect } from 'vitest';
import { doorbellHandler, encodeDoorbell } from '../../shared/http/push.ts';
import { type Open, scenario } from './world.ts';

/** At a time, as many as a worker instance takes. */
const BATCH = 50;

export function stormScenarios(open: Open, copies: number): void {
  scenario(
    open,
    `S10 ${copies} copies of one doorbell: one call, at most one read and no write per copy, all acknowledged`,
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await world.submit();
      const { store, run } = world.main;
      const handle = doorbellHandler({ run, log: () => {} });
      let acknowledged = 0;
      let refused = 0;
      const deliver = async (copy: number) => {
        const answered = await handle(encodeDoorbell(job, `m-${copy}`, 1));
        if (answered) acknowledged += 1;
        else refused += 1;
      };

      // The first half while the job is claimed and runs: all but the one that runs it are answered at once.
      for (let sent = 0; sent < copies / 2; sent += BATCH) {
        for (let copy = sent; copy < sent + BATCH; copy++) void deliver(copy);
        await world.eventually(() => acknowledged + refused === sent + BATCH - 1);
      }
      world.answerTo(job);
      await world.eventually(() => acknowledged + refused === copies / 2);
      for (let sent = copies / 2; sent < copies; sent += BATCH) {
        await Promise.all(Array.from({ length: BATCH }, (_, index) => deliver(sent + index)));
      }

      expect({ acknowledged, refused }).toEqual({ acknowledged: copies, refused: 0 });
      expect(world.callsOf(job)).toHaveLength(1);
      expect(store.calls('get') + store.calls('getWithInput')).toBeLessThanOrEqual(copies + 1);
      // The submit, the claim and the finish of any plain job.
      expect([store.calls('create'), store.calls('update')]).toEqual([1, 2]);
      expect(world.published()).toBe(1);
      expect(await world.read(job)).toMatchObject({ state: 'completed', version: 3 });
    },
    // So long that no heartbeat comes in between.
    { leaseMs: 600_000 },
  );
}
