/** The client as one module, for pages without a bundler: `import { createClient } from '/client.js'`. */
import { ServiceError } from '../core/errors.ts';
import type { HttpApp } from './app.ts';
import { isSeen, tagOfText } from './entity-tag.ts';

type ReadScript = () => Promise<string | undefined>;

/** Loaded when somebody asks for it. */
const readBuilt: ReadScript = async () => (await import('./client-script-text.ts')).readClientScript();

/** Adds it, to be kept for an hour. */
export function mountClientScript(app: HttpApp, read = readBuilt): void {
  let script: { text: string; entityTag: string } | undefined;
  app.get('/client.js', async (context) => {
    script ??= tagged(await read());
    if (!script) throw new ServiceError('route_not_found', 'There is no client here yet: `npm run build` makes it.');
    // Said so, it holds for a page of another origin, too, whose answer has headers already.
    context.header('Cache-Control', 'public, max-age=3600');
    const headers = { 'Content-Type': 'text/javascript; charset=utf-8', ETag: script.entityTag };
    // What a page of another origin is told is not for this one; for such a page it is said elsewhere.
    if (!context.req.header('origin')) context.header('Vary', 'Origin');
    return isSeen(context, script.entityTag)
      ? context.body(null, 304, headers)
      : context.body(script.text, 200, headers);
  });
}

function tagged(text: string | undefined) {
  if (text === undefined) return undefined;
  return { text, entityTag: tagOfText(text) };
}
