/** The attempts of a job, one a row. */
import type { Attempt } from '../../../shared/client/client.ts';
import { Scrolled } from '../parts/scrolled.tsx';
import { reasonOf } from '../reasons.ts';
import { costOf, countOf, durationOf, timeOf } from '../words.ts';

const OUTCOMES: Readonly<Record<NonNullable<Attempt['outcome']>, string>> = {
  completed: 'Worked',
  failed: 'Failed',
  cancelled: 'Cancelled',
  released: 'Given back',
  lost: 'Lost',
};
/** What does not explain itself. */
const NOTES: Partial<typeof OUTCOMES> = {
  released: 'Given back: the worker let go of the job in good order, and another one takes it.',
  lost: 'Lost: the worker died or fell silent, and another one took the job. Its cost is an estimate.',
};

export function Attempts({ attempts }: { attempts: readonly Attempt[] }) {
  if (attempts.length === 0) return <p className="aside">None yet.</p>;
  const outcomes = new Set(attempts.map(({ outcome }) => outcome));
  return (
    <>
      <Scrolled label="Attempts, table">
        <table>
          <thead>
            <tr>
              {['Attempt', 'Outcome', 'Started', 'Took', 'Model', 'Why', 'Calls', 'Tokens', 'Cost'].map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {attempts.map((attempt) => (
              <Row key={attempt.n} attempt={attempt} />
            ))}
          </tbody>
        </table>
      </Scrolled>
      {(Object.keys(NOTES) as (keyof typeof NOTES)[]).map(
        (outcome) =>
          outcomes.has(outcome) && (
            <p key={outcome} className="aside">
              {NOTES[outcome]}
            </p>
          ),
      )}
    </>
  );
}

function Row({ attempt: { n, outcome, usage, cost, ...attempt } }: { attempt: Attempt }) {
  const { started_at, ended_at, provider, model, error_code, finish_reason, calls, cost_estimated } = attempt;
  return (
    <tr>
      <th scope="row">{n}</th>
      <td>{outcome ? OUTCOMES[outcome] : 'Running'}</td>
      <td>{timeOf(started_at)}</td>
      <td>{ended_at && tookOf(started_at, ended_at)}</td>
      <td>
        {model} {provider !== model && <span className="aside">{provider}</span>}
      </td>
      <td>
        {error_code ? (
          <>
            {reasonOf(error_code)?.title} <code>{error_code}</code>
          </>
        ) : (
          finish_reason
        )}
      </td>
      <td>{calls}</td>
      <td>{usage && `${countOf(usage.input_tokens)} in, ${countOf(usage.output_tokens)} out`}</td>
      <td>
        {cost !== undefined && costOf(cost)}
        {cost_estimated && ' (estimate)'}
      </td>
    </tr>
  );
}

/** Instants are whole seconds. */
function tookOf(from: string, to: string): string {
  const seconds = (Date.parse(to) - Date.parse(from)) / 1_000;
  if (seconds < 1) return 'under 1 s';
  return seconds < 10 ? `${seconds} s` : durationOf(seconds);
}
