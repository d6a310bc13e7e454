/**
 * A bundle's script `gcp-build`, which Google's Node.js buildpack runs once the packages are installed, with the very Node
 * that the function will have: it loads what the function's first answer loads, so that Node finds it compiled at a cold
 * start. Node takes nothing from a cache of another Node, user, folder or text, and needs none. No failure ends a build.
 */
import { type Bundle, entryOf } from './bundle-parts.ts';

/** Where the cache is within the bundle's folder. */
export const CACHE_FOLDER = 'compile-cache';
const SCRIPT = 'fill-cache.js';

/** As the manifest has it. The same variable says to the function where to look (functions.tf). */
export const FILL_CACHE = `NODE_COMPILE_CACHE=./${CACHE_FOLDER} node ${SCRIPT}`;

/** What is loaded on first use before the first answer, after the framework and what it loads first. */
const FIRST_USED = [
  'shared/runtime.ts',
  'functions/surfaces/mount.ts',
  'shared/http/console-app.ts',
  'low-level-firestore:v1',
  'named-exports:@google-cloud/pubsub/build/src/v1/publisher_client.js',
  'named-exports:google-gax',
];

/** The script of this bundle, by its file. `index.js` is not called: it would want the settings of a deployment. */
export function fillCacheOf(bundle: Bundle): { path: string; content: string } {
  const files = FIRST_USED.flatMap((source) => entryOf(bundle, source)?.split('/').at(-1) ?? []);
  const modules = files.map((file) => `./${file}`);
  const content = [
    "import { createRequire } from 'node:module';",
    // This part of it loads the server, and starts none.
    "createRequire(import.meta.url)('@google-cloud/functions-framework/testing');",
    `for (const module of ${JSON.stringify(modules)}) {`,
    "  await import(module).catch((error) => console.warn('Not compiled ahead:', module, error));",
    '}',
    'process.exit(0);',
    '',
  ].join('\n');
  return { path: SCRIPT, content };
}
