/** The jobs, the newest first: live, narrowed by what the address says, and as far back as one scrolls. */
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { sender } from '../../../shared/client/requests.ts';
import { connection } from '../connection.ts';
import { FilterForm } from '../list/filter-form.tsx';
import { filtersIn } from '../list/filters.ts';
import { JobBlock } from '../list/job-rows.tsx';
import { type ListState, type LiveList, liveList } from '../list/live-list.ts';
import { type Block, LIVE_JOBS, shownBlocks, unfollowed } from '../list/merging.ts';
import { followList } from '../list-stream.ts';
import { Button } from '../parts/button.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { Problem } from '../parts/problem.tsx';
import { hrefTo } from '../route.ts';
import { clientOptions, jobs } from '../service.ts';
import { countOf } from '../words.ts';
import '../style/jobs.css';

/** How far before the end of the list older jobs are asked for. */
const AHEAD = '1500px';

const send = sender(clientOptions);

/** The last one, for who comes back to it: as far down as they were. */
let left: { key: string; list: LiveList } | undefined;

export function JobsPage({ query }: { query: URLSearchParams }) {
  const filters = filtersIn(query);
  const search = new URLSearchParams(Object.entries(filters)).toString();
  const [round, setRound] = useState(0);
  const list = useMemo(() => {
    const key = `${round} ${search}`;
    if (left?.key === key) return left.list;
    const list = liveList({
      filters: Object.fromEntries(new URLSearchParams(search)),
      jobs,
      connection,
      follow: (hearer, signal) => followList(send, search, hearer, signal),
    });
    left = { key, list };
    return list;
  }, [search, round]);
  useEffect(() => list.start(), [list]);
  const state = useSyncExternalStore(list.subscribe, list.state);
  const blocks = shownBlocks(state);
  const isLive = state.stream === 'live';

  return (
    <>
      <div className="jobs-head">
        <h1>Jobs</h1>
        <span className={isLive ? 'badge completed' : 'badge'}>
          <span aria-hidden="true">{isLive ? '●' : '○'}</span> {isLive ? 'Live' : 'Not live'}
        </span>
      </div>
      <FilterForm filters={filters} error={state.error} />
      {state.error && <Problem error={state.error} again={() => setRound(round + 1)} />}
      {!state.isLoaded && <Loading what="jobs" />}
      {blocks.length > 0 && <JobList list={list} state={state} blocks={blocks} />}
      {state.isLoaded && blocks.length === 0 && !state.error && <Nothing isNarrowed={search !== ''} />}
    </>
  );
}

export function JobList({ list, state, blocks }: { list: LiveList; state: ListState; blocks: readonly Block[] }) {
  const place = useRef<HTMLDivElement>(null);
  const top = useRef<HTMLDivElement>(null);
  useSeen(top, (isSeen) => list.hold(!isSeen), [list]);
  return (
    <div ref={place} className="jobs" tabIndex={-1}>
      <div ref={top} />
      <p className="unseen" role="status">
        {state.hidden > 0 && 'There are new jobs.'}
      </p>
      {state.hidden > 0 && (
        <button
          type="button"
          className="primary jobs-new"
          onClick={() => {
            place.current?.focus();
            window.scrollTo(0, 0);
            list.hold(false);
          }}
        >
          {state.hidden >= LIVE_JOBS ? `${LIVE_JOBS} or more` : state.hidden} new {state.hidden === 1 ? 'job' : 'jobs'}
        </button>
      )}
      {blocks.map((rows) => (
        <JobBlock key={rows.at(-1)?.job_id} rows={rows} />
      ))}
      <End list={list} state={state} />
    </div>
  );
}

function Nothing({ isNarrowed }: { isNarrowed: boolean }) {
  return isNarrowed ? (
    <Empty title="No job matches these filters.">
      <a href={hrefTo('jobs')}>All jobs</a>
    </Empty>
  ) : (
    <Empty title="There are no jobs yet.">
      <a href={hrefTo('new')}>Submit the first</a>
    </Empty>
  );
}

/** What stands below the list: how to see more of it, and what of it may be old. */
function End({ list, state }: { list: LiveList; state: ListState }) {
  const button = useRef<HTMLButtonElement>(null);
  useSeen(
    button,
    (isSeen) => {
      if (isSeen && !list.state().olderError) list.older();
    },
    [list, state.cursor],
    AHEAD,
  );
  const count = state.blocks.reduce((sum, { length }) => sum + length, 0);
  const stale = unfollowed(state).length;
  return (
    <div className="jobs-end">
      {state.olderError && <Problem error={state.olderError} />}
      <p className="aside">
        {state.cursor === undefined ? `All ${countOf(count)} jobs are shown.` : `${countOf(count)} jobs are shown.`}
        {count > LIVE_JOBS && ` The newest ${LIVE_JOBS} are live; the others are as they were when they were loaded.`}
      </p>
      <div className="row">
        {state.cursor !== undefined && (
          <Button ref={button} isOff={state.isAskingOlder} onClick={() => list.older()}>
            Older jobs
          </Button>
        )}
        {stale > 0 && (
          <Button isOff={state.isAskingOlder} onClick={() => list.lookAgain()}>
            Look again at {countOf(stale)} that {stale === 1 ? 'was' : 'were'} not over
          </Button>
        )}
      </div>
    </div>
  );
}

/** Tells when an element comes into the window, or near it, and when it leaves. */
function useSeen(
  element: { current: Element | null },
  tell: (isSeen: boolean) => void,
  anew: readonly unknown[],
  rootMargin = '0px',
): void {
  const latest = useRef(tell);
  latest.current = tell;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it says by itself when to look anew
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => latest.current(entry?.isIntersecting === true), { rootMargin });
    if (element.current) watch.observe(element.current);
    return () => watch.disconnect();
  }, [...anew, rootMargin]);
}
