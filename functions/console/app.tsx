/** The frame around all pages: where one is, what the connection is like, and who one is. */
import { useEffect, useRef } from 'react';
import { BreakItBar } from './break-it/break-it-bar.tsx';
import { useIsLost } from './connection.ts';
import { BatchPage } from './pages/batch-page.tsx';
import { BatchesPage } from './pages/batches-page.tsx';
import { DeadLettersPage } from './pages/dead-letters-page.tsx';
import { HealthPage } from './pages/health-page.tsx';
import { JobPage } from './pages/job-page.tsx';
import { JobsPage } from './pages/jobs-page.tsx';
import { NewJobPage } from './pages/new-job-page.tsx';
import { UsagePage } from './pages/usage-page.tsx';
import { Broken } from './parts/broken.tsx';
import { TokenField } from './parts/token-field.tsx';
import { hrefTo, type Route, routeOf, useHash } from './route.ts';

const PAGES: readonly { page: Route['page']; also?: Route['page']; title: string }[] = [
  { page: 'jobs', also: 'job', title: 'Jobs' },
  { page: 'new', title: 'New job' },
  { page: 'batches', also: 'batch', title: 'Batches' },
  { page: 'usage', title: 'Usage' },
  { page: 'dead-letters', title: 'Dead letters' },
  { page: 'health', title: 'Health' },
];

export function App() {
  const hash = useHash();
  const route = routeOf(hash);
  const main = useRef<HTMLElement>(null);
  const { page, id = '' } = route;
  const place = `${page} ${id}`;
  const shown = useRef({ place, hash });
  // Another page begins at its top, also for whoever hears it; not the first one, which nobody asked for. Who comes back is
  // where they left it.
  useEffect(() => {
    const before = shown.current;
    const isBack = history.state !== null;
    history.replaceState('seen', '');
    shown.current = { place, hash };
    if (before.place === place) return;
    const left = isBack && [...document.links].find((link) => link.closest('main') && link.hash === before.hash);
    if (!left) window.scrollTo(0, 0);
    (left || main.current)?.focus();
  }, [place, hash]);
  const title = PAGES.find((each) => each.page === page || each.also === page)?.title ?? 'Not found';
  useEffect(() => {
    document.title = `${title}${id && ` ${id.slice(0, 8)}`} · llm-jobs`;
  }, [title, id]);

  return (
    <>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <header className="top">
        <a className="brand" href={hrefTo('jobs')}>
          llm-jobs
        </a>
        <nav aria-label="Pages">
          {PAGES.map((each) => (
            <a
              key={each.page}
              href={hrefTo(each.page)}
              aria-current={each.page === page ? 'page' : each.also === page ? 'true' : undefined}
            >
              {each.title}
            </a>
          ))}
        </nav>
        <TokenField />
      </header>
      <ConnectionNote />
      <main ref={main} tabIndex={-1}>
        <Broken key={place}>
          <Page route={route} />
        </Broken>
      </main>
      <BreakItBar />
    </>
  );
}

function Page({ route: { page, id = '', query } }: { route: Route }) {
  switch (page) {
    case 'jobs':
      return <JobsPage query={query} />;
    case 'job':
      return <JobPage key={id} id={id} />;
    case 'new':
      return <NewJobPage like={query.get('like') ?? ''} />;
    case 'batches':
      return <BatchesPage />;
    case 'batch':
      return <BatchPage key={id} id={id} />;
    case 'usage':
      return <UsagePage />;
    case 'dead-letters':
      return <DeadLettersPage />;
    case 'health':
      return <HealthPage />;
    case 'unknown':
      return (
        <>
          <h1>There is no such page.</h1>
          <a href={hrefTo('jobs')}>All jobs</a>
        </>
      );
  }
}

function ConnectionNote() {
  const isLost = useIsLost();
  return (
    <div className="connection" role="status">
      {isLost && (
        <p>The service does not answer. What you see is as it was; the console goes on by itself when it is back.</p>
      )}
    </div>
  );
}
