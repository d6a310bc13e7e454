/** What makes polling cheap, as headers: what a client has seen already, how long it would wait, when it does well to ask again. */
import type { Context } from 'hono';
import { invalidRequest } from '../core/errors.ts';
import type { HttpEnv } from './env.ts';

/** Longer waits are cut by what stands between a client and us. */
export const WAIT_SECONDS_MOST = 55;

/**
 * The `wait` in a `Prefer` header, in seconds; `undefined` without one. More than is possible is the most that is; other
 * preferences are not looked at, and of several waits only the first. Throws `invalid_request` for one that is no number.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7240
 */
export function parseWaitPreference(header: string | undefined): number | undefined {
  // A quoted value may hold what separates others.
  const bare = (header ?? '').replace(/"[^"]*"/g, (quoted) => quoted.slice(1, -1).replace(/[,;=]/g, '_'));
  for (const preference of bare.split(',')) {
    const [name = '', ...value] = (preference.split(';')[0] ?? '').split('=');
    if (name.trim().toLowerCase() !== 'wait') continue;
    const seconds = value.join('=').trim();
    if (/^\d+$/.test(seconds)) return Math.min(Number(seconds), WAIT_SECONDS_MOST);
    const message = `wait must be a whole number of seconds, at most ${WAIT_SECONDS_MOST}, as in Prefer: wait=10`;
    throw invalidRequest([{ path: 'Prefer', message }]);
  }
  return undefined;
}

/** For how long this request wants to wait, in milliseconds: by its query, which wins, or by its `Prefer` header. */
export function waitMsOf(context: Context<HttpEnv>, querySeconds: number | undefined): number {
  const preferred = querySeconds === undefined ? parseWaitPreference(context.req.header('prefer')) : undefined;
  if (preferred !== undefined) context.header('Preference-Applied', `wait=${preferred}`);
  return (querySeconds ?? preferred ?? 0) * 1_000;
}

/** What a reader was shown: the version of a job, how far it was, and whether it waited between two attempts. */
export type Shown = { version: number; progress: number; isWaiting: boolean };

/** The newest that the reader has seen, and whether it has seen this. */
export type SeenBefore = { newest: Shown | undefined; includes(shown: Shown): boolean };

/** Weak: two answers with one tag say the same of the job, not byte for byte. */
export function entityTagOf(shown: Shown): string {
  return `W/"${opaqueTag(shown)}"`;
}

/** What `If-None-Match` says that the reader has; what is no tag of ours says nothing. */
export function parseIfNoneMatch(header: string | undefined): SeenBefore {
  const tags = [...(header ?? '').matchAll(/"(\d{1,15})\.(\d{1,3})(w?)"/g)].map(([, version, progress, waits]) => ({
    version: Number(version),
    progress: Number(progress),
    isWaiting: waits === 'w',
  }));
  tags.sort((one, other) => other.version - one.version || other.progress - one.progress);
  const opaque = new Set(tags.map(opaqueTag));
  const isAny = header?.trim() === '*';
  return { newest: tags[0], includes: (shown) => isAny || opaque.has(opaqueTag(shown)) };
}

function opaqueTag({ version, progress, isWaiting }: Shown): string {
  return `${version}.${progress}${isWaiting ? 'w' : ''}`;
}
