/** The console: one page at `/`, and its files under `/console/`. It asks this origin alone, and runs no script but its own. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Context, Hono } from 'hono';
import { ServiceError } from '../core/errors.ts';
import { isSeen, tagOfText } from './entity-tag.ts';
import type { HttpEnv } from './env.ts';

/** The texts of its files by their names, `undefined` where nothing was built. */
export type ReadConsole = () => Promise<Readonly<Record<string, string>> | undefined>;

/** What is sent of a file. */
type Served = { type: string; text: string; gzipped: Uint8Array<ArrayBuffer>; entityTag: string };

const PAGE = 'index.html';

/** React needs no text that becomes markup or script, so that none may. */
const POLICY = [
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:",
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "require-trusted-types-for 'script'; trusted-types 'none'",
].join('; ');

/** Of anything else nothing is served. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['css', 'text/css; charset=utf-8'],
]);

/** Loaded when somebody asks for it. */
const readBuilt: ReadConsole = async () => (await import('./console-files.ts')).readConsole();

/** Adds them. The page is asked for anew each time; its files have names of their own in each build, and are kept. */
export function mountConsole(app: Hono<HttpEnv>, read = readBuilt): void {
  let loading: Promise<ReadonlyMap<string, Served>> | undefined;
  const load = () => {
    loading ??= servedOf(read);
    // Another request looks again.
    loading.catch(() => {
      loading = undefined;
    });
    return loading;
  };
  app.get('/', async (context) => {
    const page = (await load()).get(PAGE);
    if (!page) throw new ServiceError('route_not_found', NOT_BUILT);
    context.header('Content-Security-Policy', POLICY);
    context.header('Cache-Control', 'no-cache');
    return answer(context, page);
  });
  app.get('/console/:file', async (context) => {
    const name = context.req.param('file');
    const file = (await load()).get(name);
    if (!file || name === PAGE) throw new ServiceError('route_not_found', 'The console has no such file.');
    context.header('Cache-Control', 'public, max-age=31536000, immutable');
    return answer(context, file);
  });
}

const NOT_BUILT =
  'The console is not built: `npm install` builds it, with the packages for development. The API is at /docs.';

async function servedOf(read: ReadConsole): Promise<ReadonlyMap<string, Served>> {
  const files = await read();
  if (!files) throw new ServiceError('route_not_found', NOT_BUILT);
  const served = Object.entries(files).map(async ([name, text]) => {
    const type = TYPES.get(name.split('.').at(-1) ?? '');
    return type === undefined ? [] : [[name, { type, text, ...(await packed(text)) }] as const];
  });
  return new Map((await Promise.all(served)).flat());
}

/** Once, and then as small as can be. */
async function packed(text: string): Promise<Pick<Served, 'gzipped' | 'entityTag'>> {
  const gzipped = new Uint8Array(await promisify(gzip)(text, { level: 9 }));
  return { gzipped, entityTag: `W/${tagOfText(text)}` };
}

function answer(context: Context<HttpEnv>, { type, text, gzipped, entityTag }: Served): Response {
  context.header('ETag', entityTag);
  context.header('Vary', 'Accept-Encoding', { append: true });
  if (isSeen(context, entityTag)) return context.body(null, 304);
  context.header('Content-Type', type);
  const accepted = context.req.header('accept-encoding') ?? '';
  if (!/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(accepted)) return context.body(text);
  context.header('Content-Encoding', 'gzip');
  return context.body(gzipped);
}
