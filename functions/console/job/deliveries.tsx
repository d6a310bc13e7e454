/** What a job's webhook was told. */
import { Scrolled } from '../parts/scrolled.tsx';
import { timeOf } from '../words.ts';

/** As `GET …/deliveries/` answers. */
export type DeliveryLog = {
  webhook?: { url: string };
  pending: readonly { event_id: string; type: string }[];
  next_try_at?: string;
  given_up?: true;
  deliveries: readonly {
    event_id: string;
    type: string;
    tried_at: string;
    duration_ms: number;
    outcome: 'delivered' | 'failed';
    message?: string;
  }[];
};

export function Deliveries({ webhook, pending, next_try_at, given_up, deliveries }: DeliveryLog) {
  const next = next_try_at ? `, not before ${timeOf(next_try_at)}` : '';
  return (
    <>
      <p>
        To <code>{webhook?.url}</code>.{' '}
        {pending.length > 0 && `Still to be told: ${pending.map(({ type }) => type).join(', ')}${next}.`}
        {given_up && ' It was given up after its last failure.'}
      </p>
      {deliveries.length > 0 && (
        <Scrolled label="Deliveries, table">
          <table>
            <thead>
              <tr>
                <th scope="col">Event</th>
                <th scope="col">Tried</th>
                <th scope="col">Took</th>
                <th scope="col">Outcome</th>
              </tr>
            </thead>
            <tbody>
              {deliveries.map(({ event_id, type, tried_at, duration_ms, outcome, message }) => (
                <tr key={`${event_id} ${tried_at}`}>
                  <th scope="row">{type}</th>
                  <td>{timeOf(tried_at)}</td>
                  <td>{Math.round(duration_ms)} ms</td>
                  <td>{outcome === 'delivered' ? 'Delivered' : `Failed. ${message ?? ''}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
    </>
  );
}
