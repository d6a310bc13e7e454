/** One batch: how far it is, and its jobs, live. */
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { JobStatus } from '../../../shared/client/client.ts';
import { sender } from '../../../shared/client/requests.ts';
import { useAsked } from '../asked.ts';
import { connection } from '../connection.ts';
import { liveList } from '../list/live-list.ts';
import { LIVE_JOBS, shownBlocks } from '../list/merging.ts';
import { followList } from '../list-stream.ts';
import { Loading } from '../parts/empty.tsx';
import { Problem } from '../parts/problem.tsx';
import { StatusBadge } from '../parts/status-badge.tsx';
import { hrefTo } from '../route.ts';
import { clientOptions, jobs } from '../service.ts';
import { countOf, STATUS_WORDS, STATUSES } from '../words.ts';
import { JobList } from './jobs-page.tsx';
import '../style/batches.css';

type Counts = Record<JobStatus, number>;
type Batch = { total: number; counts: Counts; percent: number; is_complete: boolean };

/** How far apart the counts are asked for, while something changes. */
const COUNT_MS = 2_000;
const send = sender(clientOptions);

function listOf(filters: Record<string, string>) {
  const search = new URLSearchParams(filters).toString();
  return liveList({ filters, jobs, connection, follow: (hearer, signal) => followList(send, search, hearer, signal) });
}

/** Follows a list of jobs as long as the component is there. */
function useList(filters: Record<string, string> | undefined) {
  const key = filters && JSON.stringify(filters);
  const list = useMemo(() => (key === undefined ? undefined : listOf(JSON.parse(key))), [key]);
  useEffect(() => list?.start(), [list]);
  const state = useSyncExternalStore(list?.subscribe ?? (() => () => {}), () => list?.state());
  return { list, state };
}

export function BatchPage({ id }: { id: string }) {
  const { answer, error, again } = useAsked(id, (signal) =>
    jobs.request<Batch>({ path: `/api/llm/jobs/batch/${id}/` }, { signal }),
  );
  const isThere = error?.code !== 'batch_not_found';
  const { list, state } = useList(isThere ? { batch_id: id } : undefined);
  // Of a large batch the newest jobs are the last to run: what runs now says when to count anew.
  const isLarge = (answer?.total ?? 0) > LIVE_JOBS && !answer?.is_complete;
  const { state: running } = useList(isLarge ? { batch_id: id, status: 'processing' } : undefined);
  useChanges(again, state?.blocks, running?.blocks);
  return (
    <>
      <h1>Batch</h1>
      <p className="mono">{id}</p>
      {error && <Problem error={error} again={again} />}
      {answer ? <Progress batch={answer} /> : !error && <Loading what="the batch" />}
      {isThere && (
        <>
          <h2>Its jobs</h2>
          {state?.error && <Problem error={state.error} />}
          {list && state?.isLoaded && (!state.error || state.blocks.length > 0) ? (
            <JobList list={list} state={state} blocks={shownBlocks(state)} />
          ) : (
            !state?.error && <Loading what="its jobs" />
          )}
        </>
      )}
      <p>
        <a href={hrefTo('batches')}>All batches</a>
      </p>
    </>
  );
}

/** Calls back some time after one of two things changed, however much changes meanwhile. */
function useChanges(callBack: () => void, one: unknown, other: unknown): void {
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  const before = useRef([one, other]);
  useEffect(() => {
    if (before.current[0] === one && before.current[1] === other) return;
    before.current = [one, other];
    waiting.current ??= setTimeout(() => {
      waiting.current = undefined;
      callBack();
    }, COUNT_MS);
  }, [callBack, one, other]);
  useEffect(
    () => () => {
      clearTimeout(waiting.current);
      waiting.current = undefined;
    },
    [],
  );
}

function Progress({ batch: { total, counts, percent, is_complete } }: { batch: Batch }) {
  const there = STATUSES.filter((status) => counts[status] > 0);
  const inWords = there.map((status) => `${countOf(counts[status])} ${STATUS_WORDS[status].toLowerCase()}`).join(', ');
  return (
    <>
      <div role="status">{is_complete && <p>All {countOf(total)} jobs are over.</p>}</div>
      {!is_complete && (
        <p>
          {percent} % of {countOf(total)} jobs are over.
        </p>
      )}
      <div className="shares" role="img" aria-label={`Of ${countOf(total)} jobs: ${inWords}`}>
        {there.map((status) => (
          <span key={status} className={status} style={{ flexGrow: counts[status] }} />
        ))}
      </div>
      <ul className="counts">
        {STATUSES.map((status) => (
          <li key={status}>
            <StatusBadge status={status} /> {countOf(counts[status])}
          </li>
        ))}
      </ul>
    </>
  );
}
