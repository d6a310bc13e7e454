/** What failed, by why it did, to be retried one by one or all at once. */
import { useRef, useState } from 'react';
import type { JobList, JobView, LlmJobsError } from '../../../shared/client/client.ts';
import { useAsked } from '../asked.ts';
import { type Group, groupsOf } from '../list/dead-letters.ts';
import { isOpen, type Retries, useRetries } from '../list/retries.ts';
import { Button } from '../parts/button.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { LookAgain } from '../parts/look-again.tsx';
import { Problem } from '../parts/problem.tsx';
import { hrefTo } from '../route.ts';
import { jobs } from '../service.ts';
import { useNow } from '../ticking.ts';
import { agoOf, countOf, inWords, timeOf } from '../words.ts';
import '../style/health.css';

const FAILED = { status: 'failed', limit: 100 } as const;

export function DeadLettersPage() {
  const asked = useAsked('failed', (signal) => jobs.listPage(FAILED, { signal }));
  const { answer, error, again } = asked;
  const [older, setOlder] = useState<{ to: JobList; pages: JobList[]; error?: LlmJobsError; isAsking?: boolean }>();
  const retries = useRetries();
  if (!answer) {
    return (
      <>
        <h1>Dead letters</h1>
        {error ? <Problem error={error} again={again} /> : <Loading what="failed jobs" />}
      </>
    );
  }
  // Pages that went on from an earlier answer do not belong to this one.
  const { pages, ...asking } = older?.to === answer ? older : { to: answer, pages: [] };
  const all = [answer, ...pages].flatMap((page) => page.jobs);
  const cursor = (pages.at(-1) ?? answer).next_cursor;
  const more = () => {
    setOlder({ to: answer, pages, isAsking: true });
    jobs.listPage({ ...FAILED, ...(cursor && { cursor }) }).then(
      (page) => setOlder({ to: answer, pages: [...pages, page] }),
      (error: LlmJobsError) => setOlder({ to: answer, pages, error }),
    );
  };

  return (
    <>
      <div className="row page-head">
        <h1>Dead letters</h1>
        <span role="status">{retries.running && `Retried ${retries.running.done} of ${retries.running.all}`}</span>
        <LookAgain asked={[asked]} />
        <RetryAll all={all.filter((job) => isOpen(retries, job))} retries={retries} />
      </div>
      <p className="aside">
        Jobs that failed, and messages that could not be taken in. A message that the queue gives up never changes a job
        that exists: the job ends by its own clocks.
      </p>
      {error && <Problem error={error} again={again} />}
      {all.length === 0 && <Empty title="Nothing failed." />}
      {groupsOf(all).map((group) => (
        <FailedGroup key={group.isUnread ? '' : group.code} group={group} retries={retries} />
      ))}
      {asking.error && <Problem error={asking.error} />}
      {cursor !== undefined && (
        <p>
          <Button isOff={asking.isAsking} onClick={more}>
            Older
          </Button>{' '}
          <span className="aside">The newest {countOf(all.length)} are shown.</span>
        </p>
      )}
    </>
  );
}

function RetryAll({ all, retries: { running, retry, stop } }: { all: JobView[]; retries: Retries }) {
  if (!running && all.length === 0) return null;
  return (
    <button type="button" onClick={() => (running ? stop() : retry(all))}>
      {running ? 'Stop retrying' : `Retry all ${countOf(all.length)}`}
    </button>
  );
}

function FailedGroup({ group: { title, advice, code, isUnread, jobs }, retries }: { group: Group; retries: Retries }) {
  const nowMs = useNow();
  return (
    <section>
      <h2>
        {title} <span className="aside">{countOf(jobs.length)}</span>
      </h2>
      <p className="aside">
        {!isUnread && <code>{code}</code>} {advice}
      </p>
      <ul className="letters">
        {jobs.map((job) => (
          <li key={job.job_id}>
            <a href={hrefTo('jobs', job.job_id)}>{inWords(job.job_type)}</a>
            <span>{job.error_message}</span>
            <time className="aside" dateTime={job.created_at} title={timeOf(job.created_at)}>
              {agoOf(job.created_at, nowMs)}
            </time>
            <Retry job={job} retries={retries} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Retry({ job, retries }: { job: JobView; retries: Retries }) {
  const before = retries.done[job.job_id];
  const retriedAs = before && 'jobId' in before ? before.jobId : job.retried_as;
  const place = useRef<HTMLSpanElement>(null);
  const retry = () => {
    // The button goes, and the focus would go with it.
    place.current?.focus();
    void retries.retry([job]);
  };
  return (
    <span ref={place} tabIndex={-1}>
      {retriedAs && <a href={hrefTo('jobs', retriedAs)}>Retried</a>}
      {isOpen(retries, job) && (
        <Button isOff={retries.running !== undefined} onClick={retry}>
          Retry<span className="unseen"> {inWords(job.job_type)}</span>
        </Button>
      )}
      {before && 'error' in before && <span className="wrong">{before.error.message}</span>}
    </span>
  );
}
