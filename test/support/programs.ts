/**
 * What people start with npm, as tests start it. In a test run these programs are bundled once, for to translate them anew
 * takes each process a second of a core; elsewhere, and where nothing was bundled, they run as they are.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { clientScriptInside } from '../../infra/client-script.ts';
import { consoleInside } from '../../infra/console.ts';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.build', 'programs');
const BUNDLED = [
  ...['start', 'local', 'keys', 'accounts', 'redrive', 'deploy', 'rollback', 'operating'].map(
    (name) => `infra/${name}.ts`,
  ),
  'shared/client/command-line.ts',
  // What ours is measured beside runs as ours does.
  ...['bullmq', 'bare-sqlite'].map((name) => `test/bench/roles/${name}.ts`),
];
/** Many small files that every program reads; all other packages Node loads as it always does. */
const INLINED = /^(hono|@hono\/.*|zod|jose|lru-cache)$/;

/** What Node has to be given to run a program of this project. */
export function argumentsFor(program: string): string[] {
  const bundle = bundleOf(program);
  return bundle === undefined ? ['--import', 'tsx', join(ROOT, program)] : [bundle];
}

/** What Node has to be given to run code that imports from these programs, by the names that it is handed. */
export function argumentsForCode(programs: readonly string[], codeOf: (...files: string[]) => string): string[] {
  const bundles = programs.map(bundleOf);
  const files = bundles.map((bundle, index) => JSON.stringify(bundle ?? join(ROOT, programs[index] ?? '')));
  const translated = bundles.includes(undefined) ? ['--import', 'tsx'] : [];
  return [...translated, '--input-type=module', '-e', codeOf(...files)];
}

/** Where it was bundled into, if it was. */
function bundleOf(program: string): string | undefined {
  const bundle = join(FOLDER, `${basename(program, '.ts')}.mjs`);
  return process.env.BUNDLED_PROGRAMS && BUNDLED.includes(program) && existsSync(bundle) ? bundle : undefined;
}

/** Bundles them for the processes that this one starts from now on; once, whoever asks. */
export async function bundlePrograms(): Promise<void> {
  if (process.env.BUNDLED_PROGRAMS) return;
  process.env.BUNDLED_PROGRAMS = 'true';
  await build({
    entryPoints: BUNDLED.map((program) => ({ in: join(ROOT, program), out: basename(program, '.ts') })),
    outdir: FOLDER,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is loaded on first use stays so.
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    plugins: [clientScriptInside, consoleInside],
    external: ['bullmq', 'ioredis', ...Object.keys(manifest.dependencies).filter((name) => !INLINED.test(name))],
    logLevel: 'warning',
  });
}
