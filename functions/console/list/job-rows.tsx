/** Jobs as rows, each one link. They are drawn in blocks: what happens to one job draws one block anew. */
import { memo, useEffect, useRef, useState } from 'react';
import { StatusBadge } from '../parts/status-badge.tsx';
import { hrefTo } from '../route.ts';
import { useNow } from '../ticking.ts';
import { agoOf, costOf, durationOf, inWords, timeOf } from '../words.ts';
import type { Block, Row } from './merging.ts';

export const JobBlock = memo(function JobBlock({ rows }: { rows: Block }) {
  const list = useRef<HTMLUListElement>(null);
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => setNear(entry?.isIntersecting === true));
    if (list.current) watch.observe(list.current);
    return () => watch.disconnect();
  }, []);
  const nowMs = useNow(isNear);
  return (
    <ul ref={list} className="block" style={{ '--rows': rows.length } as object}>
      {rows.map((job) => (
        <JobRow key={job.job_id} job={job} ago={agoOf(job.created_at, nowMs)} took={tookOf(job, nowMs)} />
      ))}
    </ul>
  );
});

/** How long it has been running, or ran. */
function tookOf({ started_at, processing_time, is_complete }: Row, nowMs: number): string {
  if (processing_time !== undefined) return `took ${durationOf(processing_time)}`;
  if (started_at === undefined || is_complete) return '';
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(started_at)) / 1_000));
  return `for ${seconds < 10 ? `${seconds} s` : durationOf(seconds)}`;
}

const JobRow = memo(function JobRow({ job, ago, took }: { job: Row; ago: string; took: string }) {
  const figures = [took, typeof job.cost === 'number' && costOf(job.cost)];
  return (
    <li>
      <a className="job" href={hrefTo('jobs', job.job_id)}>
        <StatusBadge status={job.status} />
        <span className="job-type">
          {inWords(job.job_type)} <span className="aside">{job.model.name}</span>
        </span>
        <What job={job} />
        <time className="aside" dateTime={job.created_at} title={timeOf(job.created_at)}>
          {ago}
        </time>
        <span className="aside">{figures.filter(Boolean).join(' · ')}</span>
      </a>
    </li>
  );
});

/** What there is to say of it beside its status. */
function What({ job: { status, progress, stage = '', message, error_message, tags } }: { job: Row }) {
  switch (status) {
    case 'processing':
      return (
        <span className="job-what">
          <progress max={100} value={progress} aria-label="Progress" />
          {stage === 'waiting' ? message : inWords(stage)}
        </span>
      );
    case 'pending':
      return <span className="job-what">{message}</span>;
    case 'failed':
      return <span className="job-what job-error">{error_message}</span>;
    default:
      return <span className="job-what aside">{tags?.join(' · ')}</span>;
  }
}
