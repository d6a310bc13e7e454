/**
 * `npm run simulate -- --seeds 1000 --faults 0.05`: many runs, and what came of them; `--seed 42` replays one and tells the
 * story of each job for which something did not hold; `--shared`: most jobs may share their answers. Ends with 1 when anything did not.
 */
import { parseArgs } from 'node:util';
import { httpDoors } from './doors.ts';
import { realPace, type SimulationReport, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    faults: { type: 'string', default: '0.05' },
    jobs: { type: 'string', default: '20' },
    shared: { type: 'boolean', default: false },
    http: { type: 'boolean', default: false },
  },
});

const BAR_WIDTH = 30;

function draw(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  const full = Math.round((done / all) * BAR_WIDTH);
  process.stderr.write(
    `\r[${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}] ${done}/${all}${done === all ? '\n' : ''}`,
  );
}

function total(reports: SimulationReport[], figure: (report: SimulationReport) => number): number {
  return reports.reduce((sum, report) => sum + figure(report), 0);
}

const faultRate = Number(values.faults);
const first = Number(values.seed ?? 1);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const more = values.http ? { doors: httpDoors } : {};
const startedMs = performance.now();
const reports: SimulationReport[] = [];
for (let seed = first; seed < first + count; seed++) {
  const pace = values.http ? { pace: realPace() } : {};
  reports.push(
    await simulate({ seed, faultRate, jobs: Number(values.jobs), isShared: values.shared, ...more, ...pace }),
  );
  draw(reports.length, count);
}

const ends: Record<string, number> = {};
for (const report of reports)
  for (const [end, jobs] of Object.entries(report.ends)) ends[end] = (ends[end] ?? 0) + jobs;
console.table({
  runs: count,
  seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  'virtual hours': Math.round(total(reports, (report) => report.virtualMs) / 360_000) / 10,
  faults: total(reports, (report) => report.faults),
  'workers killed': total(reports, (report) => report.kills),
  'workers stalled': total(reports, (report) => report.pauses),
  'workers drained': total(reports, (report) => report.drains),
  'jobs deleted': total(reports, (report) => report.deletes),
  'jobs redriven': total(reports, (report) => report.redrives),
  chunks: total(reports, (report) => report.chunks),
  'jobs parked': total(reports, (report) => report.parks),
  'jobs failed over': total(reports, (report) => report.failovers),
  'jobs deferred': total(reports, (report) => report.deferrals),
  'jobs answered by others': total(reports, (report) => report.answered),
  'jobs settled': total(reports, (report) => report.settled),
  'jobs denied': total(reports, (report) => report.denied),
  'payloads removed': total(reports, (report) => report.removals),
  'zombie writes refused': total(reports, (report) => report.zombieWrites),
  'webhooks called': total(reports, (report) => report.posts),
  calls: total(reports, (report) => report.calls),
  'recorded calls': total(reports, (report) => report.recordedCalls),
  ...ends,
  'invariants violated': total(reports, (report) => report.violations.length),
});
for (const { seed, violations, story } of reports) {
  if (violations.length === 0) continue;
  console.log(
    `\nnpm run simulate -- --seed ${seed} --faults ${faultRate}${values.shared ? ' --shared' : ''}\n  ${violations.join('\n  ')}`,
  );
  if (count === 1) for (const line of story) console.log(`    ${line}`);
}
// The timers of processes that were killed would keep this one alive for an hour.
process.exit(total(reports, (report) => report.violations.length) === 0 ? 0 : 1);
