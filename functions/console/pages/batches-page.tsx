/** Batches: those of one's newest jobs, any by its id, and a new one. */
import { type FormEvent, useState } from 'react';
import { useAsked } from '../asked.ts';
import { batchesOf } from '../batch/batch-text.ts';
import { NewBatch } from '../batch/new-batch.tsx';
import { Row } from '../form/field-row.tsx';
import type { Model } from '../form/model-field.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { LookAgain } from '../parts/look-again.tsx';
import { Problem } from '../parts/problem.tsx';
import { goTo, hrefTo, routeOf } from '../route.ts';
import { jobs } from '../service.ts';
import { countOf, timeOf } from '../words.ts';
import '../style/batches.css';
import '../style/form.css';

/** Pages of a hundred jobs: there is no list of batches. */
const PAGES = 2;

export function BatchesPage() {
  const models = useAsked('models', (signal) =>
    jobs.request<{ models: Model[] }>({ path: '/api/llm/models/' }, { signal }),
  );
  return (
    <>
      <h1>Batches</h1>
      <Newest />
      <ById />
      <h2>New batch</h2>
      {models.answer ? (
        <NewBatch models={models.answer.models} />
      ) : models.error ? (
        <Problem error={models.error} again={models.again} />
      ) : (
        <Loading what="the models" />
      )}
    </>
  );
}

function Newest() {
  const asked = useAsked('batches', async (signal) => {
    const seen = [];
    let cursor: string | undefined;
    for (let page = 0; page === 0 || (cursor && page < PAGES); page++) {
      const { jobs: more, next_cursor } = await jobs.listPage({ limit: 100, ...(cursor && { cursor }) }, { signal });
      seen.push(...more);
      cursor = next_cursor;
    }
    // Of the batch that the last of them is of there may be more.
    return { batches: batchesOf(seen), seen: seen.length, cut: cursor && seen.at(-1)?.batch_id };
  });
  const { answer, error, again } = asked;
  if (!answer) return error ? <Problem error={error} again={again} /> : <Loading what="batches" />;
  const { batches, seen, cut } = answer;
  return (
    <>
      {error && <Problem error={error} />}
      {batches.length === 0 ? (
        <Empty
          title={seen === 0 ? 'There are no jobs yet.' : `None of your newest ${countOf(seen)} jobs is of a batch.`}
        />
      ) : (
        <table className="batches">
          <caption className="aside">Batches among your newest {countOf(seen)} jobs</caption>
          <thead>
            <tr>
              <th scope="col">Batch</th>
              <th scope="col">Submitted</th>
              <th scope="col">Over</th>
            </tr>
          </thead>
          <tbody>
            {batches.map(({ id, created_at, jobs, over }) => (
              <tr key={id}>
                <th scope="row">
                  <a className="mono" href={hrefTo('batches', id)}>
                    {id}
                  </a>
                </th>
                <td>
                  <time dateTime={created_at}>{timeOf(created_at)}</time>
                </td>
                <td>
                  {countOf(over)} of {id === cut && 'its newest '}
                  {countOf(jobs)} jobs
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className="row">
        <LookAgain asked={[asked]} />
      </p>
    </>
  );
}

function ById() {
  const [error, setError] = useState<string>();
  function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const id = String(new FormData(event.currentTarget).get('id')).trim();
    const href = hrefTo('batches', id);
    if (routeOf(href).page === 'batch') return goTo(href);
    setError('must be the id of a batch, a UUID');
    event.currentTarget.querySelector('input')?.focus();
  }
  return (
    <form className="job-form by-id" onSubmit={onSubmit} noValidate>
      <Row field={{ path: 'batch_id', label: 'A batch by its id', isRequired: false, help: '' }} error={error}>
        {(own) => <input {...own} name="id" autoComplete="off" />}
      </Row>
      <button type="submit">Go to it</button>
    </form>
  );
}
