/** R04: what a sweep does to a job at each horizon, as one table. */
import { expect } from 'vitest';
import type { Attempt } from '../../shared/core/attempt-record.ts';
import type { Job, JobChanges } from '../../shared/core/job.ts';
import { CANCEL_GRACE_MS } from '../../shared/core/leases.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import type { Swept } from '../../shared/core/sweep.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import { type Open, scenario } from './world.ts';

type Row = [
  name: string,
  /** The document; `margin` is as near to a horizon as the world's clock allows. */
  before: (nowMs: number, marginMs: number) => JobChanges,
  /** What the sweep says, and the job after it; without it, nothing is written. */
  after?: [Partial<Swept>, object],
];

const FIRST: Attempt = { n: 1, startedAt: 0, provider: 'simulated', model: 'simulated', calls: 1 };
const LOST = { n: 1, outcome: 'lost', errorCode: 'lease_lost' };
const ENDED: Attempt = { ...FIRST, endedAt: 1, outcome: 'failed', errorCode: 'overloaded' };
const failed = (code: string) => ({ state: 'failed', error: { code }, leaseExpiresAt: null });

/** A job in its first attempt, at which the sweeper has to look. */
export function heldBy(nowMs: number, leaseExpiresAt: number): JobChanges {
  return {
    ...{ state: 'processing', version: 2, startedAt: nowMs, stage: 'calling_llm', attempt: 1, attempts: [FIRST] },
    ...{ token: 'a token', holder: 'a worker', leaseExpiresAt, wakeAt: nowMs - 1 },
  };
}

function waiting(nowMs: number, nextAttemptAt: number): JobChanges {
  const unheld = { holder: undefined, leaseExpiresAt: null, stage: 'waiting', attempts: [ENDED] };
  return { ...heldBy(nowMs, 0), ...unheld, nextAttemptAt, wakeAt: nextAttemptAt };
}

const limits = (over: object) => ({ limits: { ...DEFAULT_LIMITS, ...over } });
const over = (state: Job['state']) => (now: number) => ({
  ...{ ...heldBy(now, 0), state, leaseExpiresAt: null, completedAt: now, wakeAt: null },
  attempts: [ENDED],
});

const ROWS: Row[] = [
  ['the lease is about to end', (now, margin) => heldBy(now, now + margin)],
  [
    'the lease has just ended, its grace has not',
    (now, margin) => ({ ...heldBy(now, now - margin), wakeAt: now + margin }),
  ],
  [
    'lease and grace are over',
    (now, margin) => heldBy(now, now - margin),
    [{ rung: 1 }, { state: 'processing', stage: 'waiting', leaseExpiresAt: null, attempts: [LOST], losses: 1 }],
  ],
  [
    'a second worker is lost',
    (now, margin) => ({ ...heldBy(now, now - margin), losses: 1 }),
    [{ postponed: 1 }, { state: 'processing', stage: 'waiting', losses: 2, nextAttemptAt: expect.any(Number) }],
  ],
  [
    'the last worker but one is lost',
    (now, margin) => ({ ...heldBy(now, now - margin), losses: LOSSES_MOST - 2 }),
    [{ postponed: 1 }, { state: 'processing', losses: LOSSES_MOST - 1 }],
  ],
  [
    'the last worker is lost',
    (now, margin) => ({ ...heldBy(now, now - margin), losses: LOSSES_MOST - 1 }),
    [{ ended: 1 }, { ...failed('crash_loop'), losses: LOSSES_MOST, attempts: [LOST] }],
  ],
  [
    'the lease of a last attempt is alive',
    (now, margin) => ({ ...heldBy(now, now + margin), losses: LOSSES_MOST - 1 }),
  ],
  [
    'a cancel, and its holder still has a moment',
    (now, margin) => ({ ...heldBy(now, now + 60_000), cancelRequestedAt: now - CANCEL_GRACE_MS + margin }),
  ],
  [
    'a cancel that its holder ignored for the whole grace',
    (now, margin) => ({ ...heldBy(now, now + 60_000), cancelRequestedAt: now - CANCEL_GRACE_MS - margin }),
    [{ ended: 1 }, { state: 'cancelled', leaseExpiresAt: null, attempts: [LOST] }],
  ],
  [
    'a cancel whose holder is dead',
    (now, margin) => ({ ...heldBy(now, now - margin), cancelRequestedAt: now - margin }),
    [{ ended: 1 }, { state: 'cancelled', attempts: [LOST] }],
  ],
  ['a completed job', over('completed')],
  ['a failed job', over('failed')],
  ['a cancelled job', over('cancelled')],
  [
    'an attempt of nine minutes, with its lease alive',
    (now, margin) => ({
      ...heldBy(now, now + margin),
      startedAt: now - 539_000,
      ...limits({ attemptTimeoutMs: 540_000 }),
    }),
  ],
  ['no worker yet, and the doorbell still has a moment', (now, margin) => ({ wakeAt: now + margin })],
  [
    'no worker yet, and the doorbell has had its time',
    (now) => ({ wakeAt: now }),
    [{ rung: 1 }, { state: 'pending', rings: 1 }],
  ],
  [
    'no worker within start_within',
    (now) => ({ wakeAt: now, ...limits({ startWithinMs: 1 }) }),
    [{ ended: 1 }, { ...failed('start_timeout'), attempts: [] }],
  ],
  [
    // That clock stopped with the first claim.
    'lease and grace are over, start_within long ago, too',
    (now, margin) => ({ ...heldBy(now, now - margin), ...limits({ startWithinMs: 1 }) }),
    [{ rung: 1 }, { state: 'processing', attempts: [LOST] }],
  ],
  ['waiting, the next attempt almost due', (now, margin) => waiting(now, now + margin)],
  [
    'waiting, the next attempt due',
    (now) => waiting(now, now),
    [{ rung: 1 }, { state: 'processing', stage: 'waiting', attempts: [{ n: 1, outcome: 'failed' }] }],
  ],
  [
    'waiting, the time of the job over',
    (now) => ({ ...waiting(now, now), ...limits({ timeoutMs: 1 }) }),
    [{ ended: 1 }, failed('job_timeout')],
  ],
  [
    'the time of the job over, its worker lost',
    (now, margin) => ({ ...heldBy(now, now - margin), ...limits({ timeoutMs: 1 }) }),
    [{ ended: 1 }, { ...failed('job_timeout'), attempts: [LOST] }],
  ],
  [
    // It is the holder's to end.
    'the time of the job over, its holder alive',
    (now, margin) => ({ ...heldBy(now, now + margin), ...limits({ timeoutMs: 1 }) }),
  ],
];

export function rescueScenarios(open: Open): void {
  for (const [name, before, after] of ROWS) {
    scenario(open, `R04 ${name}: ${after ? Object.keys(after[0]) : 'left alone'}`, async (world) => {
      const job = await world.submit();
      // Beyond the shortest deadline, which counts from the creation.
      await world.pass(50);
      const nowMs = (await world.ground.get(job))?.readAtMs ?? 0;
      await world.poke(job, before(nowMs, world.isVirtual ? 1 : 10_000));
      const poked = await world.ground.get(job);
      const idle = { rung: 0, ended: 0, postponed: 0, removed: 0 };
      expect(await world.main.sweep()).toEqual({ ...idle, ...after?.[0] });
      const found = await world.ground.get(job);
      if (after) expect(found?.job).toMatchObject(after[1]);
      else expect(found?.revision).toBe(poked?.revision);
      expect(world.published(job)).toBe(1 + (after?.[0].rung ?? 0));
      if (after?.[0].postponed) expect(found?.job.nextAttemptAt).toBeGreaterThan(nowMs);
    });
  }
}
