/** X01 at length: a thousand seeds at each rate of faults on virtual time, and twenty through HTTP in real time. */
import { expect, test } from 'vitest';
import { httpDoors } from '../simulation/doors.ts';
import { realPace, type SimulationReport, simulate } from '../simulation/simulate.ts';

const SEEDS = 1_000;
const HTTP_SEEDS = 20;

function broken(reports: SimulationReport[], options: string) {
  return reports
    .filter(({ violations }) => violations.length > 0)
    .map(({ seed, violations }) => ({ replay: `npm run simulate -- --seed ${seed} ${options}`, violations }));
}

const sum = (reports: SimulationReport[], figure: 'faults' | 'kills' | 'pauses' | 'zombieWrites') =>
  reports.reduce((total, report) => total + report[figure], 0);

test.each([0.01, 0.05])('X01 a thousand seeds with %f of all calls failing', async (faultRate) => {
  const reports: SimulationReport[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) reports.push(await simulate({ seed, faultRate }));
  expect(broken(reports, `--faults ${faultRate}`)).toEqual([]);
  for (const figure of ['faults', 'kills', 'pauses'] as const) expect(sum(reports, figure)).toBeGreaterThan(SEEDS / 2);
  expect(sum(reports, 'zombieWrites')).toBeGreaterThan(0);
});

test('X01 twenty seeds through HTTP in real time', async () => {
  const seeds = Array.from({ length: HTTP_SEEDS }, (_, index) => index + 1);
  const run = (seed: number) => simulate({ seed, faultRate: 0.05, doors: httpDoors, pace: realPace() });
  // In halves, or the machine would be what fails.
  const first = await Promise.all(seeds.slice(0, HTTP_SEEDS / 2).map(run));
  const reports = [...first, ...(await Promise.all(seeds.slice(HTTP_SEEDS / 2).map(run)))];
  expect(broken(reports, '--faults 0.05 --http')).toEqual([]);
  for (const figure of ['faults', 'kills', 'pauses'] as const) expect(sum(reports, figure)).toBeGreaterThan(HTTP_SEEDS);
});
