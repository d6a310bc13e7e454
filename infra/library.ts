/**
 * `npm run build:library`: what programs import as `llm-jobs/llm`, in `.build/library`: ES modules for plain Node, and
 * their types. Packages stay outside; those of a provider are loaded when it is first used.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
export const LIBRARY_FOLDER = join(ROOT, '.build', 'library');

/** Builds the library into a folder. */
export async function buildLibrary(folder = LIBRARY_FOLDER): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n');
  const entry = join(ROOT, 'shared', 'llm', 'llm.ts');
  await build({
    entryPoints: [{ in: entry, out: 'llm' }],
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
  });
  const types = ['--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--rewriteRelativeImportExtensions'];
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const where = ['--rootDir', join(ROOT, 'shared'), '--outDir', join(folder, 'types')];
  const options = ['--ignoreConfig', ...types, ...where, ...COMPILER];
  await promisify(execFile)(process.execPath, [tsc, ...options, entry]);
}

/** What the sources need of `tsconfig.json`, which TypeScript does not read beside a file's name. */
const COMPILER = [
  ...['--target', 'es2023', '--lib', 'es2024,dom,dom.iterable,esnext.disposable', '--module', 'nodenext'],
  ...['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', '--types', 'node', '--verbatimModuleSyntax'],
];

if (process.argv[1] === import.meta.filename) {
  await buildLibrary();
  console.log(`Built llm-jobs/llm into ${LIBRARY_FOLDER}`);
}
