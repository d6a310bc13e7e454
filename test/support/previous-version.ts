/** The worker of an earlier version: its sources, as `test/long/previous/` has them, bundled with the packages of today. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { BUILD_FOLDER } from '../../infra/bundle.ts';

const SOURCES = join(import.meta.dirname, '..', 'long', 'previous', 'sources.tar.gz');
const FOLDER = join(BUILD_FOLDER, 'previous');

/** Answers the folder of the bundle, as functions-framework takes it. */
export async function bundlePreviousWorker(): Promise<string> {
  const [sources, bundle] = [join(FOLDER, 'sources'), join(FOLDER, 'worker')];
  await rm(FOLDER, { recursive: true, force: true });
  for (const folder of [sources, bundle]) await mkdir(folder, { recursive: true });
  await promisify(execFile)('tar', ['-xzf', SOURCES, '-C', sources]);
  await writeFile(join(bundle, 'package.json'), '{ "type": "commonjs" }\n');
  await build({
    entryPoints: [join(sources, 'functions', 'worker.ts')],
    outfile: join(bundle, 'index.js'),
    ...{ bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'warning' },
    external: ['@google-cloud/functions-framework', 'libsql', 'swagger-ui-dist/*'],
  });
  return bundle;
}
