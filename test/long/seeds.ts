/** X01: many seeds of the simulation, and what must be so of them together. */
import { expect } from 'vitest';
import { type SimulationReport, simulate } from '../simulation/simulate.ts';

const SEEDS = 1_000;

/** No seed breaks a rule, and the faults that the rules are about did happen. */
export async function thousandSeeds(faultRate: number): Promise<void> {
  const reports: SimulationReport[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) reports.push(await simulate({ seed, faultRate }));
  expect(broken(reports, `--faults ${faultRate}`)).toEqual([]);
  for (const figure of ['faults', 'kills', 'pauses'] as const) expect(sum(reports, figure)).toBeGreaterThan(SEEDS / 2);
  expect(sum(reports, 'zombieWrites')).toBeGreaterThan(0);
}

/** The seeds that broke a rule, with what replays each. */
export function broken(reports: readonly SimulationReport[], options: string) {
  return reports
    .filter(({ violations }) => violations.length > 0)
    .map(({ seed, violations }) => ({ replay: `npm run simulate -- --seed ${seed} ${options}`, violations }));
}

export const sum = (
  reports: readonly SimulationReport[],
  figure: 'faults' | 'kills' | 'pauses' | 'zombieWrites',
): number => reports.reduce((total, report) => total + report[figure], 0);
