/**
 * `npm run build`: one CommonJS file per function, in `.build/<function>/index.js`. functions-framework stays outside
 * (it is what loads the bundle), and so do libsql, a native module that only `npm start` uses, and swagger-ui-dist, whose
 * files are served as they are.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

export const FUNCTIONS = ['submit', 'status', 'stream', 'api', 'worker', 'dead-letter', 'sweeper'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

export const BUILD_FOLDER = join(import.meta.dirname, '..', '.build');

/** Where the bundle of a function is, as functions-framework's `--source` takes it. */
export function bundleOf(name: FunctionName): string {
  return join(BUILD_FOLDER, name);
}

/** The name under which a function's file exports it: what `--target` and an entry point take. */
export function entryPointOf(name: FunctionName): string {
  return name === 'dead-letter' ? 'deadLetter' : name;
}

/** Bundles all functions. CommonJS, because Google's clients need `require`; not minified, which starts slower. Source maps take most of the time. */
export async function bundleAll({ sourcemap = true } = {}): Promise<void> {
  await mkdir(BUILD_FOLDER, { recursive: true });
  await writeFile(join(BUILD_FOLDER, 'package.json'), '{ "type": "commonjs" }\n');
  await build({
    entryPoints: FUNCTIONS.map((name) => ({
      in: join(import.meta.dirname, '..', 'functions', `${name}.ts`),
      out: `${name}/index`,
    })),
    outdir: BUILD_FOLDER,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap,
    external: ['@google-cloud/functions-framework', 'libsql', 'swagger-ui-dist/*'],
    logLevel: 'warning',
  });
}

if (process.argv[1] === import.meta.filename) {
  await bundleAll();
  console.log(`Bundled ${FUNCTIONS.join(', ')} into ${BUILD_FOLDER}`);
}
