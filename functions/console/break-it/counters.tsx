/** What was counted meanwhile, by the provider, by the jobs and by the service. */
import { countOf } from '../words.ts';
import type { BreakItState } from './break-it-state.ts';
import type { Verdict } from './verdict.ts';

export function Counters({
  verdict: { calls, recorded, lost },
  counters,
}: { verdict: Verdict } & Pick<BreakItState, 'counters'>) {
  const rows: [string, number][] = [
    ['Calls the provider counted', calls],
    ['Calls recorded', recorded],
    ['Zombie writes refused', counters.refused_writes],
    ['Deliveries refused', counters.refused_claims],
    ['Jobs lost', lost],
  ];
  return (
    <dl className="counters">
      {rows.map(([what, count]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>{countOf(count)}</dd>
        </div>
      ))}
    </dl>
  );
}
