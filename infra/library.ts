/**
 * What programs and pages import, in `dist/`: ES modules, and their types. Packages stay outside; those of a provider are
 * loaded when it is first used. `npm run build` and `npm pack` build all of it; an installation (`prepare.mjs`) what
 * talks to a service, which takes an instant.
 */
import { execFile } from 'node:child_process';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { buildClientScript } from './client-script.ts';

const ROOT = join(import.meta.dirname, '..');
const CLIENT_FOLDER = join(ROOT, 'shared', 'client');
const LIBRARY_FOLDER = join(ROOT, 'dist');

const LLM = join(ROOT, 'shared', 'llm', 'llm.ts');
const CLIENT = join(CLIENT_FOLDER, 'client.ts');
const REACT = join(CLIENT_FOLDER, 'react.ts');
const PUBLISHER = join(CLIENT_FOLDER, 'publisher.ts');
const COMMAND_LINE = join(CLIENT_FOLDER, 'command-line.ts');

const MODULES: BuildOptions = {
  bundle: true,
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
};

/** Whoever has two of our modules has one client: its errors are of one class, wherever they were thrown. */
const oneClient: Plugin = {
  name: 'one-client',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(client|errors)\.ts$/ }, () => ({ path: './client.js', external: true }));
  },
};

/** Builds all of the library into a folder. */
export async function buildLibrary(folder = LIBRARY_FOLDER): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await Promise.all([
    buildClient(folder),
    build({
      ...MODULES,
      entryPoints: [LLM],
      outdir: folder,
      splitting: true,
      platform: 'node',
      target: 'node20',
    }),
    writeTypes(folder),
  ]);
}

/** Builds what talks to a service, without its types; what else is in the folder stays. */
export async function buildClient(folder = LIBRARY_FOLDER): Promise<void> {
  await mkdir(folder, { recursive: true });
  const beside = { ...MODULES, outdir: folder, plugins: [oneClient] };
  const [script] = await Promise.all([
    buildClientScript(),
    build({ ...MODULES, entryPoints: [CLIENT], outdir: folder, target: 'es2022' }),
    build({ ...beside, entryPoints: [REACT], target: 'es2022' }),
    build({ ...beside, entryPoints: [PUBLISHER, COMMAND_LINE], platform: 'node', target: 'node20' }),
  ]);
  // Whoever reads it meanwhile has the one or the other.
  const written = join(folder, `client.min.js.${process.pid}`);
  await writeFile(written, script);
  await rename(written, join(folder, 'client.min.js'));
}

/** What the sources need of `tsconfig.json`, which TypeScript does not read beside a file's name. */
const COMPILER = [
  ...['--target', 'es2023', '--lib', 'es2024,dom,dom.iterable,esnext.disposable', '--module', 'nodenext'],
  ...['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', '--types', 'node', '--verbatimModuleSyntax'],
];

async function writeTypes(folder: string): Promise<void> {
  const types = ['--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--rewriteRelativeImportExtensions'];
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const where = ['--rootDir', join(ROOT, 'shared'), '--outDir', join(folder, 'types')];
  const options = ['--ignoreConfig', ...types, ...where, ...COMPILER];
  await promisify(execFile)(process.execPath, [tsc, ...options, LLM, CLIENT, REACT, PUBLISHER]);
}

if (process.argv[1] === import.meta.filename) {
  await buildLibrary();
  console.log(`Built the library into ${LIBRARY_FOLDER}`);
}
