/**
 * The whole core under random faults on virtual time, every invariant checked: a few seeds each day (`npm run test:long`
 * has a thousand), and any sequence of commands, shrunk to the shortest that breaks something.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Command, obey } from '../simulation/commands.ts';
import { type SimulationReport, simulate } from '../simulation/simulate.ts';

async function simulateAll(seeds: number, options: { faultRate: number; isShared?: boolean }) {
  const reports: SimulationReport[] = [];
  for (let seed = 1; seed <= seeds; seed++) reports.push(await simulate({ seed, ...options }));
  return reports;
}

type Figure = Exclude<
  { [F in keyof SimulationReport]: SimulationReport[F] extends number ? F : never }[keyof SimulationReport],
  'seed' | 'virtualMs'
>;
const sum = (reports: SimulationReport[], figure: Figure) =>
  reports.reduce((total, report) => total + report[figure], 0);

test('X01 without faults every job ends, and every call that was recorded was made', async () => {
  const reports = await simulateAll(8, { faultRate: 0 });
  expect(reports.flatMap((report) => report.violations)).toEqual([]);
  expect(sum(reports, 'deletes')).toBeGreaterThan(5);
  expect(sum(reports, 'chunks')).toBeGreaterThan(5);
  expect(sum(reports, 'removals')).toBeGreaterThan(5);
  expect(sum(reports, 'redrives')).toBeGreaterThan(5);
  expect(reports.map((report) => report.calls)).toEqual(reports.map((report) => report.recordedCalls));
  // Some do not hear of it at once; all do with their next heartbeat.
  const slowest = Math.max(...reports.map((report) => report.slowestCancelMs));
  expect(slowest).toBeGreaterThan(0);
  expect(slowest).toBeLessThanOrEqual(21_000);
}, 120_000);

test.each([0.01, 0.05])(
  'X01 with %f of all calls failing, everything holds',
  async (faultRate) => {
    const reports = await simulateAll(8, { faultRate });
    const broken = reports.filter((report) => report.violations.length > 0);
    expect(
      broken.map(({ seed, violations }) => ({
        replay: `npm run simulate -- --seed ${seed} --faults ${faultRate}`,
        violations,
      })),
    ).toEqual([]);
    for (const figure of [
      'faults',
      'kills',
      'pauses',
      'drains',
      'deletes',
      'redrives',
      'chunks',
      'parks',
      'failovers',
      'removals',
      'settled',
      'detaches',
      'posts',
    ] as const)
      expect(sum(reports, figure)).toBeGreaterThan(5);
    expect(sum(reports, 'deferrals')).toBeGreaterThan(0);
    if (faultRate === 0.05) expect(sum(reports, 'zombieWrites')).toBeGreaterThan(0);
    if (faultRate === 0.05) expect(sum(reports, 'keptOn')).toBeGreaterThan(0);
  },
  120_000,
);

test.each([0, 0.05])(
  'Q04 with equal jobs in two tenants, and %f of all calls failing, everything holds',
  async (faultRate) => {
    const reports = await simulateAll(4, { faultRate, isShared: true });
    expect(reports.flatMap((report) => report.violations)).toEqual([]);
    expect(sum(reports, 'answered')).toBeGreaterThan(10);
  },
  120_000,
);

test('the same seed is the same run', async () => {
  const options = { seed: 7, faultRate: 0.05 };
  expect(await simulate(options)).toEqual(await simulate(options));
});

test('any sequence of submits, deliveries, crashes, stalls, cancels, deletes, redrives, sweeps, faults and time leaves everything right', async () => {
  const job = fc.nat(3);
  const worker = fc.nat(1);
  const command: fc.Arbitrary<Command> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom(...(['submit', 'deliver', 'cancel', 'delete', 'redrive'] as const)),
        job,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('crash' as const, 'pause' as const, 'resume' as const, 'drain' as const),
        worker,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'lose messages' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.oneof(fc.nat(5_000), fc.nat(120_000)) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('fail' as const), fault: fc.nat(7) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40 }), fc.nat(), async (commands, seed) => {
      expect(await obey(commands, seed)).toEqual([]);
    }),
    { numRuns: 60 },
  );
}, 120_000);
