/** What an operator looks at first. Each figure says what it is based on. */
import type { ReactNode } from 'react';
import type { JobList, JobStatus } from '../../../shared/client/client.ts';
import { sender } from '../../../shared/client/requests.ts';
import { type Asked, useAsked } from '../asked.ts';
import { groupsOf } from '../list/dead-letters.ts';
import { firstOfList } from '../list-stream.ts';
import { Loading } from '../parts/empty.tsx';
import { LookAgain } from '../parts/look-again.tsx';
import { Problem } from '../parts/problem.tsx';
import { hrefTo } from '../route.ts';
import { clientOptions, jobs } from '../service.ts';
import { useNow } from '../ticking.ts';
import { agoOf, countOf } from '../words.ts';
import '../style/health.css';

type Model = {
  id: string;
  name: string;
  model: string;
  provider: string;
  available: boolean;
  unavailable_reason?: string;
};

const send = sender(clientOptions);

/** How long it took, too. */
async function timed<T>(asking: Promise<T>): Promise<{ answer: T; ms: number }> {
  const sinceMs = performance.now();
  const answer = await asking;
  return { answer, ms: Math.round(performance.now() - sinceMs) };
}

/** The newest hundred in one state: where there are no more, these are all. */
const useNewest = (status: JobStatus) =>
  useAsked(status, (signal) => jobs.listPage({ status, limit: 100 }, { signal }));

export function HealthPage() {
  const service = useAsked('health', (signal) => timed(jobs.request({ path: '/health' }, { signal })));
  const stream = useAsked('stream', (signal) => timed(firstOfList(send, signal)));
  const waiting = useNewest('pending');
  const running = useNewest('processing');
  const models = useAsked('models', (signal) =>
    jobs.request<{ models: Model[] }>({ path: '/api/llm/models/' }, { signal }),
  );
  return (
    <>
      <div className="row page-head">
        <h1>Health</h1>
        <LookAgain asked={[service, stream, waiting, running, models]} />
      </div>
      <div className="cards">
        <Card title="Service" asked={service} basis="One request of this browser, there and back.">
          {({ ms }) => <Figure isGood>Answers in {ms} ms</Figure>}
        </Card>
        <Card title="Live updates" asked={stream} basis="Until the first event of the list's stream came.">
          {({ ms }) => <Figure isGood>Arrive in {ms} ms</Figure>}
        </Card>
        <Card title="Waiting" asked={waiting} basis="Jobs that no worker has taken yet.">
          {(list) => <Waiting list={list} />}
        </Card>
        <Card title="Running" asked={running} basis="Jobs that a worker has taken, also between two attempts.">
          {(list) => <Figure>{jobsOf(list)}</Figure>}
        </Card>
      </div>
      <Section title="Failures" asked={stream}>
        {({ answer }) => <Failures {...answer} />}
      </Section>
      <Section title="Models" asked={models}>
        {(answer) => <Models models={answer.models} />}
      </Section>
    </>
  );
}

type Part<T> = { title: string; asked: Asked<T>; children: (answer: T) => ReactNode };

function Section<T>({ title, asked: { answer, error, again }, children }: Part<T>) {
  return (
    <section>
      <h2>{title}</h2>
      {/* What was true before says nothing of now. */}
      {error ? (
        <Problem error={error} again={again} />
      ) : answer === undefined ? (
        <Loading what={title.toLowerCase()} />
      ) : (
        children(answer)
      )}
    </section>
  );
}

function Card<T>({ basis, ...part }: Part<T> & { basis: string }) {
  return (
    <div className="card">
      <Section {...part} />
      <p className="aside">{basis}</p>
    </div>
  );
}

function Figure({ isGood, children }: { isGood?: boolean; children: ReactNode }) {
  return (
    <p className="figure">
      {isGood && <span aria-hidden="true">● </span>}
      {children}
    </p>
  );
}

function jobsOf({ jobs: { length }, next_cursor }: JobList): string {
  if (next_cursor !== undefined) return `More than ${length} jobs`;
  if (length === 0) return 'No job';
  return length === 1 ? '1 job' : `${length} jobs`;
}

function Waiting({ list }: { list: JobList }) {
  const nowMs = useNow();
  const oldest = list.jobs.at(-1);
  return (
    <>
      <Figure>{jobsOf(list)}</Figure>
      {oldest && (
        <p>
          The oldest{list.next_cursor !== undefined && ` of the newest ${list.jobs.length}`}:{' '}
          <a href={hrefTo('jobs', oldest.job_id)}>submitted {agoOf(oldest.created_at, nowMs)}</a>
        </p>
      )}
    </>
  );
}

function Failures({ jobs, next_cursor }: Pick<JobList, 'jobs' | 'next_cursor'>) {
  const failed = jobs.filter(({ status }) => status === 'failed');
  const among = `the ${next_cursor === undefined ? '' : 'newest '}${countOf(jobs.length)} jobs`;
  if (failed.length === 0) return <p>None among {among}.</p>;
  return (
    <>
      <p>
        {countOf(failed.length)} of {among} failed. <a href={hrefTo('dead-letters')}>See them</a>
      </p>
      <ul>
        {groupsOf(failed).map(({ code, title, advice, jobs, isUnread }) => (
          <li key={isUnread ? '' : code}>
            {countOf(jobs.length)} × {title}. <span className="aside">{advice}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Models({ models }: { models: Model[] }) {
  const providers = Map.groupBy(models, ({ provider }) => provider);
  return (
    <>
      <p>
        {models.filter(({ available }) => available).length} of {models.length} can be used.
      </p>
      <table className="models">
        <thead>
          <tr>
            <th scope="col">Provider</th>
            <th scope="col">Models</th>
            <th scope="col">Why not?</th>
          </tr>
        </thead>
        <tbody>
          {[...providers].map(([provider, all]) => (
            <tr key={provider}>
              <th scope="row">{provider}</th>
              <td>
                <Names of={all.filter(({ available }) => available)} />
                <Names of={all.filter(({ available }) => !available)} />
              </td>
              <td>{[...new Set(all.map(whyNot))].join(' ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Names({ of: [first, ...rest] }: { of: Model[] }) {
  if (!first) return null;
  return (
    <p className={first.available ? 'badge completed' : 'aside'}>
      <span aria-hidden="true">{first.available ? '●' : '○'}</span> {first.available ? 'Usable' : 'Not usable'}:{' '}
      {[first, ...rest].map(({ name }) => name).join(', ')}
    </p>
  );
}

/** The same sentence for all models that lack the same. */
function whyNot({ name, unavailable_reason = '' }: Model): string {
  return unavailable_reason.replace(`${name} cannot`, 'They cannot');
}
