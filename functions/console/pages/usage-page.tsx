/** What jobs used and cost: by day as charts, by model, job type and arm as a table. */
import { type FormEvent, useState } from 'react';
import { useAsked } from '../asked.ts';
import { AccountSearch } from '../charts/account.tsx';
import {
  DAYS_MOST,
  type Days,
  GROUPINGS,
  type Grouping,
  joined,
  lastDays,
  piecesOf,
  type UsageReport,
  wrongDays,
} from '../charts/usage.ts';
import { UsageCharts } from '../charts/usage-charts.tsx';
import { UsageTable } from '../charts/usage-table.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { LookAgain } from '../parts/look-again.tsx';
import { Problem } from '../parts/problem.tsx';
import { jobs } from '../service.ts';
import { costOf, countOf, inWords } from '../words.ts';
import '../style/usage.css';

const SPANS = [7, 30, 90];

function useUsage(groupBy: 'day' | Grouping, { from, to }: Days) {
  return useAsked(`${groupBy} ${from} ${to}`, async (signal) => {
    const path = (piece: Days) => `/api/llm/usage/?${new URLSearchParams({ group_by: groupBy, ...piece })}`;
    const ask = (piece: Days) => jobs.request<UsageReport>({ path: path(piece) }, { signal });
    return joined(await Promise.all(piecesOf({ from, to }).map(ask)), groupBy);
  });
}

export function UsagePage() {
  const [days, setDays] = useState(() => lastDays(7, Date.now()));
  return (
    <>
      <h1>Usage</h1>
      <DayRange days={days} take={setDays} />
      <ByDay days={days} />
      <AccountSearch />
    </>
  );
}

function DayRange({ days, take }: { days: Days; take(days: Days): void }) {
  const [wrong, setWrong] = useState<string>();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const wanted = { from: String(form.get('from')), to: String(form.get('to')) };
    setWrong(wrongDays(wanted));
    if (!wrongDays(wanted)) take(wanted);
  };
  return (
    <div className="row">
      {SPANS.map((span) => {
        const last = lastDays(span, Date.now());
        const isShown = days.from === last.from && days.to === last.to;
        return (
          <button key={span} type="button" aria-pressed={isShown} onClick={() => take(last)}>
            {`${span} days`}
          </button>
        );
      })}
      <form key={`${days.from} ${days.to}`} className="row" onSubmit={submit}>
        <label>
          From <input type="date" name="from" defaultValue={days.from} aria-describedby="wrong-days" />
        </label>
        <label>
          to <input type="date" name="to" defaultValue={days.to} aria-describedby="wrong-days" />
        </label>
        <button type="submit">Show</button>
        <span id="wrong-days" role="status">
          {wrong}
        </span>
      </form>
      <span className="aside">{`Days of UTC, at most ${DAYS_MOST}.`}</span>
    </div>
  );
}

function ByDay({ days }: { days: Days }) {
  const asked = useUsage('day', days);
  const { answer: report, error, again } = asked;
  if (error && !report) return <Problem error={error} again={again} />;
  if (!report) return <Loading what="the usage" />;
  const { total } = report;
  if (total.jobs === 0) {
    return (
      <Empty title="No job was submitted on these days.">
        <a href="#/new">Submit one</a>
      </Empty>
    );
  }
  return (
    <>
      {error && <Problem error={error} again={again} />}
      <div className="row">
        <p className="usage-total">
          {`${countOf(total.jobs)} jobs, ${countOf(total.input_tokens + total.output_tokens)} tokens, ${costOf(total.cost)}`}
        </p>
        <LookAgain asked={[asked]} />
      </div>
      {total.truncated && <p>There are more jobs on these days than were counted: each number is at least that.</p>}
      {total.unpriced_attempts > 0 && (
        <p>{`What ${countOf(total.unpriced_attempts)} attempts cost nobody knows: it is in no sum.`}</p>
      )}
      {total.estimated_cost > 0 && <p>{`${costOf(total.estimated_cost)} of the cost is an estimate.`}</p>}
      <UsageCharts report={report} />
      <ByKind days={days} />
    </>
  );
}

function ByKind({ days }: { days: Days }) {
  const [grouping, setGrouping] = useState<Grouping>('model');
  const { answer: report, error, again } = useUsage(grouping, days);
  const nameOf = (name = '') => (grouping === 'job_type' ? inWords(name) : name);
  return (
    <section aria-labelledby="by-kind">
      <h2 id="by-kind">What used it</h2>
      <fieldset className="row">
        <legend className="unseen">By what</legend>
        {GROUPINGS.map((name) => (
          <label key={name}>
            <input type="radio" name="grouping" checked={name === grouping} onChange={() => setGrouping(name)} />
            {NAMES[name]}
          </label>
        ))}
      </fieldset>
      {error && <Problem error={error} again={again} />}
      {!report && !error && <Loading what="the table" />}
      {report && (
        <UsageTable isBarred title={NAMES[grouping]} report={report} nameOf={(row) => nameOf(row[grouping])} />
      )}
    </section>
  );
}

const NAMES: Readonly<Record<Grouping, string>> = { model: 'Model', job_type: 'Job type', arm: 'Experiment' };
