/** What was used, a row for each day, model, job type or arm; with `isBarred` a bar shows which row cost most. */
import { Scrolled } from '../parts/scrolled.tsx';
import { costOf, countOf } from '../words.ts';
import type { Sums, UsageReport, UsageRow } from './usage.ts';

type UsageTable = {
  title: string;
  report: UsageReport;
  nameOf(row: UsageRow): string;
  isBarred?: boolean;
};

/** What a row's bar is as long as: its cost, or its tokens where nothing costs anything. */
function weigher(rows: readonly Sums[]): { what: string; weightOf(sums: Sums): number } {
  const isPaid = rows.some(({ cost }) => cost);
  if (isPaid) return { what: 'cost', weightOf: ({ cost }) => cost ?? 0 };
  return { what: 'tokens', weightOf: ({ input_tokens, output_tokens }) => input_tokens + output_tokens };
}

export function UsageTable({ title, report: { rows, total }, nameOf, isBarred = false }: UsageTable) {
  const { what, weightOf } = weigher(rows);
  const heaviest = Math.max(...rows.map(weightOf), Number.MIN_VALUE);
  const sorted = isBarred ? rows.toSorted((one, other) => weightOf(other) - weightOf(one)) : rows;
  return (
    <Scrolled label={`${title}, table`}>
      <table className="usage">
        <thead>
          <tr>
            <th scope="col">{title}</th>
            {isBarred && <th scope="col" className="bar">{`By ${what}`}</th>}
            <th scope="col">Jobs</th>
            <th scope="col">Tokens in</th>
            <th scope="col">Tokens out</th>
            <th scope="col">Cost</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <tr key={nameOf(row)}>
              <th scope="row">{nameOf(row)}</th>
              {isBarred && (
                <td className="bar">
                  <svg role="img" aria-label={`${Math.round((100 * weightOf(row)) / heaviest)} % of the highest`}>
                    <rect className="part-0" width={`${(100 * weightOf(row)) / heaviest}%`} height="100%" />
                  </svg>
                </td>
              )}
              <Cells sums={row} />
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">All</th>
            {isBarred && <td />}
            <Cells sums={total} />
          </tr>
        </tfoot>
      </table>
    </Scrolled>
  );
}

function Cells({ sums: { jobs, input_tokens, output_tokens, cost, truncated } }: { sums: Sums }) {
  const more = truncated ? ' or more' : '';
  return (
    <>
      <td>{countOf(jobs) + more}</td>
      <td>{countOf(input_tokens) + more}</td>
      <td>{countOf(output_tokens) + more}</td>
      <td>{costOf(cost) + more}</td>
    </>
  );
}
