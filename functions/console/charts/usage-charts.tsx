/** Three charts of the days, and the same as a table. */
import { costOf, countOf } from '../words.ts';
import { DayBars } from './day-bars.tsx';
import { shortCount, shortDollars, ticksTo, wholeTicksTo } from './ticks.ts';
import type { UsageReport, UsageRow } from './usage.ts';
import { UsageTable } from './usage-table.tsx';

export function UsageCharts({ report }: { report: UsageReport }) {
  const { rows, total } = report;
  const highest = (amountOf: (row: UsageRow) => number) => Math.max(0, ...rows.map(amountOf));
  const bars = (partsOf: (row: UsageRow) => number[], says: (row: UsageRow) => string) =>
    rows.map((row) => ({ day: row.day ?? '', parts: partsOf(row), says: `${row.day}: ${says(row)}` }));
  /** On which day there was most of it. */
  const most = (amountOf: (row: UsageRow) => number, says: (row: UsageRow) => string) => {
    const row = rows.find((row) => amountOf(row) === highest(amountOf));
    return row && amountOf(row) > 0 ? ` The most on ${row.day}: ${says(row)}.` : '';
  };
  const cost = (row: UsageRow) => row.cost ?? 0;
  const tokens = (row: UsageRow) => row.input_tokens + row.output_tokens;
  const saysCost = (row: UsageRow) => costOf(row.cost);
  const saysTokens = (row: UsageRow) => `${countOf(row.input_tokens)} in, ${countOf(row.output_tokens)} out`;
  const saysJobs = (row: UsageRow) => countOf(row.jobs);
  return (
    <>
      <DayBars
        title="Cost per day."
        says={`${costOf(total.cost)}${total.cost === null ? '' : ' in all'}.${most(cost, saysCost)}`}
        bars={bars((row) => [cost(row)], saysCost)}
        ticks={ticksTo(highest(cost))}
        tickOf={shortDollars}
      />
      <DayBars
        title="Tokens per day."
        says={`${countOf(total.input_tokens)} in, ${countOf(total.output_tokens)} out.${most(tokens, saysTokens)}`}
        bars={bars((row) => [row.input_tokens, row.output_tokens], saysTokens)}
        ticks={wholeTicksTo(highest(tokens))}
        tickOf={shortCount}
        names={['Input', 'Output']}
      />
      <DayBars
        title="Jobs per day."
        says={`${countOf(total.jobs)} in all.${most((row) => row.jobs, saysJobs)}`}
        bars={bars((row) => [row.jobs], saysJobs)}
        ticks={wholeTicksTo(highest((row) => row.jobs))}
        tickOf={shortCount}
      />
      <details>
        <summary>The days as a table</summary>
        <UsageTable title="Day" report={report} nameOf={({ day = '' }) => day} />
      </details>
    </>
  );
}
