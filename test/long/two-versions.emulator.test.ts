/** X03: workers of this version and of an earlier one do 200 jobs together, and are killed and paused past their leases. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Fault } from '../../infra/chaos-faults.ts';
import { NO_CANCELS } from '../../infra/chaos-load.ts';
import { KIND } from '../../infra/chaos-provider.ts';
import { type ChaosView, runChaos } from '../../infra/chaos-run.ts';
import { findings, toTable, verdictRows } from '../../infra/chaos-table.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { bundlePreviousWorker } from '../support/previous-version.ts';

const JOBS = 200;
/** In turn of the earlier version and of this one. */
const WORKERS = 4;
const VERSIONS = ['earlier', 'this'] as const;
type Version = (typeof VERSIONS)[number];
const versionOf = (worker: number): Version => (worker % 2 === 0 ? 'earlier' : 'this');
const KILLS = 12;
/** Of a version, as long as none of its writes was refused; … */
const PAUSES_MOST = 12;
/** … and this share of the jobs is left for what comes after. */
const LAST = 0.9;

/** What the workers of each version did, by what they printed. */
type Done = Record<Version, { finished: number; kills: number; fenced: number }>;

function watch(): { done: Done; take(line: string): void } {
  const none = () => ({ finished: 0, kills: 0, fenced: 0 });
  const done = { earlier: none(), this: none() };
  return {
    done,
    take(line) {
      const [, number = '0', text] = /^worker ?(\d*): (.*)/.exec(line) ?? [];
      if (text === undefined) return;
      const did = done[versionOf(Number(number))];
      if (text.includes('"message":"job-finished"')) did.finished += 1;
      if (/"message":"(zombie-write-refused|lease-lost)"/.test(text)) did.fenced += 1;
      if (text.includes(' died (SIGKILL)')) did.kills += 1;
    },
  };
}

describeOnEmulators('on the emulators,', () => {
  test('X03 two versions at once do 200 jobs: none is lost or done twice, and both are fenced', async () => {
    const previous = await bundlePreviousWorker();
    const { done, take } = watch();
    const isOver = ({ ledger }: ChaosView) => ledger.jobs.size >= JOBS * LAST;

    async function* faults(view: ChaosView): AsyncIterable<Fault> {
      for (let n = 0; n < KILLS + PAUSES_MOST; n++) {
        const due = (n / (KILLS + PAUSES_MOST)) * LAST * JOBS;
        while (view.ledger.jobs.size < due || view.ledger.over() === 0) await pause(50);
        const isFenced = VERSIONS.every((version) => done[version].fenced > 0);
        if (n % 2 === 0) yield 'kill';
        else if (!isFenced && !isOver(view)) yield 'pause cut off';
        await pause(300);
      }
    }

    const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1_000_000));
    console.log(`CHAOS_SEED=${seed}`);
    const report = await runChaos({
      ...{ seed, workers: WORKERS, clients: 12, jobsMost: JOBS, emulators: emulators(), habits: NO_CANCELS },
      temper: { ...KIND, fastestMs: 200, slowestMs: 2_000, cuts: 0.04, refuses: 0.04, overloaded: 0.06 },
      ...{ faults, drainMs: 240_000, onLine: take },
      workerBundle: (n) => (versionOf(n) === 'earlier' ? previous : undefined),
    });
    const { verdict } = report;
    const rows = VERSIONS.map((version): [string, string] => [
      `${version} version: finished / killed / fenced`,
      Object.values(done[version]).join(' / '),
    ]);
    console.log(toTable([...verdictRows(report), ...rows]).join('\n'));
    // Every job that was accepted is over, once, with its calls recorded, its text whole, and its webhook told.
    expect(findings(report)).toEqual([]);
    expect(verdict.accepted).toBe(JOBS);
    expect(verdict.states.completed).toBe(JOBS);
    expect(verdict.calls).toBeLessThanOrEqual(verdict.recordedCalls);
    // Calls failed and were made again; webhooks were told.
    expect(verdict.calls).toBeGreaterThan(JOBS);
    expect(report.told.events).toBeGreaterThan(JOBS / 10);
    // Each of them did much of it, was killed in the middle of it, and had writes refused.
    for (const version of VERSIONS) {
      expect(done[version].finished, version).toBeGreaterThan(JOBS / 5);
      expect(done[version].kills, version).toBeGreaterThan(1);
      expect(done[version].fenced, version).toBeGreaterThan(0);
    }
    expect(report.faults('kill').hit).toBeGreaterThan(KILLS / 2);
  });
});
