/**
 * What people start with npm, as tests start it. In a test run these programs are bundled once, for to translate them anew
 * takes each process a second of a core; elsewhere, and where nothing was bundled, they run as they are.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import manifest from '../../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.build', 'programs');
const BUNDLED = ['infra/local.ts', 'infra/keys.ts', 'infra/accounts.ts', 'infra/redrive.ts'];
/** Many small files that every program reads; all other packages Node loads as it always does. */
const INLINED = /^(hono|@hono\/.*|zod|jose|lru-cache)$/;

/** What Node has to be given to run a program of this project. */
export function argumentsFor(program: string): string[] {
  const bundle = join(FOLDER, `${basename(program, '.ts')}.mjs`);
  const isBundled = process.env.BUNDLED_PROGRAMS && BUNDLED.includes(program) && existsSync(bundle);
  return isBundled ? [bundle] : ['--import', 'tsx', join(ROOT, program)];
}

/** Bundles them for the processes that this one starts from now on; once, whoever asks. */
export async function bundlePrograms(): Promise<void> {
  if (process.env.BUNDLED_PROGRAMS) return;
  process.env.BUNDLED_PROGRAMS = 'true';
  await build({
    entryPoints: BUNDLED.map((program) => join(ROOT, program)),
    outdir: FOLDER,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is loaded on first use stays so.
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: Object.keys(manifest.dependencies).filter((name) => !INLINED.test(name)),
    logLevel: 'warning',
  });
}
