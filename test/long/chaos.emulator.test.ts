/** X02: 200 jobs through three workers that are killed 30 times and paused past their lease 5 times. */
import { expect, test } from 'vitest';
import type { Fault } from '../../infra/chaos-faults.ts';
import { NO_CANCELS } from '../../infra/chaos-load.ts';
import { KIND } from '../../infra/chaos-provider.ts';
import { type ChaosView, runChaos } from '../../infra/chaos-run.ts';
import { findings, toTable, verdictRows } from '../../infra/chaos-table.ts';
import type { Chance } from '../simulation/random.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';

const JOBS = 200;
const KILLS = 30;
const PAUSES = 5;
const GAP_MS = [100, 1_500] as const;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Each fault waits for its share of the jobs, so that on a slow machine, too, it comes in the middle of them. */
async function* faultsOf({ faults, ledger }: ChaosView, luck: Chance): AsyncIterable<Fault> {
  for (;;) {
    const kills = Math.max(0, KILLS - faults.counts('kill').done);
    const pauses = Math.max(0, PAUSES - faults.counts('pause cut off').done);
    const left = kills + pauses;
    if (left === 0) return;
    const due = (1 - left / (KILLS + PAUSES)) * 0.8 * JOBS;
    while (ledger.jobs.size < due || ledger.over() === 0) await pause(50);
    yield luck.happens(pauses / left) ? 'pause cut off' : 'kill';
    await pause(luck.between(...GAP_MS));
  }
}

describeOnEmulators('on the emulators,', () => {
  test('X02 200 jobs survive 30 kills and 5 pauses longer than the lease, and none is done twice', async () => {
    const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1_000_000));
    console.log(`CHAOS_SEED=${seed}`);
    const report = await runChaos({
      ...{ seed, workers: 3, clients: 14, jobsMost: JOBS, emulators: emulators(), habits: NO_CANCELS },
      ...{ temper: { ...KIND, fastestMs: 200, slowestMs: 2_000 }, faults: faultsOf, drainMs: 240_000 },
    });
    console.log(toTable(verdictRows(report)).join('\n'));
    expect(findings(report)).toEqual([]);
    const { verdict, faults, zombieWrites } = report;
    expect(verdict.accepted).toBe(JOBS);
    expect(verdict.states.completed).toBe(JOBS);
    expect(verdict.calls).toBeLessThanOrEqual(verdict.recordedCalls);
    // The faults happened, and hit something.
    expect(faults('kill').done).toBeGreaterThanOrEqual(KILLS);
    expect(faults('kill').hit).toBeGreaterThan(KILLS / 2);
    expect(faults('pause cut off').done).toBeGreaterThanOrEqual(PAUSES);
    expect(faults('pause cut off').hit).toBeGreaterThan(PAUSES / 2);
    expect(verdict.calls).toBeGreaterThan(JOBS);
    expect(report.redeliveries).toBeGreaterThan(0);
    expect(zombieWrites).toBeGreaterThan(0);
  });
});
