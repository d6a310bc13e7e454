/** X01 through HTTP, in real time. */
import { expect, test } from 'vitest';
import { httpDoors } from '../simulation/doors.ts';
import { realPace, simulate } from '../simulation/simulate.ts';
import { broken, sum } from './seeds.ts';

const SEEDS = 20;

test('X01 twenty seeds through HTTP in real time', async () => {
  const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1);
  const run = (seed: number) => simulate({ seed, faultRate: 0.05, doors: httpDoors, pace: realPace() });
  // In halves, or the machine would be what fails.
  const first = await Promise.all(seeds.slice(0, SEEDS / 2).map(run));
  const reports = [...first, ...(await Promise.all(seeds.slice(SEEDS / 2).map(run)))];
  expect(broken(reports, '--faults 0.05 --http')).toEqual([]);
  for (const figure of ['faults', 'kills', 'pauses'] as const) expect(sum(reports, figure)).toBeGreaterThan(SEEDS);
});
