/** The attempts of the last victims: what became of each, and whether each call was recorded. */
import type { Attempt } from '../../../shared/client/client.ts';
import { hrefTo } from '../route.ts';
import { inWords } from '../words.ts';
import { DEED_WORDS } from './told.ts';
import type { Victim } from './victim.ts';

const OUTCOMES: Readonly<Record<NonNullable<Attempt['outcome']>, string>> = {
  completed: '● Completed',
  failed: '✕ Failed',
  cancelled: '– Cancelled',
  released: '○ Handed back',
  lost: '✕ Lost',
};

export function VictimsTable({
  victims,
  calls,
}: {
  victims: readonly Victim[];
  calls: Readonly<Record<string, number>>;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className="victims" aria-label="Attempts of the last jobs" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Attempt</th>
            <th scope="col">Outcome</th>
            <th scope="col">Error</th>
            <th scope="col">Calls recorded</th>
            <th scope="col">Calls counted</th>
          </tr>
        </thead>
        {victims.map((victim) => (
          <Attempts key={victim.jobId} victim={victim} counted={calls[victim.jobId] ?? 0} />
        ))}
      </table>
    </section>
  );
}

function Attempts({ victim: { jobId, deed, job }, counted }: { victim: Victim; counted: number }) {
  const attempts = job?.attempts ?? [];
  const rowSpan = Math.max(1, attempts.length);
  const isWaiting = job?.next_attempt_at !== undefined;
  const first = (
    <th scope="rowgroup" rowSpan={rowSpan}>
      <a href={hrefTo('jobs', jobId)}>{DEED_WORDS[deed]}</a>
    </th>
  );
  const last = <td rowSpan={rowSpan}>{counted}</td>;
  if (attempts.length === 0) {
    return (
      <tbody>
        <tr>
          {first}
          <td colSpan={4}>None yet</td>
          {last}
        </tr>
      </tbody>
    );
  }
  return (
    <tbody>
      {attempts.map(({ n, outcome, error_code, calls }, index) => (
        <tr key={n}>
          {index === 0 && first}
          <td>{n}</td>
          <td className={`badge ${outcome === 'lost' ? 'failed' : (outcome ?? 'processing')}`}>
            {outcome ? OUTCOMES[outcome] : isWaiting ? '○ Waits' : '◐ Under way'}
          </td>
          <td>{error_code ? inWords(error_code) : '–'}</td>
          <td>{calls}</td>
          {index === 0 && last}
        </tr>
      ))}
    </tbody>
  );
}
