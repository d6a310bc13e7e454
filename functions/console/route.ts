/** Which page is shown: it stands in the address behind `#`, so that each page can be linked to, and *Back* works. */
import { useSyncExternalStore } from 'react';

export type Route = {
  page: 'jobs' | 'job' | 'new' | 'batches' | 'batch' | 'usage' | 'dead-letters' | 'health' | 'unknown';
  /** Of the job or the batch that is shown. */
  id?: string;
  /** What the page is narrowed to. */
  query: URLSearchParams;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PLAIN = ['new', 'usage', 'dead-letters', 'health'] as const;

/** The page that an address means, by what stands behind its `#`. */
export function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?');
  const [first = '', id, ...rest] = path.split('/').filter(Boolean);
  const query = new URLSearchParams(search);
  if (rest.length > 0) return { page: 'unknown', query };
  if (id !== undefined) {
    const page = ({ jobs: 'job', batches: 'batch' } as const)[first];
    return page && UUID.test(id) ? { page, id: id.toLowerCase(), query } : { page: 'unknown', query };
  }
  if (first === '' || first === 'jobs') return { page: 'jobs', query };
  if (first === 'batches') return { page: 'batches', query };
  const page = PLAIN.find((name) => name === first);
  return { page: page ?? 'unknown', query };
}

/** What a link holds: `hrefTo('jobs', id)`, `hrefTo('jobs', { status: 'failed' })`. Empty fields are left out. */
export function hrefTo(path: string, about: string | Record<string, string | undefined> = {}): string {
  if (typeof about === 'string') return `#/${path}/${about}`;
  const given = Object.entries(about).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const search = new URLSearchParams(given).toString();
  return `#/${path}${search && `?${search}`}`;
}

const subscribe = (heard: () => void) => {
  window.addEventListener('hashchange', heard);
  return () => window.removeEventListener('hashchange', heard);
};

/** The part of the address that says the page; a component that uses it is drawn again when it changes. */
export function useHash(): string {
  return useSyncExternalStore(subscribe, () => window.location.hash);
}

/** Goes to another page; with `replace` *Back* does not come here again. */
export function goTo(href: string, { replace = false } = {}): void {
  if (!replace) {
    window.location.hash = href;
    return;
  }
  window.history.replaceState(null, '', href);
  window.dispatchEvent(new HashChangeEvent('hashchange'));
}
