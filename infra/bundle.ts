/**
 * `npm run build`: what is deployed of each function, in `.build/<function>/`. ES modules: `index.js` is what is loaded at
 * the start, and what is loaded on first use lies in files of its own beside it. functions-framework stays outside (it is
 * what loads the bundle), and so do libsql, a native module that only `npm start` uses, and swagger-ui-dist, whose files are
 * served as they are.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { fillCacheOf } from './bundle-cache.ts';
import { lockOf, manifestOf } from './bundle-packages.ts';
import { bundleIn, sizesOf } from './bundle-parts.ts';
import { SLICES } from './bundle-slices.ts';
import { buildConsole } from './console.ts';

export const FUNCTIONS = ['submit', 'status', 'stream', 'api', 'console', 'worker', 'dead-letter', 'sweeper'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

const ROOT = join(import.meta.dirname, '..');
export const BUILD_FOLDER = join(ROOT, '.build');

/** Where the bundle of a function is, as functions-framework's `--source` takes it. */
export function bundleOf(name: FunctionName): string {
  return join(BUILD_FOLDER, name);
}

/** The name under which a function's file exports it: what `--target` and an entry point take. */
export function entryPointOf(name: FunctionName): string {
  return name === 'dead-letter' ? 'deadLetter' : name;
}

/** Google's clients are CommonJS: they call `require`, and look for files beside them. */
const COMMONJS_NAMES = [
  "import { createRequire as bundleRequire } from 'node:module';",
  'const require = bundleRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;',
].join('\n');

/** None of its packages has to run anything when it is installed; one would tell its maker of it. */
const NO_SCRIPTS = 'ignore-scripts=true\n';

/** How whatever functions-framework serves is bundled. */
export const FOR_THE_FRAMEWORK = {
  absWorkingDir: ROOT,
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20.11',
  format: 'esm',
  banner: { js: COMMONJS_NAMES },
  plugins: [...SLICES],
  external: ['@google-cloud/functions-framework', 'libsql', 'swagger-ui-dist/*'],
  logLevel: 'warning',
} satisfies BuildOptions;

/** All functions' bundles, and the text of their files. Bundled together, so that nothing is translated eight times. */
export async function bundles({ sourcemap }: { sourcemap: boolean }) {
  const { metafile, outputFiles } = await build({
    ...FOR_THE_FRAMEWORK,
    entryPoints: FUNCTIONS.map((name) => `functions/${name}.ts`),
    outdir: BUILD_FOLDER,
    sourcemap,
    metafile: true,
    write: false,
  });
  return {
    bundles: new Map(FUNCTIONS.map((name) => [name, bundleIn(metafile, `.build/${name}.js`)])),
    contents: new Map(outputFiles.map(({ path, contents }) => [relative(ROOT, path), contents])),
  };
}

/**
 * Bundles all functions into folders of theirs. Not minified: a stack trace can be read, and without its white space a
 * function started no sooner (seven starts each). Source maps take most of the time. Files of an earlier build stay, unless
 * all is to be `fresh`: a process that runs may not have loaded them yet.
 */
export async function bundleAll({ sourcemap = true, fresh = false, into = BUILD_FOLDER } = {}) {
  const made = await bundles({ sourcemap });
  for (const [name, bundle] of made.bundles) {
    const folder = join(into, name);
    if (fresh) await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const manifest = manifestOf(name, bundle);
    await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await writeFile(join(folder, 'package-lock.json'), `${JSON.stringify(lockOf(manifest), null, 2)}\n`);
    await writeFile(join(folder, '.npmrc'), NO_SCRIPTS);
    const fill = fillCacheOf(bundle);
    await writeFile(join(folder, fill.path), fill.content);
    for (const path of Object.keys(bundle.outputs).flatMap((file) => [file, `${file}.map`])) {
      const content = made.contents.get(path);
      if (content) await writeFile(join(folder, path === bundle.start ? 'index.js' : basename(path)), content);
    }
  }
  return made.bundles;
}

if (process.argv[1] === import.meta.filename) {
  const [made] = await Promise.all([bundleAll({ fresh: true }), buildConsole()]);
  console.table(Object.fromEntries([...made].map(([name, bundle]) => [name, sizesOf(bundle)])));
  console.log(`Bundled ${FUNCTIONS.join(', ')} into ${BUILD_FOLDER}`);
}
